/**
 * The inner loop of {@link ./rank-update.ts} and {@link ./tiled.ts} as WebAssembly: two float64 at a time, which
 * JavaScript cannot say.
 */
import {
  addOp,
  below,
  compileFunction,
  constant,
  drop,
  get,
  i32,
  increase,
  list,
  loop,
  place,
  set,
  simd,
  subtract,
  tee,
  v128,
  type Bytes,
  type WasmMemory,
} from "./wasm.ts";

/** What the module gives. All arguments are bytes, or addresses in bytes in `memory`. */
export interface TileCode {
  readonly memory: WasmMemory;
  /**
   * Adds the products of one tile of four columns with `count` tiles to what stands at `out`: for each, 4 x 4 numbers
   * row-major.
   *
   * @param left the tile: rows of four numbers
   * @param right the first of the other tiles
   * @param count how many, at least 1
   * @param length bytes of the rows of a tile that count, above 0
   * @param stride bytes from one tile to the next
   * @param outStride bytes from one tile's 4 x 4 numbers to the next one's
   */
  strip(
    ...args: [
      left: number,
      right: number,
      count: number,
      length: number,
      stride: number,
      out: number,
      outStride: number,
    ]
  ): void;
}

/** Assembles and compiles the module, with one page of memory. */
export function compileTiles(): TileCode {
  return compileFunction("strip", 7, stripBody()) as TileCode;
}

const load = (offset: number): Bytes => simd(0x00, ...place(3, offset));
const loadSplat = (offset: number): Bytes => simd(0x0a, ...place(3, offset));
const store = (offset: number): Bytes => simd(0x0b, ...place(3, offset));
const addPairs: Bytes = simd(0xf0);
const multiplyPairs: Bytes = simd(0xf2);

function stripBody(): Bytes {
  const [left, right, tiles, length, stride, out, outStride] = [0, 1, 2, 3, 4, 5, 6];
  const [l, r, end, firstSum] = [7, 8, 9, 10];
  const [low, high, factor] = [firstSum + 8, firstSum + 9, firstSum + 10];
  const sums = Array.from({ length: 8 }, (_, i) => firstSum + i);
  const product = (sum: number, pair: number): Bytes => [
    ...[...get(sum), ...get(factor), ...get(pair), ...multiplyPairs, ...addPairs, ...set(sum)],
  ];
  const row = (i: number): Bytes => [
    ...[...get(l), ...loadSplat(8 * i), ...set(factor)],
    ...[...product(sums[2 * i], low), ...product(sums[2 * i + 1], high)],
  ];
  const overRows = loop(
    [...get(r), ...load(0), ...set(low), ...get(r), ...load(16), ...set(high)],
    [0, 1, 2, 3].flatMap(row),
    [...increase(r, constant(32)), ...drop],
    [...increase(l, constant(32)), ...get(end), ...below],
  );
  const overTiles = loop(
    sums.flatMap((sum, i) => [...get(out), ...load(16 * i), ...set(sum)]),
    [...get(left), ...tee(l), ...get(length), ...addOp, ...set(end), ...get(right), ...set(r)],
    overRows,
    sums.flatMap((sum, i) => [...get(out), ...get(sum), ...store(16 * i)]),
    [...increase(out, get(outStride)), ...drop, ...increase(right, get(stride)), ...drop],
    [...get(tiles), ...constant(1), ...subtract, ...tee(tiles)],
  );
  const locals = list([
    [3, i32],
    [11, v128],
  ]);
  return [...locals, ...overTiles, 0x0b];
}
