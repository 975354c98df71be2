import { expect } from "chai";
import fc from "fast-check";
import { createRandom } from "../../lib/core/random.ts";
import { createTileSpace, indexOf, padded, type Tiled, type TileSpace } from "../../lib/math/tiled.ts";

type Plain = (i: number, j: number) => number;

/** A tiled matrix with the entries of `of` in its first rows and columns and zeros in what pads them. */
function tiled(space: TileSpace, rows: number, columns: number, of: Plain = () => 0): Tiled {
  const [height, width] = [padded(rows), padded(columns)];
  const values = space.allocate(height * width);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) values[indexOf(height, i, j)] = of(i, j);
  }
  return { rows: height, columns: width, values };
}

const entry = ({ rows, values }: Tiled, i: number, j: number): number => values[indexOf(rows, i, j)];

function drawn(rows: number, columns: number, seed: number): Plain {
  const random = createRandom(seed);
  const values = Float64Array.from({ length: rows * columns }, () => random.normal());
  return (i, j) => values[i * columns + j];
}

/** sum over k of a_ki b_kj, k < rows; every entry is computed once. */
function product(rows: number, a: Plain, b: Plain): Plain {
  const known = new Map<number, number>();
  return (i, j) => {
    let sum = known.get(i * 1000 + j);
    if (sum !== undefined) return sum;
    sum = 0;
    for (let k = 0; k < rows; k++) sum += a(k, i) * b(k, j);
    known.set(i * 1000 + j, sum);
    return sum;
  };
}

const size = fc.integer({ min: 1, max: 41 });

describe("tiled products", () => {
  it("are left' right, added to what is there, for any sizes", () => {
    fc.assert(
      fc.property(size, size, size, fc.integer(), (k, m, n, seed) => {
        const space = createTileSpace(2000 * 6, 4);
        const [a, b, before] = [drawn(k, m, seed), drawn(k, n, seed + 1), drawn(m, n, seed + 2)];
        const expected = product(k, a, b);
        for (const part of ["all", "upper"] as const) {
          const out = tiled(space, m, n, before);
          if (part === "upper" && m !== n) continue;
          space.multiply(tiled(space, k, m, a), tiled(space, k, n, b), out, part);
          for (let i = 0; i < m; i++) {
            for (let j = 0; j < n; j++) {
              const own = part === "all" || j >> 2 >= i >> 2;
              const value = before(i, j) + (own ? expected(i, j) : 0);
              expect(entry(out, i, j), `${part} ${i}, ${j}`).to.be.closeTo(value, 1e-12);
            }
          }
        }
      }),
      { numRuns: 30, seed: 1 },
    );
  });
});

describe("tiled inverses", () => {
  it("times the matrix are the identity, for sizes below, at and above the block", () => {
    for (const n of [1, 4, 7, 31, 32, 33, 64, 90, 130]) {
      const space = createTileSpace(padded(n) ** 2, padded(n));
      const z = drawn(2 * n, n, n);
      const gram = product(2 * n, z, z);
      const matrix = tiled(space, n, n, (i, j) => (i <= j ? gram(i, j) : NaN)); // the lower triangle is not read
      for (let i = n; i < padded(n); i++) matrix.values[indexOf(matrix.rows, i, i)] = 1;
      space.invert(matrix);
      let worst = 0;
      const identity = product(n, gram, (i, j) => entry(matrix, i, j));
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < n; j++) {
          worst = Math.max(worst, Math.abs(identity(i, j) - Number(i === j)));
          if (entry(matrix, i, j) !== entry(matrix, j, i)) worst = Infinity;
        }
      }
      expect(worst, `${n}`).to.be.below(1e-9);
    }
  });

  it("are zero in rows and columns that others span", () => {
    const n = 40;
    const space = createTileSpace(n * n, n);
    const z = drawn(3, n, 5);
    const matrix = tiled(space, n, n, product(3, z, z));
    space.invert(matrix);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        if (i < 3 && j < 3) expect(entry(matrix, i, j)).to.not.equal(0);
        else expect(entry(matrix, i, j), `${i}, ${j}`).to.equal(0);
      }
    }
  });

  it("have memory that grows, and begins with zeros again", () => {
    for (const n of [8, 400, 12]) {
      const space = createTileSpace(n * n, n);
      const values = space.allocate(n * n);
      expect(values.every((value) => value === 0)).to.equal(true);
      values.fill(1);
    }
  });
});
