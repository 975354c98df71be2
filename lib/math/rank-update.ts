/** Z'Z of a tall matrix, the one expensive loop of a harvest's statistics. */
import { compileTiles } from "./tile-code.ts";
import { indexOf, padded } from "./tiled.ts";
import { onDemand } from "./wasm.ts";

/** Rows per panel: a panel of 512 columns fits the second-level cache (64 x 512 x 8 bytes). */
export const panelRows = 64;

/** Columns that are computed together; panels are padded with zero columns to a multiple. */
const tile = 4;

/** An empty panel: tiled (see {@link ./tiled.ts}), `panelRows` rows, so that the inner loop reads memory in order. */
export function createPanel(columns: number): Float64Array {
  return new Float64Array(padded(columns) * panelRows);
}

/**
 * Writes rows, minus `shift`, into a panel, tile by tile: rows one after the other would touch memory all over the panel.
 *
 * @param row position in the panel of the first one; all end at `panelRows` at the latest
 * @param source.rows which rows of `values`, [n, shift.length]
 * @param source.first column of the panel that takes their first number
 */
export function fillRows(
  panel: Float64Array,
  row: number,
  source: {
    readonly values: Float32Array | Float64Array;
    readonly rows: ArrayLike<number>;
    readonly shift: Float64Array;
    readonly first: number;
  },
): void {
  const { values, rows, shift, first } = source;
  const width = shift.length;
  const whole = first % tile === 0 ? width - (width % tile) : 0;
  for (let j = 0; j < whole; j += tile) {
    const [a, b, c, d] = [shift[j], shift[j + 1], shift[j + 2], shift[j + 3]];
    for (let i = 0, to = indexOf(panelRows, row, first + j); i < rows.length; i++, to += tile) {
      const from = rows[i] * width + j;
      panel[to] = values[from] - a;
      panel[to + 1] = values[from + 1] - b;
      panel[to + 2] = values[from + 2] - c;
      panel[to + 3] = values[from + 3] - d;
    }
  }
  for (let j = whole; j < width; j++) {
    for (let i = 0, to = indexOf(panelRows, row, first + j); i < rows.length; i++, to += tile) {
      panel[to] = values[rows[i] * width + j] - shift[j];
    }
  }
}

/**
 * sum += Z'Z, upper triangle (in tiles of four), float64. Each panel's products are summed row after row, then added.
 *
 * @param sum [width, width] row-major, width = padded(columns)
 * @param panel from {@link createPanel}, `rows` rows filled, at least one
 */
export function rankUpdate(sum: Float64Array, panel: Float64Array, rows: number): void {
  const tiles = panel.length / (panelRows * tile);
  const width = tiles * tile;
  const code = codeFor(8 * (panel.length + tiles * tile * tile));
  const numbers = new Float64Array(code.memory.buffer); // a panel, then the products of one strip
  numbers.set(panel);
  const [length, stride, out] = [8 * tile * rows, 8 * tile * panelRows, 8 * panel.length];
  for (let ti = 0; ti < tiles; ti++) {
    const count = tiles - ti;
    numbers.fill(0, panel.length, panel.length + count * tile * tile);
    code.strip(ti * stride, ti * stride, count, length, stride, out, 8 * tile * tile);
    for (let t = 0, from = panel.length; t < count; t++) {
      let to = (ti * width + ti + t) * tile;
      for (let row = 0; row < tile; row++, to += width, from += tile) {
        sum[to] += numbers[from];
        sum[to + 1] += numbers[from + 1];
        sum[to + 2] += numbers[from + 2];
        sum[to + 3] += numbers[from + 3];
      }
    }
  }
}

const codeFor = onDemand(compileTiles);
