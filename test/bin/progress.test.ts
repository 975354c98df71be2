import { expect } from "chai";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createProgress } from "../../bin/progress.ts";
import { onceOnly } from "../../lib/core/progress.ts";
import { capture } from "../support/program.ts";
import { writeSmallBackbone } from "../support/small-backbone.ts";

describe("what is told while a job runs", function () {
  this.timeout(120_000);

  it("details are told with --verbose alone, nothing but warnings with --quiet", () => {
    const told = (how: { quiet: boolean; verbose: boolean }): string[] => {
      let text = "";
      const stream = { isTTY: false, write: (part: string) => ((text += part), true) };
      const progress = createProgress(stream as unknown as NodeJS.WriteStream, how);
      progress.start("step");
      progress.finish("found", "detail");
      progress.note("fact", "detail");
      const once = onceOnly(progress);
      for (let run = 0; run < 2; run++) once.note("layout");
      progress.warn("look out");
      return text
        .replaceAll(/ \([\d.]+ s\)/g, "")
        .trim()
        .split("\n");
    };
    expect(told({ quiet: true, verbose: true })).to.deep.equal(["warning: look out"]);
    expect(told({ quiet: false, verbose: false })).to.deep.equal(["layout", "warning: look out"]);
    expect(told({ quiet: false, verbose: true })).to.deep.equal([
      ...["step: found", "fact", "layout", "layout", "warning: look out"],
    ]);
  });

  it("a run is a story of what was found: filters, the layer that says most, what stays, the rate that was taken", async () => {
    const folder = await mkdtemp(join(tmpdir(), "etl-story-"));
    const backbone = await writeSmallBackbone(join(folder, "small.onnx"));
    const call = [
      ...["prune", "--task", "gender", "--data", "synthetic:120", "--backbone", backbone, "--gamma", "0.1"],
      ...["--epochs", "1", "--baseline-epochs", "1", "--runs", "2", "--threads", "1"],
    ];
    const { stderr } = await capture([...call, "--out", join(folder, "plain")]);
    expect(stderr).to.match(/^harvest: responses of \d+ filters in 3 layers to \d+ pictures/m);
    expect(stderr).to.match(/^LASSO paths: of 3 layers, relu\d explains the labels best: \d+ % of their/m);
    expect(stderr).to.match(/^gamma 0.1: \d+ of \d+ filters stay, \d+ % of the MACs; least of conv\d: /m);
    expect(stderr).to.match(/^baseline: learning rate 0.0\d+ is taken/m);
    const steps = /trying learning rate|features of \d+ pictures|refit kept filters|to distil/;
    expect(stderr).to.not.match(steps);
    const verbose = await capture([...call, "--out", join(folder, "verbose"), "--verbose"]);
    expect(verbose.stderr).to.match(steps);
    await rm(folder, { recursive: true, force: true });
  });
});
