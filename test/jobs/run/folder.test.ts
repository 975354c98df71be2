import { expect } from "chai";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join, relative } from "node:path";
import { silent } from "../../../lib/core/progress.ts";
import { writeWhole } from "../../../lib/core/files.ts";
import { openRunFolder, type RunFolder } from "../../../lib/jobs/run/folder.ts";
import { fingerprint } from "../../../lib/core/fingerprint.ts";
import { refused } from "../../support/refusal.ts";

describe("run folder", () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-run-"));
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  const produce = (folder: RunFolder, name: string, text: string) => () =>
    writeWhole(folder.file(name), text);

  it("runs a stage once, and again when its inputs or files are gone", async () => {
    const folder = await openRunFolder(root, { gamma: 0.1 }, "1.0.0");
    const options = {
      inputs: { a: 1 },
      files: ["moments.bin"],
      produce: produce(folder, "moments.bin", "x"),
    };
    expect(await folder.stage("harvest", options)).to.equal(true);
    expect(await folder.stage("harvest", options)).to.equal(false);
    await rm(folder.file("moments.bin"));
    expect(await folder.stage("harvest", options)).to.equal(true);
    expect(await folder.stage("harvest", { ...options, inputs: { a: 2 } })).to.equal(true);
    await folder.close();
  });

  it("makes a damaged stage again, and what follows only where it comes out otherwise", async () => {
    const warnings: string[] = [];
    const progress = { ...silent, warn: (text: string) => void warnings.push(text) };
    const outcome = async (texts: Record<string, string>): Promise<string[]> => {
      const folder = await openRunFolder(root, {}, "1.0.0", { progress });
      const ran: string[] = [];
      for (const [stage, text] of Object.entries(texts)) {
        const files = [`${stage}.json`];
        const from = stage === "harvest" ? [] : ["harvest"];
        if (await folder.stage(stage, { inputs: 1, from, files, produce: produce(folder, files[0], text) }))
          ran.push(stage);
      }
      await folder.close();
      return ran;
    };
    const texts = { harvest: "moments", curves: "curves", plan: "plan" };
    expect(await outcome(texts)).to.deep.equal(["harvest", "curves", "plan"]);
    expect(await outcome(texts)).to.deep.equal([]);
    await writeFile(join(root, "harvest.json"), "momentz");
    expect(await outcome(texts)).to.deep.equal(["harvest"]);
    expect(warnings.join()).to.match(
      /harvest.json holds other bytes than were written: stage harvest is made/,
    );
    await writeFile(join(root, "harvest.json"), "momen");
    expect(await outcome({ ...texts, harvest: "other moments" })).to.deep.equal([
      "harvest",
      "curves",
      "plan",
    ]);
    expect(warnings.at(-1)).to.contain("has 5 bytes, 7 were written");
  });

  it("makes a damaged stage again also where the first attempt was killed", async () => {
    const run = async (text: string | undefined): Promise<boolean> => {
      const folder = await openRunFolder(root, {}, "1.0.0");
      const fail = () => Promise.reject(new Error("killed"));
      const write = text === undefined ? fail : produce(folder, "a.json", text);
      try {
        return await folder.stage("harvest", { inputs: 1, files: ["a.json"], produce: write });
      } finally {
        await folder.close();
      }
    };
    expect(await run("a")).to.equal(true);
    await writeFile(join(root, "a.json"), "b");
    expect(await run(undefined).catch(() => "killed")).to.equal("killed");
    expect(await run("a")).to.equal(true);
    expect(await run("a")).to.equal(false);
  });

  it("takes later stages along when an earlier one changes, and keeps the earlier ones", async () => {
    const folder = await openRunFolder(root, {}, "1.0.0");
    const run = (stage: string, inputs: unknown, ...from: string[]) =>
      folder.stage(stage, {
        inputs,
        from,
        files: [`${stage}.json`],
        produce: produce(folder, `${stage}.json`, "{}"),
      });
    await run("harvest", 1);
    await run("curves", 1, "harvest");
    await run("plan", 1, "curves");
    await run("cut", 1, "plan");
    await run("words", 1, "harvest");
    expect(await run("curves", 2, "harvest")).to.equal(true);
    expect(existsSync(folder.file("harvest.json"))).to.equal(true);
    expect(Object.keys(folder.state().stages)).to.deep.equal(["harvest", "words", "curves"]);
    expect(existsSync(folder.file("plan.json")), "stays until its successor is there").to.equal(true);
    expect(await run("plan", 2, "curves")).to.equal(true);
    expect(await run("harvest", 2), "all that is made from it").to.equal(true);
    expect(Object.keys(folder.state().stages)).to.deep.equal(["harvest"]);
    await run("plan", 3);
    await folder.finish();
    await folder.close();
    expect(existsSync(join(root, "plan.json"))).to.equal(true);
  });

  it("does not count a stage that failed, and keeps its scratch only for the same inputs", async () => {
    const folder = await openRunFolder(root, {}, "1.0.0");
    const half = (inputs: number) =>
      folder.stage("baseline", {
        inputs,
        files: ["baseline.onnx"],
        scratch: ["checkpoints/baseline.bin"],
        produce: async () => {
          if (existsSync(folder.file("checkpoints/baseline.bin"))) throw new Error("found the checkpoint");
          await writeWhole(folder.file("checkpoints/baseline.bin"), "half");
          throw new Error("killed");
        },
      });
    const outcome = (inputs: number) =>
      half(inputs).then(String, (error: unknown) => (error as Error).message);
    expect(await outcome(1)).to.equal("killed");
    expect(await outcome(1)).to.equal("found the checkpoint");
    expect(await outcome(2)).to.equal("killed");
    expect(folder.state().stages).to.deep.equal({});
    await folder.close();
  });

  /** A finished run with a trained network. */
  async function finished(config: Record<string, unknown> = { gamma: 0.1 }): Promise<void> {
    const folder = await openRunFolder(root, config, "1.0.0");
    for (const [stage, name, ...from] of [
      ["harvest", "moments.bin"],
      ["plan", "plan.json", "harvest"],
      ["finetune", "pruned.onnx", "plan"],
    ]) {
      await folder.stage(stage, { inputs: 1, from, files: [name], produce: produce(folder, name, stage) });
    }
    await folder.finish();
    await folder.close();
  }

  const contents = async (): Promise<Record<string, string>> =>
    Object.fromEntries(
      await Promise.all(
        (await readdir(root)).map(async (name) => [name, await readFile(join(root, name), "utf8")] as const),
      ),
    );

  it("looks without touching what is there: the answer is computed aside", async () => {
    await finished();
    const before = await contents();
    const folder = await openRunFolder(root, { gamma: 0.2 }, "1.0.0", { purpose: "look" });
    const ran = await folder.stage("plan", {
      inputs: 2,
      files: ["plan.json"],
      produce: () => writeWhole(folder.file("plan.json"), "another plan"),
    });
    expect(ran).to.equal(true);
    expect(await readFile(folder.file("plan.json"), "utf8")).to.equal("another plan");
    expect(await readFile(folder.file("moments.bin"), "utf8")).to.equal("harvest");
    const aside = folder.file("plan.json");
    await folder.close();
    expect(existsSync(aside)).to.equal(false);
    expect(await contents()).to.deep.equal(before);
  });

  it("does not replace a finished run by one with other options, unless told to", async () => {
    await finished();
    const before = await contents();
    const outcome = await refused(openRunFolder(root, { gamma: 0.2 }, "1.0.0"), "usage");
    expect(outcome.message).to.contain("gamma 0.2 (it has 0.1)");
    expect(outcome.hint).to.contain("--replace");
    const older = await refused(openRunFolder(root, { gamma: 0.1 }, "2.0.0"), "usage");
    expect(older.message).to.contain("a run of etl 1.0.0 (this is 2.0.0)");

    const part = await openRunFolder(root, { gamma: 0.2 }, "1.0.0", { purpose: "part" });
    const options = { files: ["moments.bin"], produce: produce(part, "moments.bin", "new") };
    expect(await part.stage("harvest", { ...options, inputs: 1 })).to.equal(false);
    const other = await refused(part.stage("harvest", { ...options, inputs: 2 }), "usage");
    expect(other.message).to.contain("stage harvest had other inputs");
    await part.close();
    expect(await contents()).to.deep.equal(before);

    const anew = await openRunFolder(root, { gamma: 0.2 }, "1.0.0", { replace: true });
    await anew.stage("plan", { inputs: 2, files: ["plan.json"], produce: produce(anew, "plan.json", "new") });
    expect(await readFile(join(root, "pruned.onnx"), "utf8"), "until the new run is finished").to.equal(
      "finetune",
    );
    await anew.finish();
    await anew.close();
    expect(existsSync(join(root, "pruned.onnx"))).to.equal(false);
  });

  it("changes no file where a finished run is asked for again", async () => {
    await finished();
    const before = await contents();
    await finished();
    expect(await contents()).to.deep.equal(before);
  });

  it("trusts no name in run.json: nothing outside is removed, damaged stages are made again", async () => {
    await finished();
    const outside = await mkdtemp(join(tmpdir(), "etl-outside-"));
    try {
      const victim = join(outside, "thesis.txt");
      await writeFile(victim, "years of work");
      await symlink(outside, join(root, "linked"));
      const path = join(root, "run.json");
      const state = JSON.parse(await readFile(path, "utf8")) as Record<string, unknown>;
      const names = [victim, relative(root, victim), "..", "a/../../b"];
      for (const [i, name] of names.entries()) {
        const stages = { harvest: { key: "x", seconds: 1, files: [name] }, plan: 7, finetune: { key: 1 } };
        await writeFile(path, JSON.stringify({ ...state, stages, stale: [name, `linked/thesis.txt`] }));
        const warned: string[] = [];
        const progress = { ...silent, warn: (text: string) => void warned.push(text) };
        const folder = await openRunFolder(root, { gamma: 0.1 }, "1.0.0", { progress, replace: true });
        expect(folder.state().stages, `${i}`).to.deep.equal({});
        expect(warned).to.have.length(3);
        expect(warned.join()).to.contain("stage harvest is damaged (a file that is not in the folder)");
        const write = produce(folder, "moments.bin", "x");
        await folder.stage("harvest", { inputs: 2, files: ["moments.bin"], produce: write });
        await folder.finish();
        await folder.close();
        expect(await readFile(victim, "utf8")).to.equal("years of work");
      }
    } finally {
      await rm(outside, { recursive: true, force: true });
    }
  });

  it("refuses a folder that holds something else, and leaves it alone", async () => {
    await writeFile(join(root, "thesis.txt"), "years of work");
    await refused(openRunFolder(root, {}, "1.0.0"), "usage");
    expect(await readFile(join(root, "thesis.txt"), "utf8")).to.equal("years of work");
    expect(existsSync(join(root, "run.json"))).to.equal(false);
  });

  it("refuses a second process, and takes over from one that is gone", async () => {
    await (await openRunFolder(root, {}, "1.0.0")).close();
    await writeFile(join(root, "lock.json"), JSON.stringify({ pid: process.ppid, host: hostname() }));
    const error = await refused(openRunFolder(root, {}, "1.0.0"), "usage");
    expect(error.message).to.contain("in use by process");
    await writeFile(join(root, "lock.json"), JSON.stringify({ pid: 2 ** 22 + 1, host: hostname() }));
    await (await openRunFolder(root, {}, "1.0.0")).close();
  });

  it("refuses a run record of a newer schema and a damaged one", async () => {
    await writeFile(join(root, "run.json"), JSON.stringify({ schema: 99, config: {}, stages: {} }));
    const newer = await refused(openRunFolder(root, {}, "1.0.0"), "format");
    expect(newer.message).to.contain("schema 99");
    await writeFile(join(root, "run.json"), "{");
    await refused(openRunFolder(root, {}, "1.0.0"), "format");
  });

  it("fingerprints independent of key order", () => {
    expect(fingerprint({ a: 1, b: [1, { c: 2, d: 3 }] })).to.equal(
      fingerprint({ b: [1, { d: 3, c: 2 }], a: 1 }),
    );
    expect(fingerprint({ a: 1 })).to.not.equal(fingerprint({ a: 2 }));
  });
});
