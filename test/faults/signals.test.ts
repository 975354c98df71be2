import { expect } from "chai";
import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isEtlError } from "../../lib/core/errors.ts";
import { loadBackbone } from "../../lib/backbones/catalogue.ts";
import { openEngine } from "../../lib/engine/open.ts";
import { profileModels } from "../../lib/evaluate/profile.ts";
import { prune } from "../../lib/jobs/prune/prune.ts";
import { listening, smallRun } from "./support.ts";

const isLong = process.env["ETL_FAULTS"] === "long";
const program = join(import.meta.dirname, "../../bin/etl.ts");

describe("signals and streams", function () {
  this.timeout(120_000);
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-signals-"));
  });
  after(() => rm(root, { recursive: true, force: true }));

  it("a stop is heard within a second while networks are timed", async () => {
    const { network } = await loadBackbone("resnet18", { weights: "random" });
    const engine = await openEngine({ threads: 1 });
    const abort = new AbortController();
    let asked = 0;
    setTimeout(() => {
      asked = performance.now();
      abort.abort();
    }, 1500);
    const error: unknown = await profileModels(engine, [{ name: "a", network }], {
      runs: 100_000,
      signal: abort.signal,
    }).catch((e: unknown) => e);
    expect(performance.now() - asked).to.be.lessThan(2000); // a second, on a machine that does other things too
    expect(isEtlError(error, "interrupted")).to.equal(true);
    await engine.dispose();
  });

  it("a stop is heard while pictures are decoded, and in the stage that times", async () => {
    for (const at of ["decode pictures", "profile"]) {
      const abort = new AbortController();
      const { progress, warnings } = listening();
      const start = (label: string): void => {
        if (label === at) abort.abort();
      };
      const options = { ...(await smallRun(root)), controls: [], out: join(root, at.slice(0, 4)) };
      const error: unknown = await prune({
        ...options,
        cacheDir: join(root, `cache ${at}`),
        signal: abort.signal,
        progress: { ...progress, start },
      }).catch((e: unknown) => e);
      expect(isEtlError(error, "interrupted"), `${at}: ${String(error)}`).to.equal(true);
      expect(warnings).to.deep.equal([]);
      expect(existsSync(join(options.out, "lock.json"))).to.equal(false);
    }
  });

  const args = (options: Awaited<ReturnType<typeof smallRun>>, out: string): string[] => {
    const { task, data, backbone = "", cacheDir = "" } = options;
    const given = {
      task,
      data,
      backbone,
      out,
      "cache-dir": cacheDir,
      gamma: 0.3,
      epochs: 1,
      runs: 1,
      threads: 1,
    };
    return Object.entries(given).map(([name, value]) => `--${name}=${value}`);
  };

  for (const signal of isLong ? (["SIGHUP", "SIGINT", "SIGTERM"] as const) : (["SIGHUP"] as const)) {
    it(`${signal} ends a run with 130 and keeps what was done`, async () => {
      const out = join(root, signal);
      const child = spawn(
        process.execPath,
        ["--import", "tsx", program, "prune", ...args(await smallRun(root), out)],
        { stdio: ["ignore", "ignore", "pipe"] },
      );
      let log = "";
      let asked = 0;
      child.stderr.on("data", (text: Buffer) => {
        log += text.toString();
        if (asked === 0 && log.includes("LASSO")) {
          asked = performance.now();
          child.kill(signal);
        }
      });
      const code = await new Promise((resolve) => child.on("close", resolve));
      expect(code, log).to.equal(130);
      expect(log).to.contain("etl resume");
      expect(existsSync(join(out, "run.json"))).to.equal(true);
      expect(existsSync(join(out, "lock.json"))).to.equal(false);
    });
  }

  it("a log that cannot be written does not end a run; results that cannot be written are said", async function () {
    if (!existsSync("/dev/full")) this.skip();
    const options = await smallRun(root);
    const run = async (stdio: [number | "ignore", number | "ignore"], out: string): Promise<number> => {
      const child = spawn(
        process.execPath,
        ["--import", "tsx", program, "prune", "--json", ...args(options, out)],
        { stdio: ["ignore", ...stdio] },
      );
      return new Promise((resolve) => child.on("close", resolve));
    };
    const full = openSync("/dev/full", "w");
    try {
      expect(await run(["ignore", full], join(root, "log"))).to.equal(0);
      expect(existsSync(join(root, "log/report.html"))).to.equal(true);
      expect(await run([full, "ignore"], join(root, "log"))).to.equal(1);
    } finally {
      closeSync(full);
    }
  });
});
