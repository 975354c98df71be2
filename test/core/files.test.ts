import { expect } from "chai";
import { existsSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isEtlError } from "../../lib/core/errors.ts";
import {
  everydayError,
  insideOf,
  makeFolder,
  readBeside,
  readBytes,
  removeAbandoned,
  writeWhole,
} from "../../lib/core/files.ts";
import { writeSpare } from "../../lib/core/spare.ts";

describe("files", () => {
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-files-"));
  });
  after(() => rm(root, { recursive: true, force: true }));

  it("makes folders below each other, twice without complaint", async () => {
    const path = join(root, "a/b/c");
    await makeFolder(path);
    await makeFolder(path);
    expect(existsSync(path)).to.equal(true);
  });

  it("says that a part of the path is a file", async () => {
    await writeFile(join(root, "file"), "");
    const outcome: unknown = await writeWhole(join(root, "file/x/y.json"), "1").catch(
      (error: unknown) => error,
    );
    expect(isEtlError(outcome, "io")).to.equal(true);
    expect(String(outcome)).to.contain("y.json: cannot write, a part of the path is a file");
  });

  it("comes back where a file system has no such names", async function () {
    if (!existsSync("/proc/self")) this.skip();
    const outcome: unknown = await makeFolder("/proc/no-such-folder/x").catch((error: unknown) => error);
    expect(outcome).to.be.instanceOf(Error);
  });

  it("keeps names inside their folder", () => {
    expect(insideOf(root, "a/b.png")).to.equal(join(root, "a/b.png"));
    for (const name of ["../x", "/etc/passwd", "a/../../x"])
      expect(() => insideOf(root, name), name).to.throw(/leaves its folder/);
  });

  it("reads what a model names beside it: links that lead out are refused, those that the user named are followed", async () => {
    const [home, blobs, outside] = ["home", "blobs", "outside"].map((name) => join(root, "beside", name));
    for (const folder of [home, blobs, outside]) await makeFolder(folder);
    await writeFile(join(outside, "secret.bin"), "secret");
    await writeFile(join(home, "model.onnx"), "model");
    await writeFile(join(home, "weights.bin"), "weights");
    await symlink(join(outside, "secret.bin"), join(home, "link.bin"));
    await symlink(outside, join(home, "folder"));
    const read = (model: string, name: string): string => Buffer.from(readBeside(model, name)).toString();
    const model = join(home, "model.onnx");
    expect(read(model, "weights.bin")).to.equal("weights");
    for (const name of ["link.bin", "folder/secret.bin"])
      expect(() => read(model, name), name).to.throw(/a link that leads to another folder/);
    expect(() => read(model, "../outside/secret.bin")).to.throw(/leaves its folder/);
    expect(() => read(model, "gone.bin"))
      .to.throw(/cannot read what .*model.onnx names, there is no such file/)
      .with.property("hint", "it belongs to the model: copy or download it to that place, too");
    // A hub's cache: both names are links into a folder of blobs.
    await writeFile(join(blobs, "a1"), "model");
    await writeFile(join(blobs, "b2"), "weights");
    await symlink(join(blobs, "a1"), join(home, "hub.onnx"));
    await symlink(join(blobs, "b2"), join(home, "hub.bin"));
    expect(read(join(home, "hub.onnx"), "hub.bin")).to.equal("weights");
  });

  it("removes what killed writes left beside a file, not what a live process writes just now", async () => {
    const place = join(root, "abandoned");
    await makeFolder(place);
    const [gone, live] = [0x3ffffff, process.pid].map((pid) => `${pid.toString(16)}-0123abcd.tmp`);
    for (const name of [`a.json.${gone}`, `a.json.${live}`, `other.json.${gone}`])
      await writeFile(join(place, name), "half");
    const bytes = new TextEncoder().encode("whole");
    await writeSpare(new Map([[join(place, "a.json"), bytes]]));
    const left = ["a.json", `a.json.${live}`, `other.json.${gone}`];
    expect((await readdir(place)).sort()).to.deep.equal(left);
    await removeAbandoned(place);
    expect((await readdir(place)).sort()).to.deep.equal(left.slice(0, 2));
  });

  it("opens plain files only: a pipe would never end", async function () {
    const pipe = join(root, "pipe");
    try {
      execFileSync("mkfifo", [pipe]);
    } catch {
      this.skip();
    }
    for (const path of [pipe, root]) {
      const outcome: unknown = await readBytes(path).catch((error: unknown) => error);
      expect(isEtlError(outcome, "data") && outcome.message, path).to.contain("a plain file was needed");
    }
  });

  it("everyday errors of the system are sentences with what to do", async () => {
    for (const code of ["EIO", "EMFILE", "ENOMEM", "EBUSY", "ELOOP", "ENAMETOOLONG", "ESTALE"]) {
      const error = everydayError(Object.assign(new Error("x"), { code, syscall: "read", path: "/a" }));
      expect(error?.message, code).to.match(/^\/a: read failed, [a-z]/);
      expect(error?.hint, code).to.match(/^[a-z]/);
    }
    expect(everydayError(new RangeError("WebAssembly.Memory(): could not allocate memory"))?.hint).to.contain(
      "ulimit -v",
    );
    expect(everydayError(new RangeError("Array buffer allocation failed"))?.kind).to.equal("io");
    expect(everydayError(new TypeError("x is not a function"))).to.equal(undefined);
    const folder: unknown = await readFile("/").catch((error: unknown) => everydayError(error)?.message);
    expect(folder).to.contain("it is a folder");
  });
});
