import { expect } from "chai";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { alignFolder } from "../../lib/align/folder.ts";
import { writeModel } from "../../lib/backbones/write-model.ts";
import { readTfjsModel } from "../../lib/formats/tfjs/read.ts";
import { isEtlError } from "../../lib/core/errors.ts";
import type { PruneOptions } from "../../lib/jobs/prune/options.ts";
import { prune } from "../../lib/jobs/prune/prune.ts";
import { smallBackbone } from "../support/small-backbone.ts";
import { systemError, watchDisk } from "./disk.ts";
import { damage, filesBelow, listening, resultsOf, smallRun } from "./support.ts";

const isLong = process.env["ETL_FAULTS"] === "long";

describe("a disk that fails, a machine that is lost", function () {
  this.timeout(isLong ? 7_200_000 : 240_000);
  let root: string;
  let options: PruneOptions;
  let whole: Record<string, string>;
  let calls: number;

  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-disk-"));
    options = { ...(await smallRun(root)), controls: [], epochs: 1 };
    const watch = watchDisk(options.out, () => undefined);
    await prune(options);
    calls = watch.end();
    whole = await resultsOf(options.out);
    expect(calls).to.be.greaterThan(60);
  });
  after(() => rm(root, { recursive: true, force: true }));

  /** Some of the calls, spread evenly, or all. */
  const points = (count: number): number[] =>
    isLong
      ? Array.from({ length: calls }, (_, n) => n)
      : Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * calls) / count));

  const leftOver = async (folder: string): Promise<string[]> =>
    (await filesBelow(folder)).filter((name) => /\.tmp$|lock|^checkpoints/.test(name));

  it("every failing call is a sentence, and the same command goes on to the same result", async () => {
    const codes = ["ENOSPC", "EIO", "EACCES", "EMFILE", "EROFS", "EDQUOT"];
    for (const [i, at] of points(5).entries()) {
      const code = codes[i % codes.length];
      const out = join(root, "failing");
      await rm(out, { recursive: true, force: true });
      let where = "";
      const watch = watchDisk(out, (n, call, path) => {
        if (n !== at) return undefined;
        where = `${code} at ${call} ${path} (${n})`;
        return systemError(code, call, path);
      });
      const error: unknown = await prune({ ...options, out }).catch((e: unknown) => e);
      watch.end();
      if (error instanceof Error) expect(isEtlError(error), `${where}: ${error.stack ?? ""}`).to.equal(true);
      await prune({ ...options, out });
      expect(await resultsOf(out), where).to.deep.equal(whole);
      expect(await leftOver(out), where).to.deep.equal([]);
    }
  });

  it("killed at any of its changes, a run goes on to the same result, and leaves nothing over", async () => {
    for (const at of points(2)) {
      const out = join(root, "killed");
      await rm(out, { recursive: true, force: true });
      const { task, data, backbone = "", cacheDir = "", gamma = 0, seed = 0 } = options;
      const given = { task, data, backbone, out, "cache-dir": cacheDir, gamma, seed, epochs: 1 };
      const more = { "baseline-epochs": 1, "learning-rate": 1e-4, "round-to": 1, runs: 2, threads: 1 };
      const args = Object.entries({ ...given, ...more }).map(([name, value]) => `--${name}=${value}`);
      const script = join(import.meta.dirname, "killed.ts");
      const child = spawn(process.execPath, ["--import", "tsx", script, "prune", ...args], {
        stdio: "ignore",
        env: { ...process.env, ETL_KILL_ROOT: out, ETL_KILL_AT: String(at) },
      });
      const signal = await new Promise((resolve) =>
        child.on("close", (_, by) => {
          resolve(by);
        }),
      );
      expect(signal, `call ${at}`).to.equal("SIGKILL");
      await prune({ ...options, out });
      expect(await resultsOf(out), `killed at ${at}`).to.deep.equal(whole);
      expect(await leftOver(out), `killed at ${at}`).to.deep.equal([]);
    }
  });

  it("align that failed at its first crop goes on, a damaged crop or record is made again", async () => {
    const samples = dirname(createRequire(import.meta.url).resolve("@vladmandic/face-api/demo/sample1.jpg"));
    const [input, out] = [join(root, "photos"), join(root, "aligned")];
    for (const name of ["sample1.jpg", "sample2.jpg"]) await cp(join(samples, name), join(input, name));
    const watch = watchDisk(out, (_, call, path) =>
      call === "rename" && path.endsWith(".jpg") ? systemError("ENOSPC", call, path) : undefined,
    );
    const error: unknown = await alignFolder(input, out).catch((e: unknown) => e);
    watch.end();
    expect(isEtlError(error, "io"), String(error)).to.equal(true);
    expect(await alignFolder(input, out)).to.include({ aligned: 2 });
    const names = await filesBelow(out);
    for (const name of ["sample1.jpg", "align.json"]) {
      for (const how of isLong ? ["one flipped bit", "truncated"] : ["one flipped bit"]) {
        await damage(join(out, name), how);
        const { progress } = listening();
        const kept = (await alignFolder(input, out, { progress })).kept;
        expect(kept, `${name}, ${how}`).to.equal(name === "align.json" ? 0 : 1);
        expect(await alignFolder(input, out)).to.include({ aligned: 2, kept: 2 });
        expect(await filesBelow(out)).to.deep.equal(names);
      }
    }
  });

  it("a tfjs model is replaced as a whole or not at all", async () => {
    const network = smallBackbone();
    const folder = join(root, "browser");
    await writeModel(network, folder, "tfjs");
    const parameters = new Map(network.parameters);
    const [[name, first]] = parameters;
    parameters.set(name, { ...first, data: (first.data as Float32Array).map((w) => w + 1) });
    for (let at = 0; ; at++) {
      const watch = watchDisk(folder, (n, call, path) =>
        n === at ? systemError("EIO", call, path) : undefined,
      );
      const error: unknown = await writeModel({ ...network, parameters }, folder, "tfjs").catch(
        (e: unknown) => e,
      );
      const count = watch.end();
      if (at >= count) break;
      expect(isEtlError(error, "io"), String(error)).to.equal(true);
      const model = join(folder, "model.json");
      if (existsSync(model)) {
        const read = await readTfjsModel(model);
        const weights = read.parameters.get(name)?.data as Float32Array;
        expect(Array.from(weights), `call ${at}`).to.deep.equal(Array.from(first.data as Float32Array));
      }
      expect((await filesBelow(folder)).filter((each) => each.endsWith(".tmp"))).to.deep.equal([]);
      await writeModel(network, folder, "tfjs");
    }
  });
});
