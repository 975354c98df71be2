/** Programs as somebody writes them who has the documents and the package, nothing else. A third runs in `browser.test.ts`. */
import { expect } from "chai";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  analyseCoupling,
  applySurgery,
  costOf,
  isEtlError,
  planSurgery,
  prune,
  readOnnx,
  resume,
  selectByCriterion,
  writeOnnx,
  type Progress,
  type PruneOptions,
} from "../../lib/index.ts";
import { writeSmallBackbone } from "../support/small-backbone.ts";

describe("library: programs written from the documents", function () {
  this.timeout(300_000);
  let folder = "";
  let model = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "etl-programs-"));
    model = await writeSmallBackbone(join(folder, "model.onnx"));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it("cuts a model file by a criterion of its own", async () => {
    const network = readOnnx(await readFile(model), { name: "model" });
    const coupling = analyseCoupling(network);
    const asked: string[] = [];
    // The last filters of every layer are the best ones.
    const selection = selectByCriterion(network, coupling, {
      score: (layer, filter) => {
        asked.push(layer.name);
        return filter;
      },
      keep: 0.5,
    });
    const plan = planSurgery(network, selection, { coupling });
    const small = applySurgery(network, plan);
    await writeFile(join(folder, "small.onnx"), writeOnnx(small));
    const back = readOnnx(await readFile(join(folder, "small.onnx")), { name: "small" });
    expect(new Set(asked).size).to.equal(coupling.layers.length);
    const halves = plan.rows.filter(({ kept, total }) => kept < total);
    expect(halves.length).to.be.at.least(3);
    for (const { name, kept, total } of halves) {
      expect(kept, name).to.equal(total / 2);
      expect(Array.from(selection.get(name) ?? []), name).to.deep.equal(
        Array.from({ length: kept }, (_, i) => total - kept + i),
      );
    }
    expect(costOf(back).total.params).to.be.below(0.5 * costOf(network).total.params);
  });

  it("stops a run with a reason of its own, and lets it go on to the same result", async () => {
    const options = (out: string): PruneOptions => ({
      ...{ task: "gender", data: "synthetic:120", backbone: model, out: join(folder, out), gamma: 0.1 },
      ...{ epochs: 1, baselineEpochs: 1, learningRates: [1e-3], batchSize: 16, runs: 2, threads: 1 },
    });
    const whole = await prune({ ...options("whole"), signal: undefined });

    const stop = new AbortController();
    const reason = new Error("the user closed the window");
    const progress: Progress = {
      start: (label) => {
        if (label.startsWith("LASSO")) stop.abort(reason);
      },
      ...{ update: () => undefined, finish: () => undefined, note: () => undefined, warn: () => undefined },
    };
    let stopped: unknown;
    try {
      await prune({ ...options("stopped"), signal: stop.signal, progress });
    } catch (error) {
      stopped = error;
    }
    if (!isEtlError(stopped, "interrupted")) throw new Error("it was not stopped", { cause: stopped });
    expect(stopped.cause).to.equal(reason);
    expect(existsSync(join(folder, "stopped", "pruned.onnx"))).to.equal(false);

    const { command } = await resume(join(folder, "stopped"));
    expect(command).to.equal("prune");
    const files = await Promise.all(
      ["whole", "stopped"].map((run) => readFile(join(folder, run, "pruned.onnx"))),
    );
    expect(files[0].equals(files[1])).to.equal(true);
    expect(whole.models.map(({ name }) => name)).to.include.members(["baseline", "pruned"]);
  });
});
