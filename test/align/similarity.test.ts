import { expect } from "chai";
import fc from "fast-check";
import {
  applySimilarity,
  degreesOf,
  fitSimilarity,
  inverseSimilarity,
  scaleOf,
  type Similarity,
} from "../../lib/align/similarity.ts";
import { createRandom } from "../../lib/core/random.ts";

const number = (limit: number) => fc.double({ min: -limit, max: limit, noNaN: true });
const transforms = fc
  .record({
    degrees: number(179),
    scale: fc.double({ min: 0.05, max: 20, noNaN: true }),
    tx: number(500),
    ty: number(500),
  })
  .map(({ degrees, scale, tx, ty }): Similarity => {
    const angle = (degrees * Math.PI) / 180;
    return { a: scale * Math.cos(angle), b: scale * Math.sin(angle), tx, ty };
  });

function cloud(seed: number, n = 12): Float64Array {
  const random = createRandom(seed);
  return Float64Array.from({ length: 2 * n }, () => 100 * random.normal());
}

/** Sum of squared distances between `from` through `transform` and `to`. */
function cost(transform: Similarity, from: Float64Array, to: Float64Array): number {
  return applySimilarity(transform, from).reduce((sum, value, i) => sum + (value - to[i]) ** 2, 0);
}

describe("align/similarity", () => {
  it("finds the transform that made the points", () => {
    fc.assert(
      fc.property(transforms, fc.integer(), (transform, seed) => {
        const from = cloud(seed);
        const found = fitSimilarity(from, applySimilarity(transform, from));
        const scale = scaleOf(transform);
        expect(found.a).to.be.closeTo(transform.a, 1e-9 * scale + 1e-9);
        expect(found.b).to.be.closeTo(transform.b, 1e-9 * scale + 1e-9);
        expect(found.tx).to.be.closeTo(transform.tx, 1e-6);
        expect(found.ty).to.be.closeTo(transform.ty, 1e-6);
      }),
    );
  });

  it("no other transform is nearer to points that fit none", () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 0, max: 3 }), (seed, which) => {
        const [from, to] = [cloud(seed), cloud(seed + 1)];
        const best = fitSimilarity(from, to);
        const least = cost(best, from, to);
        const key = (["a", "b", "tx", "ty"] as const)[which];
        for (const step of [-1e-3, 1e-3]) {
          expect(cost({ ...best, [key]: best[key] + step }, from, to)).to.be.greaterThan(least);
        }
      }),
    );
  });

  it("goes back with the inverse, and says angle and scale", () => {
    const turned: Similarity = { a: 0, b: 2, tx: 5, ty: -1 };
    expect(degreesOf(turned)).to.be.closeTo(90, 1e-12);
    expect(scaleOf(turned)).to.equal(2);
    const points = cloud(3);
    const back = applySimilarity(inverseSimilarity(turned), applySimilarity(turned, points));
    back.forEach((value, i) => expect(value).to.be.closeTo(points[i], 1e-9));
  });

  it("does not mirror: a mirrored set is not reached", () => {
    const from = cloud(7);
    const mirrored = from.map((value, i) => (i % 2 === 0 ? -value : value));
    expect(cost(fitSimilarity(from, mirrored), from, mirrored)).to.be.greaterThan(1);
  });

  it("refuses points that say nothing", () => {
    expect(() => fitSimilarity([1, 1, 1, 1], [0, 0, 2, 2])).to.throw(/all points in one place/);
    expect(() => fitSimilarity([1, 1], [0, 0])).to.throw(/two or more/);
    expect(() => fitSimilarity([1, 1, 2, 2], [0, 0])).to.throw(/equally many/);
  });
});
