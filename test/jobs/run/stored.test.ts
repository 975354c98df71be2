import { expect } from "chai";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isEtlError } from "../../../lib/core/errors.ts";
import { fingerprint } from "../../../lib/core/fingerprint.ts";
import { prune } from "../../../lib/jobs/prune/prune.ts";
import { smallRun } from "../../faults/support.ts";

/** A stage's result that no sum protects: a run of a version that wrote none, or of somebody who made the sums fit. */
describe("results of stages in a run that somebody else wrote", function () {
  this.timeout(240_000);
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-stored-"));
  });
  after(() => rm(root, { recursive: true, force: true }));

  it("are refused with the place that is wrong, and what to do helps", async () => {
    const options = { ...(await smallRun(root)), controls: [], epochs: 1 };
    await prune(options);
    const listing = join(options.out, "run.json");
    interface Stage {
      seals?: unknown;
      check?: string;
    }
    const {
      check: _,
      results: __,
      ...run
    } = JSON.parse(await readFile(listing, "utf8")) as Record<string, unknown>;
    for (const [name, stage] of Object.entries(run["stages"] as Record<string, Stage>)) {
      delete stage.seals;
      delete stage.check;
      Object.assign(stage, { check: fingerprint([name, stage]) });
    }
    const { stages, ...rest } = run;
    const open = { ...rest, status: "running" };
    const unsealed = JSON.stringify({ ...open, stages, check: fingerprint(["run", open]) });
    for (const [file, change, place] of [
      ["history/finetune.json", { history: [{}] }, "history[0].epoch is missing"],
      ["evaluation/pruned.json", { tasks: [] }, "0 tasks, 1 were needed"],
      ["evaluation/baseline.json", { tasks: [null] }, "tasks[0] is null"],
      ["latency.json", { pruned: { medianMs: "fast" } }, 'pruned.medianMs is "fast"'],
      ["responses.json", [{}], "[0].tap is missing"],
    ] as const) {
      const path = join(options.out, file);
      const whole = await readFile(path, "utf8");
      const value = JSON.parse(whole) as object;
      await writeFile(path, JSON.stringify(Array.isArray(change) ? change : { ...value, ...change }));
      await writeFile(listing, unsealed);
      const error: unknown = await prune(options).catch((thrown: unknown) => thrown);
      expect(isEtlError(error, "format") && error.message, `${file}: ${String(error)}`).to.contain(place);
      expect(isEtlError(error) && error.hint).to.contain("remove this file");
      await writeFile(path, whole);
    }
  });
});
