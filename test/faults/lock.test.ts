import { expect } from "chai";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { isEtlError } from "../../lib/core/errors.ts";
import { openRunFolder } from "../../lib/jobs/run/folder.ts";
import { lock } from "../../lib/jobs/run/lock.ts";
import { extension, loader } from "./support.ts";

const isLong = process.env["ETL_FAULTS"] === "long";
const [children, rounds, everyMs] = [4, isLong ? 600 : 30, 80];

describe("the lock of a run", function () {
  this.timeout(isLong ? 600_000 : 120_000);
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-lock-"));
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  const refusal = (folder: string): Promise<unknown> =>
    lock(folder).then(
      (held) => held.release().then(() => "taken"),
      (error: unknown) => error,
    );
  const path = (): string => join(root, "lock.json");
  /** As if nobody had written the lock for so many seconds. */
  const age = (seconds: number): Promise<void> => {
    const then = (performance.timeOrigin + performance.now()) / 1000 - seconds;
    return utimes(path(), then, then);
  };

  for (const kind of ["fresh", "killed", "of another machine, old"]) {
    it(`is never held by two of ${children} processes that ask at once: ${kind}`, async () => {
      for (let round = 0; round < rounds; round++) {
        await mkdir(join(root, String(round)));
        if (kind === "fresh") continue;
        const left =
          kind === "killed" ? { pid: 2 ** 22 + 1, host: hostname() } : { pid: 1, host: "elsewhere" };
        const file = join(root, String(round), "lock.json");
        await writeFile(file, JSON.stringify({ ...left, token: `left-${round}` }));
        if (kind !== "killed") await utimes(file, 1000, 1000);
      }
      const start = performance.timeOrigin + performance.now() + 6000;
      const script = join(import.meta.dirname, `lock-child${extension}`);
      const args = [...loader, script, root, ...[rounds, start, everyMs].map(String)];
      const outs = await Promise.all(
        Array.from({ length: children }, () => promisify(execFile)(process.execPath, args)),
      );
      const counts = outs.map(({ stdout }) => JSON.parse(stdout) as Record<string, number>);
      const sum = (name: string): number => counts.reduce((total, each) => total + each[name], 0);
      expect(sum("together")).to.equal(0);
      expect(sum("taken")).to.be.at.least(rounds);
      expect(sum("refused"), "and they did meet, on a busy machine less often").to.be.greaterThan(
        rounds / 10,
      );
      for (let round = 0; round < rounds; round++)
        expect(await readdir(join(root, String(round))), `${round}`).to.deep.equal([]);
    });
  }

  it("is refused to a second run of the same process, and given back by its owner only", async () => {
    const held = await lock(root);
    expect(isEtlError(await refusal(root), "usage")).to.equal(true);
    expect(existsSync(path()), "the refused one leaves it").to.equal(true);
    await writeFile(path(), JSON.stringify({ pid: 1, host: "elsewhere", token: "another" }));
    const error: unknown = await held.check().catch((e: unknown) => e);
    expect(isEtlError(error, "io") && error.message).to.contain("taken over by process 1 on elsewhere");
    await held.release();
    expect(existsSync(path()), "of another by now").to.equal(true);
  });

  it("is taken over after a minute of silence, on whichever machine; not before", async () => {
    await writeFile(path(), JSON.stringify({ pid: 1, host: "elsewhere", token: "x" }));
    expect(isEtlError(await refusal(root), "usage")).to.equal(true);
    await age(50);
    expect(isEtlError(await refusal(root), "usage")).to.equal(true);
    await age(70);
    expect(await refusal(root)).to.equal("taken");
  });

  it("tells a process number that was given to another process from the one that locked", async () => {
    const held = await lock(root);
    const text = await readFile(path(), "utf8");
    await held.release();
    const owner = JSON.parse(text) as Record<string, unknown>;
    if (owner["started"] === undefined) return; // the system does not say
    await writeFile(path(), JSON.stringify({ ...owner, started: "1" }));
    expect(await refusal(root)).to.equal("taken");
    await writeFile(path(), text);
    expect(isEtlError(await refusal(root), "usage"), "lives").to.equal(true);
  });

  it("torn by a crash, or of a hostile folder, is no trap", async () => {
    for (const text of ["", "{", "null", "7", '{"pid":"x"}', '{"pid":1,"host":"e","token":"../../x"}']) {
      await writeFile(path(), text);
      await age(70);
      expect(await refusal(root), text).to.equal("taken");
      expect(await readdir(root)).to.deep.equal([]);
    }
  });

  it("a run whose folder is removed ends with an error, not with half a result", async () => {
    const folder = join(root, "run");
    const run = await openRunFolder(folder, {}, "1.0.0");
    const stage = (name: string): Promise<boolean> =>
      run.stage(name, {
        inputs: 1,
        files: [`${name}.json`],
        produce: async () => {
          if (name === "plan") await rm(folder, { recursive: true });
          await mkdir(folder, { recursive: true });
          await writeFile(run.file(`${name}.json`), "{}");
        },
      });
    await stage("harvest");
    const error: unknown = await stage("plan").catch((e: unknown) => e);
    expect(isEtlError(error, "io") && error.message).to.contain("removed while the run was going on");
    await run.close();
  });

  it("a lock that was removed by hand is taken again", async () => {
    const held = await lock(root);
    await rm(path());
    await held.check();
    expect(isEtlError(await refusal(root), "usage")).to.equal(true);
    await held.release();
    expect(await readdir(root)).to.deep.equal([]);
  });

  it("what a killed write has left is gone at the next start", async () => {
    const left = ["pruned.onnx.0a1b2c3d.tmp", "checkpoints/a.bin.0a1b2c3d.tmp", "moments/x.0a1b2c3d.tmp"];
    const first = await openRunFolder(root, {}, "1.0.0");
    await first.stage("harvest", { inputs: 1, files: [], produce: () => Promise.resolve() });
    await first.close();
    for (const name of left) {
      await mkdir(join(root, name, ".."), { recursive: true });
      await writeFile(join(root, name), "half");
    }
    await writeFile(join(root, "mine.tmp"), "of the user");
    await (await openRunFolder(root, {}, "1.0.0")).close();
    expect((await readdir(root, { recursive: true })).sort()).to.deep.equal(
      ["checkpoints", "config.json", "mine.tmp", "moments", "run.json"].sort(),
    );
  });
});
