import { expect } from "chai";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isEtlError } from "../../lib/core/errors.ts";
import { insideOf, makeFolder, writeWhole } from "../../lib/core/files.ts";

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
});
