import { expect } from "chai";
import fc from "fast-check";
import { choleskySolve } from "../../lib/math/cholesky-tiles.ts";
import { createRandom } from "../../lib/core/random.ts";

/** A'A of a drawn [rows, size] matrix, row-major, with `ridge` on the diagonal. */
function drawnGram(size: number, rows: number, seed: number, ridge = 0.1): Float64Array {
  const random = createRandom(seed);
  const a = Float64Array.from({ length: rows * size }, () => random.normal());
  const gram = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) {
      for (let r = 0; r < rows; r++) gram[i * size + j] += a[r * size + i] * a[r * size + j];
    }
    gram[i * size + i] += ridge;
  }
  return gram;
}

/** B' for X', [columns, size] both. */
function timesGram(gram: Float64Array, size: number, x: Float64Array): Float64Array {
  return x.map((_, at) => {
    const [k, i] = [Math.floor(at / size), at % size];
    let sum = 0;
    for (let j = 0; j < size; j++) sum += gram[i * size + j] * x[k * size + j];
    return sum;
  });
}

const largest = (values: Float64Array): number =>
  values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

describe("Cholesky by blocks", () => {
  it("solves systems of any size with any number of right-hand sides", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 75 }),
        fc.integer({ min: 1, max: 9 }),
        fc.integer(),
        (size, columns, seed) => {
          const gram = drawnGram(size, size + 3, seed);
          const random = createRandom(seed).fork("x");
          const x = Float64Array.from({ length: columns * size }, () => random.normal());
          const rhs = timesGram(gram, size, x);
          choleskySolve(gram, size, rhs);
          expect(largest(rhs.map((value, i) => value - x[i]))).to.be.below(1e-7 * Math.max(1, largest(x)));
        },
      ),
      { numRuns: 60 },
    );
  });

  it("reads one half of the matrix and no more than it is given", () => {
    const size = 37;
    const gram = drawnGram(size, 50, 1);
    const x = Float64Array.from({ length: 2 * size }, (_, i) => Math.sin(i));
    const rhs = timesGram(gram, size, x);
    for (let i = 0; i < size; i++) for (let j = 0; j < i; j++) gram[i * size + j] = NaN;
    choleskySolve(gram, size, rhs);
    expect(largest(rhs.map((value, i) => value - x[i]))).to.be.below(1e-9);
  });

  it("gives finite answers where columns depend on each other, and meets the equations", () => {
    const size = 70;
    const gram = drawnGram(size, 20, 2, 0);
    const x = Float64Array.from({ length: size }, (_, i) => Math.cos(i));
    const rhs = timesGram(gram, size, x);
    const answer = rhs.slice();
    choleskySolve(gram.slice(), size, answer);
    expect(answer.every(Number.isFinite)).to.equal(true);
    const back = timesGram(gram, size, answer);
    expect(largest(back.map((value, i) => value - rhs[i]))).to.be.below(1e-3 * largest(rhs));
  });
});
