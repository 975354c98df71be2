import { expect } from "chai";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { isEtlError } from "../../../lib/core/errors.ts";
import { writeWhole } from "../../../lib/core/files.ts";
import { fingerprint, openRunFolder, type RunFolder } from "../../../lib/jobs/run/folder.ts";

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

  it("takes later stages along when an earlier one changes, and keeps the earlier ones", async () => {
    const folder = await openRunFolder(root, {}, "1.0.0");
    const run = (stage: string, inputs: unknown) =>
      folder.stage(stage, {
        inputs,
        files: [`${stage}.json`],
        produce: produce(folder, `${stage}.json`, "{}"),
      });
    await run("harvest", 1);
    await run("curves", 1);
    await run("plan", 1);
    expect(await run("curves", 2)).to.equal(true);
    expect(existsSync(folder.file("harvest.json"))).to.equal(true);
    expect(existsSync(folder.file("plan.json"))).to.equal(false);
    expect(Object.keys(folder.state().stages)).to.deep.equal(["harvest", "curves"]);
    await folder.close();
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

  it("refuses a folder that holds something else, and leaves it alone", async () => {
    await writeFile(join(root, "thesis.txt"), "years of work");
    const error: unknown = await openRunFolder(root, {}, "1.0.0").catch((e: unknown) => e);
    expect(isEtlError(error, "usage")).to.equal(true);
    expect(await readFile(join(root, "thesis.txt"), "utf8")).to.equal("years of work");
    expect(existsSync(join(root, "run.json"))).to.equal(false);
  });

  it("refuses a second process, and takes over from one that is gone", async () => {
    await (await openRunFolder(root, {}, "1.0.0")).close();
    await writeFile(join(root, "lock.json"), JSON.stringify({ pid: process.ppid, host: hostname() }));
    const error: unknown = await openRunFolder(root, {}, "1.0.0").catch((e: unknown) => e);
    expect(isEtlError(error, "usage") && error.message).to.contain("in use by process");
    await writeFile(join(root, "lock.json"), JSON.stringify({ pid: 2 ** 22 + 1, host: hostname() }));
    await (await openRunFolder(root, {}, "1.0.0")).close();
  });

  it("refuses a run record of a newer schema and a damaged one", async () => {
    await writeFile(join(root, "run.json"), JSON.stringify({ schema: 99, config: {}, stages: {} }));
    const newer: unknown = await openRunFolder(root, {}, "1.0.0").catch((e: unknown) => e);
    expect(isEtlError(newer, "format") && newer.message).to.contain("schema 99");
    await writeFile(join(root, "run.json"), "{");
    const damaged: unknown = await openRunFolder(root, {}, "1.0.0").catch((e: unknown) => e);
    expect(isEtlError(damaged, "format")).to.equal(true);
  });

  it("fingerprints independent of key order", () => {
    expect(fingerprint({ a: 1, b: [1, { c: 2, d: 3 }] })).to.equal(
      fingerprint({ b: [1, { d: 3, c: 2 }], a: 1 }),
    );
    expect(fingerprint({ a: 1 })).to.not.equal(fingerprint({ a: 2 }));
  });
});
