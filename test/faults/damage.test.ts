import { expect } from "chai";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isEtlError } from "../../lib/core/errors.ts";
import { readParts } from "../../lib/jobs/run/used.ts";
import { readRecord } from "../../lib/jobs/many/records.ts";
import type { PruneOptions } from "../../lib/jobs/prune/options.ts";
import { prune } from "../../lib/jobs/prune/prune.ts";
import { openModel } from "../../lib/jobs/run/model.ts";
import { each } from "./replay.ts";
import { bytesOf, damage, damages, filesBelow, listening, resultsOf, smallRun } from "./support.ts";

/** All ways for all files with ETL_FAULTS=long, else one way a file, in turn. */
const isLong = process.env["ETL_FAULTS"] === "long";

describe("a damaged file of a run", function () {
  this.timeout(isLong ? 0 : 600_000);
  let root: string;
  let options: PruneOptions;
  let whole: Record<string, string>;

  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-damage-"));
    options = await smallRun(root);
    await prune(options);
    whole = await resultsOf(options.out);
  });
  after(() => rm(root, { recursive: true, force: true }));

  /** Files that are damaged together, and how: each by itself in every way, or in a few rounds all of them. */
  function rounds(names: readonly string[]): [string, string][][] {
    const ways = Object.keys(damages);
    if (isLong) return names.flatMap((name) => ways.map((how): [string, string][] => [[name, how]]));
    const count = 3;
    return Array.from({ length: count }, (_, r) =>
      names.flatMap((name, i): [string, string][] =>
        i % count === r ? [[name, ways[i % ways.length]]] : [],
      ),
    );
  }

  async function copied(name: string): Promise<PruneOptions> {
    const out = join(root, name);
    await rm(out, { recursive: true, force: true });
    await cp(options.out, out, { recursive: true });
    return { ...options, out };
  }

  it("of a finished one is made again, and the warning names it; nothing comes out otherwise", async () => {
    const names = (await filesBelow(options.out)).filter((name) => name !== "run.json");
    expect(names.length).to.be.greaterThan(14);
    await each("finished run, damaged", rounds(names), async (round) => {
      const copy = await copied("copy");
      for (const [name, how] of round) await damage(join(copy.out, name), how);
      const { progress, warnings } = listening();
      await prune({ ...copy, progress });
      expect(await resultsOf(copy.out), JSON.stringify(round)).to.deep.equal(whole);
      // of several damaged files some may have been forgotten together with the stage before them
      const told = round.filter(([name]) => warnings.join("\n").includes(join(copy.out, name)));
      const isPage = ["record.json", "metrics.json", "report.html", "config.json"].includes(round[0][0]); // written from the others
      expect(told.length > 0 || isPage, JSON.stringify(round)).to.equal(true);
      const again = await bytesOf(copy.out);
      await prune(copy);
      expect(await bytesOf(copy.out), "and then nothing is computed again").to.deep.equal(again);
    });
  });

  it("config.json of a finished one is written again, and said", async () => {
    const copy = await copied("options");
    const before = await bytesOf(copy.out);
    for (const how of Object.keys(damages)) {
      await damage(join(copy.out, "config.json"), how);
      const { progress, warnings } = listening();
      await prune({ ...copy, progress });
      expect(warnings.join("\n"), how).to.contain("config.json: not the options of this run");
      expect(await bytesOf(copy.out), how).to.deep.equal(before);
    }
  });

  it("run.json: refused, and with --replace the stages that are whole are kept", async () => {
    for (const how of Object.keys(damages)) {
      const copy = await copied("state");
      await damage(join(copy.out, "run.json"), how);
      const { progress, warnings } = listening();
      const error: unknown = await prune({ ...copy, progress }).catch((e: unknown) => e);
      if (error instanceof Error)
        expect(isEtlError(error, "format"), `${how}: ${error.message}`).to.equal(true);
      else expect(warnings.join("\n"), how).to.contain("run.json");
    }
  });

  it("is not used by what reads a finished run: the record, the networks", async () => {
    const copy = await copied("read");
    for (const name of ["record.json", "pruned.onnx", "baseline.onnx", "parts.csv"]) {
      const path = join(copy.out, name);
      await damage(path, "a flipped bit near the end");
      const reads: Readonly<Record<string, () => Promise<unknown>>> = {
        "record.json": () => readRecord(copy.out),
        "parts.csv": () => readParts(join(copy.out, "pruned.onnx")),
      };
      const work = (reads[name] ?? (() => openModel(path)))();
      const error: unknown = await work.catch((e: unknown) => e);
      expect(isEtlError(error, "format") && error.message, name).to.contain(path);
      expect(isEtlError(error) && error.hint).to.contain("etl resume");
    }
  });

  it("of a stopped one is made again as well", async () => {
    const stopped = { ...options, out: join(root, "stopped") };
    await stop(stopped, /pruned, epoch 2/);
    const names = await workIn(stopped.out);
    expect(names.some((name) => name.startsWith("checkpoints/"))).to.equal(true);
    await each("stopped run, damaged", rounds(names), (round) => resumeDamaged(stopped, round));
  });

  it("of a harvest under way is made again as well", async () => {
    const stopped = { ...options, out: join(root, "harvest") };
    let passes = 0;
    await stop(stopped, { test: (label) => label === "harvest" && ++passes === 2 });
    expect(await workIn(stopped.out)).to.deep.equal(["checkpoints/moments-0.bin", "parts.csv"]);
    await resumeDamaged(stopped, [["checkpoints/moments-0.bin", "one flipped bit"]]);
  });

  /** Options are written again at every start, from what was given. */
  const anew = new Set(["run.json", "config.json"]);
  const workIn = async (folder: string): Promise<string[]> =>
    (await filesBelow(folder)).filter((name) => !anew.has(name) && !name.endsWith(".key"));

  async function resumeDamaged(stopped: PruneOptions, round: readonly [string, string][]): Promise<void> {
    const out = join(root, "stopped-copy");
    await rm(out, { recursive: true, force: true });
    await cp(stopped.out, out, { recursive: true });
    for (const [name, how] of round) await damage(join(out, name), how);
    const { progress, warnings } = listening();
    await prune({ ...options, out, progress });
    expect(await resultsOf(out), JSON.stringify(round)).to.deep.equal(whole);
    // of several damaged files some may have been forgotten together with the stage before them
    const told = round.filter(([name]) => warnings.join("\n").includes(join(out, name)));
    expect(told.length, JSON.stringify(round)).to.be.above(0);
  }

  it("of the picture cache is decoded again, and said", async () => {
    const cacheDir = options.cacheDir ?? "";
    const kept = await bytesOf(cacheDir);
    const names = Object.keys(kept);
    expect(names.length).to.be.greaterThan(1);
    for (const name of names) {
      for (const how of Object.keys(damages)) {
        const copy = { ...options, out: join(root, "anew"), cacheDir: join(root, "cache-copy") };
        for (const place of [copy.out, copy.cacheDir]) await rm(place, { recursive: true, force: true });
        await cp(cacheDir, copy.cacheDir, { recursive: true });
        await damage(join(copy.cacheDir, name), how);
        const { progress, warnings } = listening();
        await prune({ ...copy, controls: [], progress });
        const results = await resultsOf(copy.out);
        expect(results["pruned.onnx"], `${name}, ${how}`).to.equal(whole["pruned.onnx"]);
        if (warnings.length > 0) expect(warnings.join()).to.contain("built anew next time");
        await prune({ ...copy, out: join(root, "after"), controls: [] });
        expect(await bytesOf(copy.cacheDir), "built anew").to.deep.equal(kept);
        await rm(join(root, "after"), { recursive: true });
        if (!isLong) break;
      }
    }
  });

  /** Runs until a stage begins whose label fits. */
  async function stop(what: PruneOptions, at: Pick<RegExp, "test">): Promise<void> {
    const abort = new AbortController();
    const { progress } = listening();
    const start = (label: string): void => {
      if (at.test(label)) abort.abort();
    };
    const error: unknown = await prune({
      ...what,
      signal: abort.signal,
      progress: { ...progress, start },
    }).catch((e: unknown) => e);
    expect(isEtlError(error, "interrupted"), String(error)).to.equal(true);
  }
});
