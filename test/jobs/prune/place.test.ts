import { expect } from "chai";
import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silent, type Progress } from "../../../lib/core/progress.ts";
import { version } from "../../../lib/core/version.ts";
import { resolveOptions } from "../../../lib/jobs/prune/config.ts";
import type { PruneOptions } from "../../../lib/jobs/prune/options.ts";
import { placed, type OpenPruneOptions } from "../../../lib/jobs/prune/place.ts";

describe("a call of prune without data and folder", () => {
  const home = process.cwd();
  let root: string;
  let said: string[];
  const progress: Progress = {
    ...silent,
    note: (text) => void said.push(text),
    warn: (text) => void said.push(text),
  };
  beforeEach(async () => {
    root = await realpath(await mkdtemp(join(tmpdir(), "etl-place-")));
    process.chdir(root);
    said = [];
  });
  afterEach(async () => {
    process.chdir(home);
    await rm(root, { recursive: true });
  });
  const ask = (more: Partial<OpenPruneOptions> = {}): Promise<PruneOptions> =>
    placed({ task: "gender", gamma: 0.01, progress, ...more });
  const leave = async (options: PruneOptions, status: string): Promise<void> => {
    await mkdir(options.out, { recursive: true });
    const config = { ...resolveOptions(options) };
    const run = { schema: 1, etlVersion: version, createdAt: "", config, stages: {}, status };
    await writeFile(join(options.out, "run.json"), JSON.stringify(run));
  };

  it("draws faces and says so, in runs/TASK", async () => {
    const options = await ask();
    expect(options).to.include({ data: "synthetic:500", out: join("runs", "gender") });
    expect(said.join("\n")).to.match(/no --data: faces are drawn .*\n.*the run goes to runs.gender$/);
  });

  it("goes on with an unfinished run of the same options, shows a finished one, leaves others alone", async () => {
    await leave(await ask(), "running");
    expect((await ask()).out).to.equal(join("runs", "gender"));
    expect(said.at(-1)).to.contain("unfinished run with these options, it is continued");
    await leave(await ask(), "finished");
    expect((await ask()).out).to.equal(join("runs", "gender"));
    expect(said.at(-1)).to.contain("it is shown");
    expect((await ask({ gamma: 0.2 })).out).to.equal(join("runs", "gender-2"));
    await leave(await ask({ gamma: 0.2 }), "running");
    expect((await ask({ gamma: 0.3 })).out).to.equal(join("runs", "gender-3"));
    expect((await ask({ gamma: 0.2 })).out).to.equal(join("runs", "gender-2"));
    // of something that is no run nothing is known
    await mkdir(join("runs", "age"), { recursive: true });
    expect((await ask({ task: "age" })).out).to.equal(join("runs", "age"));
    await writeFile(join("runs", "age", "diary.txt"), "");
    expect((await ask({ task: "age" })).out).to.equal(join("runs", "age-2"));
  });

  it("what was said is kept, and nothing is assumed beside it", async () => {
    expect(await ask({ data: "faces", out: "here" })).to.include({ data: "faces", out: "here" });
    expect(said).to.deep.equal([]);
    const both = await ask({ task: "gender=a,age=b" });
    expect(both.out).to.equal(join("runs", "gender-age"));
    expect(both).to.not.have.property("data");
  });
});
