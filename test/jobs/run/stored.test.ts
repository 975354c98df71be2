import { expect } from "chai";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isEtlError } from "../../../lib/core/errors.ts";
import { fingerprint } from "../../../lib/core/fingerprint.ts";
import type { Curve } from "../../../lib/core/artifacts.ts";
import { decodePlain, encodePlain } from "../../../lib/core/plain.ts";
import { sealOf } from "../../../lib/core/seal.ts";
import { prune } from "../../../lib/jobs/prune/prune.ts";
import { smallRun } from "../../faults/support.ts";

/** Results that no sum protects: somebody made the sums fit. */
describe("results of stages in a run that somebody else wrote", function () {
  this.timeout(600_000);
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-stored-"));
  });
  after(() => rm(root, { recursive: true, force: true }));

  it("are refused with the place that is wrong, and what to do helps", async () => {
    const options = { ...(await smallRun(root)), controls: [], epochs: 1 };
    await prune(options);
    const listing = join(options.out, "run.json");
    type Entry = Record<string, unknown>;
    const without = (from: Entry, ...names: string[]): Entry =>
      Object.fromEntries(Object.entries(from).filter(([name]) => !names.includes(name)));
    /** run.json as if the stages had written the files as they are now. */
    const sealed = async (): Promise<string> => {
      const run = JSON.parse(await readFile(listing, "utf8")) as Entry;
      const stages = Object.entries(run["stages"] as Record<string, Entry>).map(async ([name, stage]) => {
        const files = stage["files"] as string[];
        const seals = await Promise.all(
          files.map(async (file) => [file, await sealOf(join(options.out, file))] as const),
        );
        const own = { ...without(stage, "check"), seals: Object.fromEntries(seals) };
        return [name, { ...own, check: fingerprint([name, own]) }] as const;
      });
      const rest = { ...without(run, "stages", "check", "results"), status: "running" };
      const all = Object.fromEntries(await Promise.all(stages));
      return JSON.stringify({ ...rest, stages: all, check: fingerprint(["run", rest]) });
    };
    for (const [file, change, place] of [
      ["history/finetune.json", { history: [{}] }, "history[0].epoch is missing"],
      ["evaluation/pruned.json", { tasks: [] }, "0 tasks, 1 were needed"],
      ["evaluation/baseline.json", { tasks: [null] }, "tasks[0] is null"],
      ["latency.json", { pruned: { medianMs: "fast" } }, 'pruned.medianMs is "fast"'],
      ["responses.json", {}, "[0].tap is missing"],
    ] as const) {
      const path = join(options.out, file);
      const whole = await readFile(path, "utf8");
      const value = JSON.parse(whole) as object;
      const isList = Array.isArray(value);
      await writeFile(path, JSON.stringify(isList ? [change] : { ...value, ...change }));
      await writeFile(listing, await sealed());
      const error: unknown = await prune(options).catch((thrown: unknown) => thrown);
      expect(isEtlError(error, "format") && error.message, `${file}: ${String(error)}`).to.contain(place);
      expect(isEtlError(error) && error.hint).to.contain("remove this file");
      await writeFile(path, whole);
    }
    const curves = join(options.out, "paths.bin");
    const kept = await readFile(curves);
    for (const [change, place] of [
      [{ points: [] }, "[0].path is an object, a point of so many filters beside every lambda was needed"],
      [{ p: 1e9 }, "[0] is an object, a curve of as many filters as its path was needed"],
      [{ lambdas: [1, 2] }, "[0].path.lambdas is a list of 2, a Float64Array was needed"],
    ] as const) {
      const [first, ...others] = decodePlain(kept, curves) as [Curve, ...Curve[]];
      await writeFile(curves, encodePlain([{ ...first, path: { ...first.path, ...change } }, ...others]));
      await writeFile(listing, await sealed());
      const error: unknown = await prune(options).catch((thrown: unknown) => thrown);
      expect(isEtlError(error, "format") && error.message, String(error)).to.contain(place);
      await writeFile(curves, kept);
    }
  });
});
