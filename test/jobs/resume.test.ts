import { expect } from "chai";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silent, type Progress } from "../../lib/core/progress.ts";
import { prune } from "../../lib/jobs/prune/prune.ts";
import { crossval } from "../../lib/jobs/train/crossval.ts";
import { train } from "../../lib/jobs/train/train.ts";
import { resume } from "../../lib/resume.ts";
import { smallRun, untouched } from "../faults/support.ts";

describe("resume of a finished run changes no file and computes nothing", function () {
  this.timeout(600_000);
  let root: string;
  const small = { data: "synthetic:80", width: 0.25, size: 32, epochs: 1, runs: 2, threads: 1, seed: 3 };

  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-resume-"));
  });
  after(() => rm(root, { recursive: true, force: true }));

  const runs: Readonly<Record<string, (out: string, cacheDir: string) => Promise<unknown>>> = {
    "prune at a gamma": async (out) => prune({ ...(await smallRun(`${out}-parts`)), out }),
    "prune of two tasks at a target, with joint paths": async (out) => {
      const { gamma, controls, ...options } = await smallRun(`${out}-parts`);
      expect([gamma, controls]).to.deep.equal([0.3, ["l1"]]);
      const task = "gender,age";
      return prune({ ...options, out, task, targetFlops: 0.7, groupSelect: "joint", epochs: 1 });
    },
    train: (out, cacheDir) => train({ ...small, arch: "mobilenet-v1", task: "gender", out, cacheDir }),
    crossval: (out, cacheDir) =>
      crossval({ ...small, archs: ["mobilenet-v1"], task: "gender", folds: 2, out, cacheDir }),
  };

  for (const [name, run] of Object.entries(runs)) {
    it(name, async () => {
      const out = join(root, name.replaceAll(/\W+/g, "-"));
      await run(out, join(root, "cache"));
      const before = await untouched(out);
      expect(Object.keys(before)).to.include("run.json");
      const labels: string[] = [];
      const progress: Progress = { ...silent, start: (label) => void labels.push(label) };
      await resume(out, { progress });
      expect(await untouched(out)).to.deep.equal(before);
      expect(labels).to.deep.equal([]);
    });
  }
});
