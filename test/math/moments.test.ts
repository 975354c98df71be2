import { expect } from "chai";
import fc from "fast-check";
import type { Moments } from "../../lib/core/artifacts.ts";
import { isEtlError } from "../../lib/core/errors.ts";
import {
  centre,
  createMomentsAccumulator,
  emptyMoments,
  mergeMoments,
  moveOrigin,
} from "../../lib/math/moments.ts";
import { decodeMoments, encodeMoments } from "../../lib/math/moments-file.ts";
import { makeResponses, type Responses } from "../support/responses.ts";

/** Moments of rows from..to, in batches. */
function accumulate(
  { n, p, q, x, y }: Responses,
  options: { from?: number; to?: number; batch?: number } = {},
): Moments {
  const { from = 0, to = n, batch = n } = options;
  const accumulator = createMomentsAccumulator(p, q);
  for (let start = from; start < to; start += batch) {
    const end = Math.min(to, start + batch);
    accumulator.add(x.subarray(start * p, end * p), y.subarray(start * q, end * q), end - start);
  }
  return accumulator.moments();
}

/** Every list of moments with its name. */
function lists(moments: Moments): [string, Float64Array][] {
  const { sumX, sumY, xx, xy, yy } = moments;
  return Object.entries({ sumX, sumY, xx, xy, yy });
}

/** Largest difference as a share of the largest number of the list. */
function expectClose(a: Moments, b: Moments, share: number): void {
  expect(a.n).to.equal(b.n);
  const others = new Map(lists(b));
  for (const [name, values] of lists(a)) {
    const other = others.get(name) ?? new Float64Array();
    expect(values.length, name).to.equal(other.length);
    const size = values.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    const worst = values.reduce((most, v, i) => Math.max(most, Math.abs(v - other[i])), 0);
    expect(worst, name).to.be.at.most(share * size);
  }
}

const shapes = fc.record({
  n: fc.integer({ min: 1, max: 200 }),
  p: fc.integer({ min: 1, max: 13 }),
  q: fc.integer({ min: 1, max: 3 }),
  seed: fc.integer(),
});
const settings = { numRuns: 40, seed: 1 };

describe("moments", () => {
  it("are the sums they say they are", () => {
    fc.assert(
      fc.property(shapes, ({ seed, ...shape }) => {
        const data = makeResponses(shape, { seed });
        const { n, p, q, x, y } = data;
        const plain = emptyMoments(p, q);
        for (let i = 0; i < n; i++) {
          const row = [...x.subarray(i * p, (i + 1) * p), ...y.subarray(i * q, (i + 1) * q)];
          const add = (to: Float64Array, at: number, v: number): void => {
            to[at] += v;
          };
          for (let a = 0; a < p; a++) {
            add(plain.sumX, a, row[a]);
            for (let b = 0; b < p; b++) add(plain.xx, a * p + b, row[a] * row[b]);
            for (let k = 0; k < q; k++) add(plain.xy, a * q + k, row[a] * row[p + k]);
          }
          for (let k = 0; k < q; k++) {
            add(plain.sumY, k, row[p + k]);
            for (let l = 0; l < q; l++) add(plain.yy, k * q + l, row[p + k] * row[p + l]);
          }
        }
        expectClose(accumulate(data), { ...plain, n }, 1e-12);
      }),
      settings,
    );
  });

  it("of eight shards merge to those of one pass, whatever the batches", () => {
    fc.assert(
      fc.property(shapes, fc.integer({ min: 1, max: 90 }), ({ seed, ...shape }, batch) => {
        const data = makeResponses(shape, { seed });
        const { n } = data;
        const cuts = Array.from({ length: 9 }, (_, i) => Math.floor((i * n) / 8));
        const shards = Array.from({ length: 8 }, (_, i) =>
          accumulate(data, { from: cuts[i], to: cuts[i + 1], batch }),
        );
        expectClose(mergeMoments(shards), accumulate(data), 1e-12);
      }),
      settings,
    );
  });

  it("may be read while rows still come", () => {
    const data = makeResponses({ n: 100, p: 5 }, { seed: 2 });
    const accumulator = createMomentsAccumulator(5, 1);
    accumulator.add(data.x.subarray(0, 250), data.y.subarray(0, 50), 50);
    const half = accumulator.moments();
    accumulator.add(data.x.subarray(250), data.y.subarray(50), 50);
    expectClose(half, accumulate(data, { to: 50 }), 1e-13);
    expectClose(accumulator.moments(), accumulate(data), 1e-13);
  });

  it("of no rows are zero", () => {
    expect(createMomentsAccumulator(3, 1).moments()).to.deep.equal(emptyMoments(3, 1));
  });

  it("move to a point and back", () => {
    const moments = accumulate(makeResponses({ n: 60, p: 7, q: 2 }, { seed: 3 }));
    const x = Float64Array.from({ length: 7 }, (_, j) => 0.1 * j);
    const y = Float64Array.of(1, -2);
    const back = moveOrigin(moveOrigin(moments, { x, y }), { x: x.map((v) => -v), y: y.map((v) => -v) });
    expectClose(back, moments, 1e-13);
  });

  it("of some rows are those of the rows alone", () => {
    const { n, p, q, x, y } = makeResponses({ n: 90, p: 5, q: 2 }, { seed: 3 });
    const [some, alone] = [createMomentsAccumulator(p, q), createMomentsAccumulator(p, q)];
    const only = Array.from({ length: n }, (_, i) => i).filter((i) => i % 3 === 1);
    some.add(x, y, n, only);
    for (const i of only) alone.add(x.subarray(i * p, (i + 1) * p), y.subarray(i * q, (i + 1) * q), 1);
    some.add(x, y, n, []);
    expect(some.moments()).to.deep.equal(alone.moments());
    expect(() => {
      some.add(x, y, n, [n]);
    }).to.throw(/row 90 of 90, one of 0 to 89 was needed/);
  });

  it("refuse what does not fit", () => {
    const accumulator = createMomentsAccumulator(3, 1);
    const usage = (error: unknown): boolean => isEtlError(error, "usage");
    expect(() => {
      accumulator.add(new Float32Array(5), new Float64Array(2), 2);
    })
      .to.throw(/5 responses and 2 targets for 2 rows, 2 x 3/)
      .that.satisfies(usage);
    expect(() => mergeMoments([])).to.throw(/at least one shard/);
    expect(() => mergeMoments([emptyMoments(3, 1), emptyMoments(4, 1)])).to.throw(/4 filters .* beside 3/);
    expect(() => createMomentsAccumulator(0, 1)).to.throw(/0 filters/);
    expect(() => centre(emptyMoments(3, 1))).to.throw(/no rows/);
  });
});

describe("centred moments", () => {
  it("are means, variances and covariances", () => {
    const data = makeResponses({ n: 300, p: 6, q: 2 }, { seed: 4 });
    const { n, p, q, x, y } = data;
    const centred = centre(accumulate(data));
    const column = (values: ArrayLike<number>, width: number, j: number): number[] =>
      Array.from({ length: n }, (_, i) => values[i * width + j]);
    const mean = (values: number[]): number => values.reduce((sum, v) => sum + v, 0) / n;
    const covariance = (a: number[], b: number[]): number => {
      const [ma, mb] = [mean(a), mean(b)];
      return a.reduce((sum, v, i) => sum + (v - ma) * (b[i] - mb), 0) / n;
    };
    for (let i = 0; i < p; i++) {
      expect(centred.meanX[i]).to.be.closeTo(mean(column(x, p, i)), 1e-12);
      for (let j = 0; j < p; j++) {
        expect(centred.gram[i * p + j]).to.be.closeTo(covariance(column(x, p, i), column(x, p, j)), 1e-12);
      }
      for (let k = 0; k < q; k++) {
        expect(centred.cov[i * q + k]).to.be.closeTo(covariance(column(x, p, i), column(y, q, k)), 1e-12);
      }
    }
    expect(Array.from(centred.constantX)).to.deep.equal([0, 0, 0, 0, 0, 1]);
  });

  it("tell a constant column from one that hardly varies, after many rows and merges", () => {
    const rows = 4000;
    const values = [0.1, 1 / 3, 1e-6, 12345.678, 0];
    const shards = Array.from({ length: 8 }, (_, shard) => {
      const accumulator = createMomentsAccumulator(2 * values.length, 1);
      const x = new Float32Array(rows * 2 * values.length);
      for (let i = 0; i < rows; i++) {
        values.forEach((value, j) => {
          x[(i * values.length + j) * 2] = value;
          x[(i * values.length + j) * 2 + 1] = value * (1 + 1e-5 * Math.sin(i + shard));
        });
      }
      accumulator.add(
        x,
        Float64Array.from({ length: rows }, (_, i) => i % 2),
        rows,
      );
      return accumulator.moments();
    });
    const { constantX, gram } = centre(mergeMoments(shards));
    expect(Array.from(constantX)).to.deep.equal([1, 0, 1, 0, 1, 0, 1, 0, 1, 1]);
    values.slice(0, 4).forEach((value, j) => {
      const variance = gram[(2 * j + 1) * (2 * values.length + 1)];
      expect(variance / (value * 1e-5) ** 2).to.be.closeTo(0.5, 0.01);
    });
  });
});

describe("moments file", () => {
  const fold = (seed: number): Moments => accumulate(makeResponses({ n: 20, p: 5, q: 2 }, { seed }));
  const taps = [
    { tap: "conv1/relu", folds: [fold(1), fold(2)] },
    {
      tap: "größer \u{1F600}",
      folds: [accumulate(makeResponses({ n: 9, p: 3 }, { seed: 3 })), emptyMoments(3, 1)],
    },
    { tap: "empty", folds: [] },
  ];

  it("comes back as it went, also from the middle of a buffer", () => {
    const bytes = encodeMoments(taps);
    expect(decodeMoments(bytes)).to.deep.equal(taps);
    const larger = new Uint8Array(bytes.length + 7);
    larger.set(bytes, 3);
    expect(decodeMoments(larger.subarray(3, 3 + bytes.length))).to.deep.equal(taps);
    expect(decodeMoments(encodeMoments([]))).to.deep.equal([]);
  });

  it("refuses a file cut at any place, and one with bytes to spare", () => {
    const bytes = encodeMoments(taps);
    const format = (error: unknown): boolean => isEtlError(error, "format");
    for (let length = 0; length < bytes.length; length += 5) {
      expect(() => decodeMoments(bytes.subarray(0, length), "a.bin"))
        .to.throw(/^a\.bin: /)
        .that.satisfies(format);
    }
    const longer = new Uint8Array(bytes.length + 8);
    longer.set(bytes);
    expect(() => decodeMoments(longer))
      .to.throw(/a file of \d+ bytes for the taps/)
      .that.satisfies(format);
  });

  it("refuses another version and a header of another shape", () => {
    const newer = encodeMoments(taps);
    newer[4] = 2;
    expect(() => decodeMoments(newer)).to.throw(/version 2 of the format, version 1 was needed/);
    const other = encodeMoments([]);
    other.set(new TextEncoder().encode('{"taps":3 }'), 12);
    expect(() => decodeMoments(other)).to.throw(/header of another shape/);
  });
});
