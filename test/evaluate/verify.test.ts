import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect } from "chai";
import { faceResnetPreprocessing, loadFaceResnet } from "../../lib/backbones/nets/face-resnet.ts";
import type { Crop } from "../../lib/core/artifacts.ts";
import { loadImages } from "../../lib/data/images/decode.ts";
import type { Engine, Program } from "../../lib/engine/engine.ts";
import { openEngine } from "../../lib/engine/open.ts";
import { verify, type PairIndex } from "../../lib/evaluate/verify.ts";
import { requireData } from "../support/require.ts";

interface Expected {
  readonly auc: number;
  readonly accuracy: number;
  readonly eer: number;
}

interface Fixture {
  readonly a: number[];
  readonly b: number[];
  readonly same: number[];
  readonly expected: Record<"cosine" | "euclidean", Expected>;
}

const pair = (first: number, second: number, same: boolean): PairIndex => ({ first, second, same });

describe("evaluate/verify", () => {
  for (const distance of ["cosine", "euclidean"] as const) {
    it(`agrees with scikit-learn: ${distance}`, () => {
      const file = resolve(import.meta.dirname, "../../fixtures/verify/pairs.json");
      const { a, b, same, expected } = JSON.parse(readFileSync(file, "utf8")) as Fixture;
      const pairs = same.map((value, i) => pair(i, same.length + i, value === 1));
      const result = verify({ width: 8, data: Float32Array.from([...a, ...b]) }, pairs, { distance });
      expect(result.n).to.equal(same.length);
      expect(result.auc).to.be.closeTo(expected[distance].auc, 1e-9);
      expect(result.accuracy).to.be.closeTo(expected[distance].accuracy, 1e-9);
      expect(result.eer).to.be.closeTo(expected[distance].eer, 2e-6);
      expect(result.crossValidated).to.be.within(result.accuracy - 0.06, result.accuracy);
    });
  }

  const line = { width: 2, data: Float32Array.of(1, 0, 1, 0.1, 0, 1, 0.1, 1) };

  it("separates what can be separated", () => {
    const pairs = [pair(0, 1, true), pair(2, 3, true), pair(0, 2, false), pair(1, 3, false)];
    const result = verify(line, pairs, { folds: 2, distance: "cosine" });
    expect([result.accuracy, result.auc, result.eer]).to.deep.equal([1, 1, 0]);
    expect(result.threshold).to.be.within(0.2, 0.99);
  });

  it("is a coin where all descriptors are the same", () => {
    const flat = { width: 1, data: new Float32Array(4).fill(1) };
    const result = verify(flat, [pair(0, 1, true), pair(2, 3, false)], { folds: 2 });
    expect([result.auc, result.accuracy, result.eer]).to.deep.equal([0.5, 0.5, 0.5]);
  });

  it("refuses pairs of one kind only, and pictures that are not there", () => {
    expect(() => verify(line, [pair(0, 1, true)]))
      .to.throw("pairs: 1 of the same person and 0 of different ones, both were needed")
      .with.property("kind", "data");
    expect(() => verify(line, [pair(0, 7, true), pair(0, 1, false)])).to.throw("pairs: picture 7 of 4");
  });

  describe("face-resnet on real faces", () => {
    let engine: Engine;
    let program: Program;
    before(async () => {
      engine = await openEngine({ engine: "ort" });
      program = await engine.compile(await loadFaceResnet());
    });
    after(() => engine.dispose());

    /** Accuracy on the first pairs of a data set, read plainly. */
    async function accuracy(root: string, crop: Crop, count: number): Promise<number> {
      const rows = readFileSync(join(root, "pairs.csv"), "utf8").trim().split(/\r?\n/).slice(1);
      // Same and different pairs may come in blocks: take every so-many-th.
      const step = Math.max(1, Math.floor(rows.length / count));
      const chosen = rows.filter((_, i) => i % step === 0).map((row) => row.split(","));
      const files = [...new Set(chosen.flatMap(([a, b]) => [a, b]))];
      const index = new Map(files.map((file, i) => [file, i]));
      const data = new Float32Array(files.length * 128);
      for (let start = 0; start < files.length; start += 50) {
        const paths = files.slice(start, start + 50).map((file) => join(root, file));
        const { x, problems } = await loadImages(paths, crop, faceResnetPreprocessing);
        expect(problems).to.deep.equal([]);
        const { descriptor } = await program.run({ image: x });
        data.set(descriptor.data, start * 128);
      }
      const pairs = chosen.map(([a, b, same]) => pair(index.get(a)!, index.get(b)!, same === "1"));
      return verify({ width: 128, data }, pairs).accuracy;
    }

    it("CelebA: the face box gives 0.95, the whole picture does not", async function () {
      const root = requireData(this, "celeba");
      expect(await accuracy(root, [0.18, 0.35, 0.82, 0.87], 60)).to.be.greaterThan(0.9);
      expect(await accuracy(root, [0, 0, 1, 1], 60)).to.be.lessThan(0.78);
    });

    it("ORL faces: nearly all right in the box of the network's own training", async function () {
      const root = requireData(this, "orl_faces");
      // Eyes at 0.31 and mouth at 0.67 of the height, as in dlib's face chips; the chin leaves the picture.
      expect(await accuracy(root, [0.02, 0.18, 0.96, 1.04], 90)).to.be.greaterThan(0.93);
    });
  });
});
