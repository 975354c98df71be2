/**
 * Symmetric positive definite systems with many right-hand sides, float64: Cholesky's factorisation by blocks of rows, its
 * products by the loop of {@link ./tile-code.ts}.
 */
import { choleskyFactor } from "./cholesky.ts";
import { compileTiles, type TileCode } from "./tile-code.ts";
import { indexOf, padded } from "./tiled.ts";
import { onDemand } from "./wasm.ts";

/** Rows that are eliminated together; a multiple of four. */
const block = 32;
/** Bytes of a row of four numbers. */
const rowBytes = 32;

const codeFor = onDemand(compileTiles);

/** The equations [G | B], tiled: see {@link ./tiled.ts}. */
interface System {
  readonly code: TileCode;
  /** Unknowns, a multiple of four. */
  readonly rows: number;
  /** Tiles of G, and of G and B together. */
  readonly own: number;
  readonly tiles: number;
  /** [rows, 4 tiles], from address 0 on. */
  readonly values: Float64Array;
  /** Rows of a block, in tiles, and where they are: what is eliminated, or its negative. */
  readonly panel: Float64Array;
  /** The inverse of every block's own factor, tiles of [block, block], upper triangular. */
  readonly inverses: Float64Array;
}

/**
 * Solves G X = B for a symmetric positive definite G. Where a pivot is below 1e-12 of its diagonal entry it is raised to
 * that: what lies in the span of the rest is then nearly left out.
 *
 * @param gram G, [size, size] row-major, of which the upper half is read
 * @param rhs B transposed, [columns, size] row-major (each right-hand side contiguous); overwritten with X transposed
 */
export function choleskySolve(gram: Float64Array, size: number, rhs: Float64Array): void {
  const columns = Math.floor(rhs.length / size);
  const system = openSystem(gram, size, rhs, columns);
  const { rows, own, values } = system;
  const diagonal = Float64Array.from({ length: rows }, (_, i) => values[indexOf(rows, i, i)]);
  for (let first = 0; first < rows; first += block) eliminate(system, first, diagonal);
  for (let first = block * Math.floor((rows - 1) / block); first >= 0; first -= block) {
    substitute(system, first);
  }
  for (let k = 0; k < columns; k++) {
    for (let i = 0; i < size; i++) rhs[k * size + i] = values[indexOf(rows, i, 4 * own + k)];
  }
}

function openSystem(gram: Float64Array, size: number, rhs: Float64Array, columns: number): System {
  const rows = padded(size);
  const [own, tiles] = [rows / 4, (rows + padded(columns)) / 4];
  const blocks = Math.ceil(rows / block);
  const sizes = [4 * rows * tiles, 4 * block * tiles, block * block * blocks];
  const code = codeFor(8 * sizes.reduce((sum, each) => sum + each, 0));
  let at = 0;
  const [values, panel, inverses] = sizes.map((length) => {
    at += 8 * length;
    return new Float64Array(code.memory.buffer, at - 8 * length, length).fill(0);
  });
  for (let j = 0; j < size; j++) {
    for (let i = 0; i <= j; i++) values[indexOf(rows, i, j)] = gram[i * size + j];
  }
  for (let i = size; i < rows; i++) values[indexOf(rows, i, i)] = 1;
  for (let k = 0; k < columns; k++) {
    for (let i = 0; i < size; i++) values[indexOf(rows, i, 4 * own + k)] = rhs[k * size + i];
  }
  return { code, rows, own, tiles, values, panel, inverses };
}

/** G = U'U: turns the rows from `first` on into those of U (and of U'^-1 B), and takes them off all rows below. */
function eliminate(system: System, first: number, diagonal: Float64Array): void {
  const { code, rows, own, tiles, values, panel } = system;
  const count = Math.min(block, rows - first);
  const [above, next] = [first / 4, (first + count) / 4];
  const inverse = factorBlock(system, first, { count, diagonal });
  if (next === tiles) return;
  moveToPanel(system, first, { count, from: next });
  const length = count * rowBytes;
  const panelAt = panel.byteOffset + next * length;
  for (let i = above; i < next; i++) {
    const left = inverse.byteOffset + (i - above) * length;
    const out = 8 * indexOf(rows, 4 * i, 4 * next);
    code.strip(left, panelAt, tiles - next, length, length, out, rows * rowBytes);
  }
  for (let j = next; j < own; j++) {
    const from = indexOf(rows, first, 4 * j);
    for (let k = 0; k < 4 * count; k++) panel[4 * count * j + k] = -values[from + k];
  }
  for (let i = next; i < own; i++) {
    const right = 8 * indexOf(rows, first, 4 * i);
    const out = 8 * indexOf(rows, 4 * i, 4 * i);
    const left = panel.byteOffset + i * length;
    code.strip(left, right, tiles - i, length, rows * rowBytes, out, rows * rowBytes);
  }
}

/** Moves rows of a system, from a tile on, to the panel, and leaves zeros. */
function moveToPanel(
  { rows, tiles, values, panel }: System,
  first: number,
  { count, from }: { readonly count: number; readonly from: number },
): void {
  for (let j = from; j < tiles; j++) {
    const at = indexOf(rows, first, 4 * j);
    panel.set(values.subarray(at, at + 4 * count), 4 * count * j);
    values.fill(0, at, at + 4 * count);
  }
}

/** The inverse of the factor of a block on the diagonal, tiled [count, count]; kept for {@link substitute}. */
function factorBlock(
  { rows, values, inverses }: System,
  first: number,
  { count, diagonal }: { readonly count: number; readonly diagonal: Float64Array },
): Float64Array {
  const lower = new Float64Array(count * count);
  for (let i = 0; i < count; i++) {
    for (let j = 0; j <= i; j++) lower[i * count + j] = values[indexOf(rows, first + j, first + i)];
  }
  choleskyFactor(lower, count, diagonal.subarray(first, first + count));
  const inverse = inverses.subarray(block * first, block * first + count * count);
  // column c of the inverse of L, which is row c of that of U
  for (let c = 0; c < count; c++) {
    for (let i = c; i < count; i++) {
      let sum = i === c ? 1 : 0;
      for (let k = c; k < i; k++) sum -= lower[i * count + k] * inverse[indexOf(count, c, k)];
      inverse[indexOf(count, c, i)] = sum / lower[i * count + i];
    }
  }
  return inverse;
}

/** The unknowns from `first` on, and what they take off the right-hand sides above. */
function substitute(system: System, first: number): void {
  const { code, rows, own, tiles, values, panel, inverses } = system;
  const count = Math.min(block, rows - first);
  const length = count * rowBytes;
  const inverse = inverses.subarray(block * first, block * first + count * count);
  const turned = new Float64Array(count * count);
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < count; j++) turned[indexOf(count, j, i)] = inverse[indexOf(count, i, j)];
  }
  inverse.set(turned);
  const stride = rows * rowBytes;
  moveToPanel(system, first, { count, from: own });
  const solved = 8 * indexOf(rows, first, 4 * own);
  for (let i = 0; i < count / 4; i++) {
    const right = panel.byteOffset + own * length;
    code.strip(inverse.byteOffset + i * length, right, tiles - own, length, length, solved + i * 128, stride);
  }
  for (let i = 0; i < first / 4; i++) {
    for (let k = 0; k < count; k++) {
      for (let r = 0; r < 4; r++)
        panel[4 * (i * count + k) + r] = -values[indexOf(rows, 4 * i + r, first + k)];
    }
    const left = panel.byteOffset + i * length;
    code.strip(left, solved, tiles - own, length, stride, 8 * indexOf(rows, 4 * i, 4 * own), stride);
  }
}
