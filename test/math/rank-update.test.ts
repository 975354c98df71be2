import { expect } from "chai";
import fc from "fast-check";
import { createRandom } from "../../lib/core/random.ts";
import { createPanel, fillRows, panelRows, rankUpdate } from "../../lib/math/rank-update.ts";
import { padded } from "../../lib/math/tiled.ts";

/** Rows of random numbers, and the panel that holds them minus `shift`. */
function drawn(columns: number, rows: number, seed: number): { z: Float64Array[]; panel: Float64Array } {
  const random = createRandom(seed);
  const shift = Float64Array.from({ length: columns }, () => random.normal());
  const panel = createPanel(columns);
  const z = Array.from({ length: rows }, (_, row) => {
    const values = Float64Array.from({ length: columns }, () => random.normal());
    fillRows(panel, row, { values, rows: [0], shift, first: 0 });
    return values.map((value, j) => value - shift[j]);
  });
  return { z, panel };
}

/** One entry as the kernel sums it: rows in order, then added to what was there. */
function entry(z: readonly Float64Array[], i: number, j: number, before: number): number {
  let sum = 0;
  for (const row of z) sum += row[i] * row[j];
  return before + sum;
}

describe("rank update", () => {
  it("adds Z'Z, to the last bit, for any number of rows and columns", () => {
    const shapes = fc.record({
      columns: fc.integer({ min: 1, max: 40 }),
      rows: fc.integer({ min: 1, max: panelRows }),
      seed: fc.integer(),
    });
    fc.assert(
      fc.property(shapes, ({ columns, rows, seed }) => {
        const { z, panel } = drawn(columns, rows, seed);
        const width = padded(columns);
        const sum = new Float64Array(width * width).fill(0.1);
        rankUpdate(sum, panel, rows);
        for (let i = 0; i < columns; i++) {
          for (let j = i; j < columns; j++) expect(sum[i * width + j]).to.equal(entry(z, i, j, 0.1));
        }
      }),
      { numRuns: 30, seed: 1 },
    );
  });

  it("takes panels larger than all before, and smaller ones again", () => {
    for (const columns of [3, 700, 5]) {
      const { z, panel } = drawn(columns, panelRows, columns);
      const width = padded(columns);
      const sum = new Float64Array(width * width);
      rankUpdate(sum, panel, panelRows);
      for (const [i, j] of [
        [0, 0],
        [0, columns - 1],
        [columns - 2, columns - 1],
      ]) {
        expect(sum[i * width + j]).to.equal(entry(z, i, j, 0));
      }
    }
  });
});
