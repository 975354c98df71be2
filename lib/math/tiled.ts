/**
 * Products and inverses of float64 matrices by blocks: the loop of a harvest's statistics, for the solvers.
 *
 * A tiled matrix has rows and columns in multiples of four; its columns are stored four by four, each such tile row by
 * row: element (i, j) is at `((j >> 2) * rows + i) * 4 + (j & 3)`. What pads a matrix has to be zero.
 */
import { compileTiles, type TileCode } from "./tile-code.ts";
import { onDemand } from "./wasm.ts";

export interface Tiled {
  /** A multiple of four. */
  readonly rows: number;
  /** A multiple of four. */
  readonly columns: number;
  /** [rows * columns], in the memory of a {@link TileSpace}. */
  readonly values: Float64Array;
}

/** Rows and columns that are swept together; a multiple of four. */
const block = 32;

/** The next multiple of four. */
export function padded(count: number): number {
  return (count + 3) & ~3;
}

/** Memory with the kernels that work in it. */
export interface TileSpace {
  /** `size` numbers, zero, for the life of the space. */
  allocate(size: number): Float64Array;
  /**
   * out += left' right
   *
   * @param left [k, m]
   * @param right [k, n]
   * @param out [m, n]; `upper`: the upper triangle alone, by tiles
   */
  multiply(left: Tiled, right: Tiled, out: Tiled, part?: "all" | "upper"): void;
  /**
   * matrix <- its inverse, for a symmetric positive definite one of which the upper triangle is read. Blocks are swept
   * one after the other (Goodnight: A tutorial on the SWEEP operator, 1979), the rest of the triangle is one product for
   * each. Where a pivot is below 1e-14 of the largest diagonal, row and column of the inverse are zero.
   */
  invert(matrix: Tiled): void;
}

const codeFor = onDemand(compileTiles);

/**
 * A space in the thread's one memory. It ends where the next one is made: what was allocated is then overwritten.
 *
 * @param size numbers that will be allocated
 * @param largest rows of the largest matrix to invert
 */
export function createTileSpace(size: number, largest: number): TileSpace {
  const rows = padded(largest);
  const code = codeFor(8 * (size + 2 * block * rows + block * block));
  const { buffer } = code.memory;
  let used = 0;
  const allocate = (count: number): Float64Array => {
    used += 8 * count;
    return new Float64Array(buffer, used - 8 * count, count).fill(0);
  };
  const scratch: Scratch = {
    across: allocate(block * rows),
    scaled: allocate(block * rows),
    pivots: allocate(block * block),
  };
  return {
    allocate,
    multiply: (left, right, out, part = "all") => {
      multiplyTiles(code, left, right, { out, part });
    },
    invert: (matrix) => {
      invertTiles(code, matrix, scratch);
    },
  };
}

/** What an inversion needs besides the matrix, for blocks as high as {@link block}. */
interface Scratch {
  /** The swept rows. */
  readonly across: Float64Array;
  /** The same, times the pivot's inverse. */
  readonly scaled: Float64Array;
  readonly pivots: Float64Array;
}

function invertTiles(code: TileCode, matrix: Tiled, { across, scaled, pivots }: Scratch): void {
  const { rows, values } = matrix;
  let floor = 0;
  for (let i = 0; i < rows; i++) floor = Math.max(floor, 1e-14 * values[indexOf(rows, i, i)]);
  for (let first = 0; first < rows; first += block) {
    const count = Math.min(block, rows - first);
    const panel = (buffer: Float64Array, columns: number): Tiled => ({
      ...{ rows: count, columns },
      values: buffer.subarray(0, count * columns),
    });
    const [v, pv, pivot] = [panel(across, rows), panel(scaled, rows), panel(pivots, count)];
    readAcross(matrix, first, v);
    invertNegative(v, first, pivot, floor);
    pv.values.fill(0);
    multiplyTiles(code, pivot, v, { out: pv, part: "all" }); // -P V
    multiplyTiles(code, v, pv, { out: matrix, part: "upper" });
    writeAcross(matrix, first, pv, pivot);
  }
  for (let i = 0; i < rows; i++) {
    for (let j = i; j < rows; j++) {
      const at = indexOf(rows, i, j);
      values[indexOf(rows, j, i)] = values[at] = -values[at];
    }
  }
}

/** Where element (i, j) of a tiled matrix is. */
export function indexOf(rows: number, i: number, j: number): number {
  return ((j >> 2) * rows + i) * 4 + (j & 3);
}

function multiplyTiles(
  code: TileCode,
  left: Tiled,
  right: Tiled,
  { out, part }: { readonly out: Tiled; readonly part: "all" | "upper" },
): void {
  const stride = 32 * left.rows;
  const outStride = 32 * out.rows;
  const [from, to] = [right.values.byteOffset, out.values.byteOffset];
  for (let i = 0; i < out.rows / 4; i++) {
    const skip = part === "upper" ? i : 0;
    const count = right.columns / 4 - skip;
    const tile = left.values.byteOffset + i * stride;
    code.strip(tile, from + skip * stride, count, stride, stride, to + 128 * i + skip * outStride, outStride);
  }
}

/** The rows from `first` on of a symmetric matrix whose upper triangle counts. */
function readAcross({ rows, values }: Tiled, first: number, v: Tiled): void {
  for (let k = 0; k < v.rows; k++) {
    const i = first + k;
    for (let j = 0, at = indexOf(rows, 0, i); j < i; j++, at += 4) {
      v.values[indexOf(v.rows, k, j)] = values[at];
    }
    for (let j = i; j < rows; j++) v.values[indexOf(v.rows, k, j)] = values[indexOf(rows, i, j)];
  }
}

/** pivot <- -(the square block of `v` at column `first`)^-1 */
function invertNegative(v: Tiled, first: number, pivot: Tiled, floor: number): void {
  const n = pivot.rows;
  const a = new Float64Array(n * n);
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) a[i * n + j] = v.values[indexOf(n, i, first + j)];
  for (let k = 0; k < n; k++) {
    const inverse = a[k * n + k] > floor ? 1 / a[k * n + k] : 0;
    for (let i = 0; i < n; i++) {
      if (i === k) continue;
      const factor = a[i * n + k] * inverse;
      for (let j = 0; j < n; j++) a[i * n + j] -= factor * a[k * n + j];
      a[i * n + k] = factor;
    }
    for (let j = 0; j < n; j++) a[k * n + j] *= inverse;
    a[k * n + k] = -inverse;
  }
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) pivot.values[indexOf(n, i, j)] = a[i * n + j];
}

/** The swept rows from `first` on, of minus the inverse: P V, and -P where rows and columns cross. */
function writeAcross({ rows, values }: Tiled, first: number, pv: Tiled, pivot: Tiled): void {
  const count = pv.rows;
  for (let k = 0; k < count; k++) {
    const i = first + k;
    for (let j = 0, at = indexOf(rows, 0, i); j < first; j++, at += 4) {
      values[at] = -pv.values[indexOf(count, k, j)];
    }
    for (let j = i; j < first + count; j++) {
      values[indexOf(rows, i, j)] = pivot.values[indexOf(count, k, j - first)];
    }
    for (let j = first + count; j < rows; j++) {
      values[indexOf(rows, i, j)] = -pv.values[indexOf(count, k, j)];
    }
  }
}
