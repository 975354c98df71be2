import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { expect } from "chai";
import sharp from "sharp";
import { openAligner, type Aligner } from "../../lib/align/aligner.ts";
import { areaOf, type Box } from "../../lib/align/detections.ts";
import { faceSquare, squarePixels, wholeSquare } from "../../lib/align/inputs.ts";
import { readPicture } from "../../lib/align/picture.ts";
import type { Picture } from "../../lib/align/pixels.ts";
import { degreesOf, scaleOf } from "../../lib/align/similarity.ts";
import { DLIB_PADDING, templateIndices, templatePoints } from "../../lib/align/template.ts";
import { buildFaceDetector } from "../../lib/backbones/nets/face-detector.ts";
import { buildFaceLandmarks } from "../../lib/backbones/nets/face-landmarks.ts";
import { faceApiManifest } from "../../lib/backbones/nets/face-api-files.ts";
import { faceResnetPreprocessing, loadFaceResnet } from "../../lib/backbones/nets/face-resnet.ts";
import { normalise } from "../../lib/data/images/normalise.ts";
import type { Engine, Program } from "../../lib/engine/engine.ts";
import { openEngine } from "../../lib/engine/open.ts";
import { readTfjsWeights } from "../../lib/formats/tfjs/weights.ts";
import { runFaceApi } from "../support/run-face-api.ts";

const samples = dirname(createRequire(import.meta.url).resolve("@vladmandic/face-api/demo/sample1.jpg"));
const names = [1, 2, 3, 4, 5, 6].map((i) => join(samples, `sample${i}.jpg`));

interface Found {
  readonly score: number;
  readonly box: readonly [number, number, number, number];
}

describe("align/aligner", function () {
  this.timeout(120_000);
  let engine: Engine;
  let aligner: Aligner;
  let describing: Program;
  const pictures: Picture[] = [];
  before(async () => {
    engine = await openEngine({ engine: "ort" });
    aligner = await openAligner(engine, { size: 150, padding: DLIB_PADDING, minScore: 0.5 });
    describing = await engine.compile(await loadFaceResnet());
    for (const name of names) pictures.push(await readPicture(name));
  });
  after(async () => {
    await aligner.dispose();
    await engine.dispose();
  });

  async function descriptor({ pixels }: Picture): Promise<Float32Array> {
    const data = normalise(pixels, faceResnetPreprocessing);
    return (await describing.run({ image: { shape: [1, 3, 150, 150], data } }))["descriptor"].data;
  }

  function distance(p: Float32Array, q: Float32Array): number {
    return Math.sqrt(p.reduce((sum, value, i) => sum + (value - q[i]) ** 2, 0));
  }

  async function turned(picture: Picture, degrees: number): Promise<Picture> {
    const { width, height } = picture;
    const { data, info } = await sharp(picture.pixels, { raw: { width, height, channels: 3 } })
      .rotate(degrees, { background: "#808080" })
      .raw()
      .toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height, pixels: data };
  }

  it("finds the faces that face-api found", async () => {
    const { pictures: expected } = JSON.parse(
      await readFile(join(import.meta.dirname, "../../fixtures/align/faces.json"), "utf8"),
    ) as { pictures: Record<string, Found[]> };
    expect(Object.keys(expected)).to.deep.equal(names.map((name) => basename(name)));
    for (const [i, picture] of pictures.entries()) {
      const { side } = wholeSquare(picture);
      const found = await aligner.detect(picture);
      const wanted = expected[basename(names[i])];
      expect(found).to.have.length(wanted.length);
      found.forEach(({ score, box }, k) => {
        expect(score).to.be.closeTo(wanted[k].score, 1e-3);
        box.forEach((value, n) => expect(value / side).to.be.closeTo(wanted[k].box[n], 1e-3));
      });
    }
  });

  it("finds the landmarks that face-api finds", async () => {
    const boxes: Box[] = [];
    for (const picture of pictures) boxes.push((await aligner.detect(picture))[0].box);
    const inputs = pictures.map((picture, i) =>
      squarePixels(picture, faceSquare(boxes[i]), { inside: boxes[i], size: 112 }),
    );
    const expected = await runFaceApi<number[]>("landmarks", inputs);
    for (const [i, picture] of pictures.entries()) {
      const square = faceSquare(boxes[i]);
      const found = await aligner.landmarks(picture, boxes[i]);
      expect(found).to.have.length(136);
      found.forEach((value, k) => {
        const fraction = (value - (k % 2 === 0 ? square.x : square.y)) / square.side;
        expect(fraction).to.be.closeTo(expected[i][k], 1e-4);
      });
    }
  });

  it("the crop has the landmarks where dlib's template has them", async () => {
    const face = (await aligner.align(pictures[0]))!;
    const again = await aligner.landmarks(face.crop, [20, 15, 130, 140]);
    const template = templatePoints(150, DLIB_PADDING);
    const off = templateIndices.map((index, i) =>
      Math.hypot(again[2 * index] - template[2 * i], again[2 * index + 1] - template[2 * i + 1]),
    );
    expect(off.reduce((sum, value) => sum + value, 0) / off.length).to.be.lessThan(5);
  });

  it("a turned picture gives the same person, another face another one", async () => {
    const face = (await aligner.align(pictures[1]))!;
    const other = (await aligner.align(await turned(pictures[1], 20)))!;
    expect(degreesOf(other.toPicture) - degreesOf(face.toPicture)).to.be.closeTo(20, 4);
    const factor = scaleOf(other.toPicture) / scaleOf(face.toPicture);
    expect(factor).to.be.closeTo(1, 0.08);
    const stranger = (await aligner.align(pictures[0]))!;
    const [first, again, another] = [face, other, stranger].map(({ crop }) => descriptor(crop));
    // dlib's threshold for one person is 0.6.
    expect(distance(await first, await again)).to.be.lessThan(0.4);
    expect(distance(await first, await another)).to.be.greaterThan(0.6);
  });

  it("finds a face that fills its picture, and none where none is", async () => {
    const { crop } = (await aligner.align(pictures[0]))!;
    const face = await aligner.align(crop);
    expect(face).to.not.equal(undefined);
    const grey = { width: 200, height: 150, pixels: new Uint8Array(200 * 150 * 3).fill(90) };
    expect(await aligner.align(grey)).to.equal(undefined);
  });

  it("takes the largest of several faces", async () => {
    const faces = await aligner.detect(pictures[0]);
    expect(faces.length).to.be.greaterThan(2);
    const largest = Math.max(...faces.map(({ box }) => areaOf(box)));
    const taken = (await aligner.align(pictures[0]))!;
    expect(areaOf(taken.box)).to.equal(largest);
    expect(taken.faces).to.equal(faces.length);
  });

  it("names the weight that is missing", async () => {
    const points = await readTfjsWeights(faceApiManifest("face_landmark_68_model"));
    points.delete("dense2/conv1/bias");
    expect(() => buildFaceLandmarks(points, "m.json")).to.throw(
      'm.json: no weight "dense2/conv1/bias", float32 [128] was needed',
    );
    const boxes = await readTfjsWeights(faceApiManifest("ssd_mobilenetv1_model"));
    boxes.delete("Output/extra_dim");
    expect(() => buildFaceDetector(boxes, "m.json")).to.throw(
      'm.json: no weight "Output/extra_dim", float32 [1, 5118, 4] was needed',
    );
  });
});
