import { expect } from "chai";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { isEtlError } from "../../lib/core/errors.ts";
import { fingerprint } from "../../lib/core/fingerprint.ts";
import { createRandom } from "../../lib/core/random.ts";
import { writeChanged, writeWhole } from "../../lib/core/files.ts";
import { openRunFolder } from "../../lib/jobs/run/folder.ts";
import { bytesOf } from "./support.ts";

const rounds = process.env["ETL_FAULTS"] === "long" ? 10_000 : 300;

describe("a run.json that somebody else wrote", function () {
  this.timeout(3_600_000);
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-state-"));
  });
  after(() => rm(root, { recursive: true, force: true }));

  /** The value with one of its places replaced, its name changed, or left out; sums fit again, as an attacker would have it. */
  function mutated(text: string, seed: number): string {
    const random = createRandom(seed).fork("state");
    const value = JSON.parse(text) as Record<string, unknown>;
    const places: [Record<string, unknown>, string][] = [];
    const walk = (object: Record<string, unknown>): void => {
      for (const key of Object.keys(object)) {
        places.push([object, key]);
        const inner = object[key];
        if (typeof inner === "object" && inner !== null) walk(inner as Record<string, unknown>);
      }
    };
    walk(value);
    const [object, key] = places[Math.floor(random.uniform() * places.length)];
    const odd = [
      ...[null, 0, -1, 1e300, "", "..", "../victim/thesis.txt", "/etc/hostname", "a\u0000b", true],
      ...[
        [],
        {},
        [null],
        ["../victim/thesis.txt"],
        { files: ["../victim/thesis.txt"] },
        "constructor",
        [[["x"]]],
      ],
    ];
    const what = random.uniform();
    if (what < 0.1) Reflect.deleteProperty(object, key);
    else if (what < 0.2 && !Array.isArray(object)) {
      for (const name of ["__proto__", "constructor"])
        Object.defineProperty(object, name, { value: object[key], enumerable: true, configurable: true });
    } else object[key] = odd[Math.floor(random.uniform() * odd.length)];
    const without = (from: object, ...names: string[]): Record<string, unknown> =>
      Object.fromEntries(Object.entries(from).filter(([name]) => !names.includes(name)));
    for (const [name, stage] of Object.entries(value["stages"] ?? {}) as [string, unknown][]) {
      if (typeof stage !== "object" || stage === null || Array.isArray(stage)) continue;
      Object.assign(stage, { check: fingerprint([name, without(stage, "check")]) });
    }
    const rest = without(value, "stages", "check");
    return JSON.stringify({ ...value, check: fingerprint(["run", rest]) });
  }

  it("that was never written: a folder of something else", async () => {
    const run = join(root, "early");
    await mkdir(run);
    await writeFile(join(run, "parts.csv"), "my,own\n");
    const error: unknown = await openRunFolder(run, { gamma: 0.1 }, "1.0.0").catch((e: unknown) => e);
    expect(isEtlError(error, "usage") && error.message).to.contain("holds parts.csv but no run.json");
  });

  it("with pipes in place of its files: none of them is waited for", async function () {
    if (process.platform === "win32") this.skip();
    const run = join(root, "pipes");
    const make = async (): Promise<void> => {
      const folder = await openRunFolder(run, { gamma: 0.1 }, "1.0.0");
      try {
        const produce = async (): Promise<void> => {
          await writeChanged(folder.file("plan.json"), "plan");
        };
        await folder.stage("plan", { inputs: 1, files: ["plan.json"], scratch: ["checkpoints/x"], produce });
        await folder.finish(["plan.json"]);
      } finally {
        await folder.close();
      }
    };
    await make();
    for (const name of ["plan.json", "config.json", "checkpoints/plan.key"]) {
      await rm(join(run, name), { force: true });
      if (name.endsWith(".key")) await rm(join(run, "plan.json")); // else nobody looks at it
      await mkdir(join(run, name, ".."), { recursive: true });
      await promisify(execFile)("mkfifo", [join(run, name)]);
      await make();
    }
    expect(await readFile(join(run, "plan.json"), "utf8")).to.equal("plan");
    await promisify(execFile)("mkfifo", [join(run, "lock.json")]);
    const error: unknown = await make().catch((thrown: unknown) => thrown);
    expect(isEtlError(error, "usage") && error.message).to.contain("in use by process");
    await utimes(join(run, "lock.json"), 1000, 1000);
    await make();
    expect((await readdir(run)).sort()).to.deep.equal(["config.json", "plan.json", "run.json"]);
  });

  it(`${rounds} times: sentences only, nothing outside is touched, and --replace ends well`, async () => {
    const [run, victim] = [join(root, "run"), join(root, "victim")];
    await mkdir(victim);
    await writeFile(join(victim, "thesis.txt"), "years of work");
    const outside = await bytesOf(victim);
    const make = async (replace: boolean): Promise<void> => {
      const folder = await openRunFolder(run, { gamma: 0.1, task: "gender" }, "1.0.0", { replace });
      try {
        for (const [stage, name] of Object.entries({ harvest: "moments/taps.bin", plan: "plan.json" })) {
          const produce = (): Promise<void> => writeWhole(folder.file(name), stage);
          await folder.stage(stage, { inputs: 1, files: [name], scratch: ["checkpoints/x"], produce });
        }
        await folder.finish(["plan.json"]);
      } finally {
        await folder.close();
      }
    };
    await make(false);
    const text = await readFile(join(run, "run.json"), "utf8");
    for (let seed = 0; seed < rounds; seed++) {
      const changed = mutated(text, seed);
      await writeFile(join(run, "run.json"), changed);
      for (const replace of [false, true]) {
        const error: unknown = await make(replace).catch((thrown: unknown) => thrown);
        if (error instanceof Error)
          expect(isEtlError(error), `${seed}: ${changed}\n${error.stack ?? ""}`).to.equal(true);
        const isDeadEnd = replace && error instanceof Error && !/not a run record|schema/.test(error.message);
        expect(isDeadEnd, `${seed}: ${String(error)}`).to.equal(false);
      }
      expect(await bytesOf(victim), `${seed}: ${changed}`).to.deep.equal(outside);
    }
  });
});
