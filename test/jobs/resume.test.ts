import { expect } from "chai";
import { existsSync } from "node:fs";
import { mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { silent, type Progress } from "../../lib/core/progress.ts";
import { prune, runPipeline } from "../../lib/jobs/prune/prune.ts";
import { readRunState, writeRunState } from "../../lib/jobs/run/state.ts";
import { crossval } from "../../lib/jobs/train/crossval.ts";
import { train } from "../../lib/jobs/train/train.ts";
import { resume, type ResumeOptions } from "../../lib/resume.ts";
import { refused } from "../support/refusal.ts";
import { smallRun, untouched } from "../faults/support.ts";

describe("resume of a run", function () {
  this.timeout(600_000);
  let root: string;
  const small = { data: "synthetic:80", width: 0.25, size: 32, epochs: 1, runs: 2, threads: 1, seed: 3 };

  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-resume-"));
  });
  after(() => rm(root, { recursive: true, force: true }));

  type Run = (out: string, cacheDir: string, how?: ResumeOptions) => Promise<unknown>;
  const runs: Readonly<Record<string, Run>> = {
    "prune at a gamma": async (out, _, how) => prune({ ...(await smallRun(`${out}-parts`)), out, ...how }),
    "prune of two tasks at a target, with joint paths": async (out) => {
      const { gamma, controls, ...options } = await smallRun(`${out}-parts`);
      expect([gamma, controls]).to.deep.equal([0.3, ["l1"]]);
      const task = "gender,age";
      return prune({ ...options, out, task, targetFlops: 0.7, groupSelect: "joint", epochs: 1 });
    },
    train: (out, cacheDir, how) =>
      train({ ...small, arch: "mobilenet-v1", task: "gender", out, cacheDir, ...how }),
    crossval: (out, cacheDir) =>
      crossval({ ...small, archs: ["mobilenet-v1"], task: "gender", folds: 2, out, cacheDir }),
  };

  for (const [name, run] of Object.entries(runs)) {
    it(`${name}: a finished one is left as it is, and nothing is computed`, async () => {
      const out = join(root, name.replaceAll(/\W+/g, "-"));
      await run(out, join(root, "cache"));
      const before = await untouched(out);
      expect(Object.keys(before)).to.include("run.json");
      const labels: string[] = [];
      const progress: Progress = { ...silent, start: (label) => void labels.push(label) };
      await resume(out, { progress });
      expect(await untouched(out)).to.deep.equal(before);
      await resume(relative(process.cwd(), out), { progress });
      expect(await untouched(out), "by another path").to.deep.equal(before);
      const moved = `${out}-moved`;
      await rename(out, moved);
      await resume(moved, { progress });
      expect(await untouched(moved), "in another place").to.deep.equal(before);
      expect(labels).to.deep.equal([]);
    });
  }

  it("begun with what is refused today: it goes on without what changes nothing, else the way out is named", async () => {
    const out = join(root, "earlier");
    const { gamma, controls, ...options } = await smallRun(`${out}-parts`);
    expect([gamma, controls]).to.deep.equal([0.3, ["l1"]]);
    await runPipeline({ ...options, out, gamma: 0.3, epochs: 0, controls: [] }, "harvest");
    const { until, ...state } = (await readRunState(out)) ?? expect.fail("no run.json");
    expect(until).to.equal("harvest");
    const withOption = (more: object): Promise<void> =>
      writeRunState(out, { ...state, config: { ...state.config, ...more } });
    await withOption({ gamma: 7 });
    const { message, hint } = await refused(resume(out), "usage");
    expect(message).to.contain("--gamma: 7");
    expect(hint).to.match(/earlier.config\.json: mend a copy, and begin anew/);
    await withOption({ distill: 4 });
    const warnings: string[] = [];
    await resume(out, { progress: { ...silent, warn: (text) => void warnings.push(text) } });
    expect(warnings.join("\n")).to.contain("distill: changes nothing in this run, it is left out");
    expect(existsSync(join(out, "report.html"))).to.equal(true);
  });

  it("begun for a part of the job: it goes on as far, until the whole job is asked for", async () => {
    const out = join(root, "part");
    const options = { ...(await smallRun(`${out}-parts`)), out };
    const stop = new AbortController();
    const progress: Progress = {
      ...silent,
      start: (label) => {
        if (label === "LASSO paths") stop.abort();
      },
    };
    await refused(runPipeline({ ...options, progress, signal: stop.signal }, "plan"), "interrupted");
    const resumed = await resume(out);
    expect(resumed.command).to.equal("plan");
    expect(existsSync(join(out, "plan.json"))).to.equal(true);
    expect(existsSync(join(out, "baseline.onnx"))).to.equal(false);
    // A look that ends earlier cuts nothing short.
    await runPipeline(options, "harvest");
    expect((await readRunState(out))?.until).to.equal("plan");
    await prune(options);
    expect((await readRunState(out))?.until).to.equal(undefined);
    expect((await resume(out)).command).to.equal("prune");
  });

  for (const name of ["prune at a gamma", "train"]) {
    it(`${name}: a stop is heard while networks are timed, and it goes on from there`, async () => {
      const out = join(root, `stopped-${name.replaceAll(/\W+/g, "-")}`);
      const abort = new AbortController();
      const labels: string[] = [];
      const start = (label: string): void => {
        labels.push(label);
        if (label === "profile") abort.abort();
      };
      const stopped = runs[name](out, join(root, "cache"), {
        progress: { ...silent, start },
        signal: abort.signal,
      });
      expect((await refused(stopped, "interrupted")).message).to.contain("what was done is kept");
      expect(existsSync(join(out, "latency.json"))).to.equal(false);
      labels.length = 0;
      await resume(out, { progress: { ...silent, start } });
      expect(labels).to.deep.equal(["profile"]);
      expect(existsSync(join(out, "latency.json"))).to.equal(true);
    });
  }
});
