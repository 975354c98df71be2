/** Z'Z of a tall matrix, the one expensive loop of a harvest's statistics. */

/** Rows per panel: a panel of 512 columns fits the second-level cache (64 x 512 x 8 bytes). */
export const panelRows = 64;

/** Columns that are computed together; panels are padded with zero columns to a multiple. */
const tile = 4;

/** Width of a panel that holds `columns` columns: the next multiple of four. */
export function paddedWidth(columns: number): number {
  return Math.ceil(columns / tile) * tile;
}

/**
 * An empty panel: `panelRows` rows, tiled by four columns so that the inner loop reads memory in order:
 * element (row k, column j) is at `((j >> 2) * panelRows + k) * 4 + (j & 3)`.
 */
export function createPanel(columns: number): Float64Array {
  return new Float64Array(paddedWidth(columns) * panelRows);
}

/**
 * Writes one row, minus `shift`, into a panel.
 *
 * @param row position in the panel, below `panelRows`
 * @param first column of the panel that takes `values[offset]`
 */
export function fillRow(
  panel: Float64Array,
  row: number,
  source: {
    readonly values: Float32Array | Float64Array;
    readonly offset: number;
    readonly shift: Float64Array;
    readonly first: number;
  },
): void {
  const { values, offset, shift, first } = source;
  for (let j = 0; j < shift.length; j++) {
    const column = first + j;
    panel[((column >> 2) * panelRows + row) * tile + (column & 3)] = values[offset + j] - shift[j];
  }
}

/**
 * sum += Z'Z, upper triangle (in tiles of four), float64. Four by two accumulators live in registers.
 *
 * @param sum [width, width] row-major, width = paddedWidth(columns)
 * @param panel from {@link createPanel}, `rows` rows filled
 */
export function rankUpdate(sum: Float64Array, panel: Float64Array, rows: number): void {
  const tiles = panel.length / (panelRows * tile);
  const width = tiles * tile;
  for (let ti = 0; ti < tiles; ti++) {
    const left = ti * panelRows * tile;
    for (let tj = ti; tj < tiles; tj++) {
      for (let half = 0; half < tile; half += 2) {
        let [a0, a1, b0, b1, c0, c1, d0, d1] = [0, 0, 0, 0, 0, 0, 0, 0];
        let right = tj * panelRows * tile + half;
        for (let at = left, end = left + rows * tile; at < end; at += tile, right += tile) {
          const x = panel[right];
          const y = panel[right + 1];
          const a = panel[at];
          const b = panel[at + 1];
          const c = panel[at + 2];
          const d = panel[at + 3];
          a0 += a * x;
          a1 += a * y;
          b0 += b * x;
          b1 += b * y;
          c0 += c * x;
          c1 += c * y;
          d0 += d * x;
          d1 += d * y;
        }
        let to = ti * tile * width + tj * tile + half;
        sum[to] += a0;
        sum[to + 1] += a1;
        to += width;
        sum[to] += b0;
        sum[to + 1] += b1;
        to += width;
        sum[to] += c0;
        sum[to + 1] += c1;
        to += width;
        sum[to] += d0;
        sum[to + 1] += d1;
      }
    }
  }
}
