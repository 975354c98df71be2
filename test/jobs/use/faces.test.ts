import { expect } from "chai";
import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import sharp from "sharp";
import { dirname, join } from "node:path";
import { openDataset } from "../../../lib/data/open.ts";
import { alignFolder } from "../../../lib/align/folder.ts";
import { isEtlError } from "../../../lib/core/errors.ts";
import { predictImages } from "../../../lib/jobs/use/predict.ts";
import { capture } from "../../support/program.ts";

const samples = dirname(createRequire(import.meta.url).resolve("@vladmandic/face-api/demo/sample1.jpg"));
const sample = (n: number): string => join(samples, `sample${n}.jpg`);

/** Cosine of the angle between two descriptors. */
function likeness(a: readonly number[], b: readonly number[]): number {
  const dot = (p: readonly number[], q: readonly number[]): number =>
    p.reduce((sum, x, i) => sum + x * q[i], 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

describe("use: faces", function () {
  this.timeout(180_000);
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "etl-faces-"));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it("predict --align finds every face of a photograph, the largest first", async () => {
    const found = await predictImages("face-resnet", [sample(1), sample(4)], { align: true });
    const files = new Map<string, number>();
    for (const { file } of found) files.set(file, (files.get(file) ?? 0) + 1);
    expect(files.get(sample(1))).to.be.at.least(1);
    expect(Math.max(...files.values())).to.be.greaterThan(1);
    for (const [file] of files) {
      const areas = found
        .filter((one) => one.file === file)
        .map(({ face }) => face ?? expect.fail("no face"))
        .map(({ box: [x0, y0, x1, y1] }) => (x1 - x0) * (y1 - y0));
      expect(areas).to.deep.equal([...areas].sort((a, b) => b - a));
    }
    for (const { outputs, face } of found) {
      expect(outputs).to.have.length(128);
      expect(face?.score).to.be.within(0.5, 1);
    }
  });

  it("answers what etl align and then etl predict answer", async () => {
    const photos = join(folder, "photos");
    await mkdir(photos);
    await copyFile(sample(1), join(photos, "one.jpg"));
    await alignFolder(photos, join(folder, "aligned"));
    const [crop] = await predictImages("face-resnet", [join(folder, "aligned/one.jpg")]);
    const [direct] = await predictImages("face-resnet", [sample(1)], { align: true });
    expect(likeness(crop.outputs, direct.outputs)).to.be.greaterThan(0.99);
  });

  it("a picture without a face is left out with a word; none at all is an error", async () => {
    const blank = join(folder, "blank.png");
    await sharp({ create: { width: 64, height: 64, channels: 3, background: "#777" } })
      .png()
      .toFile(blank);
    const { code, stdout, stderr } = await capture(["predict", "face-resnet", "--align", blank, sample(1)]);
    expect(code).to.equal(0);
    expect(stderr).to.contain("blank.png: no face was found");
    expect(stdout).to.match(/sample1\.jpg \(face at \d+,\d+,\d+,\d+\): /);
    const failed: unknown = await predictImages("face-resnet", [blank], { align: true }).catch(
      (e: unknown) => e,
    );
    expect(isEtlError(failed, "data") && failed.message).to.contain(
      "no face was found, a picture with a face",
    );
  });

  it("draw leaves a folder that is the drawn data set", async () => {
    const out = join(folder, "faces");
    const { code, stdout } = await capture(["draw", "24", "--out", out, "--json"]);
    expect(code).to.equal(0);
    expect(JSON.parse(stdout)).to.include({ schema: "etl/draw/1", pictures: 24 });
    expect(await readdir(out)).to.have.length(26);
    for (const task of ["gender", "age", "emotion", "head-pose", "valence"]) {
      const [written, drawn] = await Promise.all(
        [out, "synthetic:24"].map((data) => openDataset({ data, task, seed: 0, valFraction: 0.2 })),
      );
      expect(written.task).to.deep.equal(drawn.task);
      expect(written.items.map(({ target, split }) => [Array.from(target), split])).to.deep.equal(
        drawn.items.map(({ target, split }) => [Array.from(target), split]),
      );
    }
    // Again, and into a folder of something else.
    expect((await capture(["draw", "24", "--out", out])).code).to.equal(0);
    await writeFile(join(out, "holiday.jpg"), "");
    const refused = await capture(["draw", "24", "--out", out]);
    expect(refused.code).to.equal(2);
    expect(refused.stderr).to.contain("holds holiday.jpg");
    expect((await capture(["draw", "many", "--out", out])).stderr).to.contain('"many" faces, a whole number');
    expect((await capture(["draw", "0", "--out", out])).stderr).to.contain("0 faces");
  });
});
