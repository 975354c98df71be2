/**
 * The inner loop of {@link ./rank-update.ts} and {@link ./tiled.ts} as WebAssembly: two float64 at a time, which
 * JavaScript cannot say. The module is assembled here, instruction by instruction, in the binary format of the
 * specification (WebAssembly core 2.0, section 5), so that no tool and no binary file is needed.
 */

/** What the module gives. All arguments are bytes, or addresses in bytes in `memory`. */
export interface TileCode {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
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

declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

/** Bytes of a page of memory. */
const pageBytes = 65_536;

/** Assembles and compiles the module, with one page of memory. */
export function compileTiles(): TileCode {
  return new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(moduleBytes()))).exports as TileCode;
}

/** Memory for so many float64 numbers. What was a view of the memory before may be one no more. */
export function reserve({ memory }: TileCode, numbers: number): void {
  memory.grow(Math.max(0, Math.ceil((8 * numbers - memory.buffer.byteLength) / pageBytes)));
}

type Bytes = readonly number[];

const i32 = 0x7f;
const v128 = 0x7b;

/** A number, 7 bits to a byte (LEB128, unsigned). */
const count = (n: number): Bytes => (n < 128 ? [n] : [(n & 127) | 128, ...count(n >> 7)]);
const list = (items: readonly Bytes[]): Bytes => [...count(items.length), ...items.flat()];
const sized = (bytes: Bytes): Bytes => [...count(bytes.length), ...bytes];
const section = (id: number, items: readonly Bytes[]): Bytes => [id, ...sized(list(items))];
const text = (value: string): Bytes => sized([...new TextEncoder().encode(value)]);

const get = (local: number): Bytes => [0x20, ...count(local)];
const set = (local: number): Bytes => [0x21, ...count(local)];
const tee = (local: number): Bytes => [0x22, ...count(local)];
/** An i32 constant from 0 to 8,191 (LEB128, signed: the last byte's second bit is the sign). */
const constant = (value: number): Bytes => [
  0x41,
  ...(value < 64 ? [value] : [(value & 127) | 128, value >> 7]),
];
const add: Bytes = [0x6a];
const subtract: Bytes = [0x6b];
const below: Bytes = [0x49];
const simd = (code: number, ...more: readonly number[]): Bytes => [0xfd, ...count(code), ...more];
const load = (offset: number): Bytes => simd(0x00, 3, ...count(offset));
const loadSplat = (offset: number): Bytes => simd(0x0a, 3, ...count(offset));
const store = (offset: number): Bytes => simd(0x0b, 3, ...count(offset));
const addPairs: Bytes = simd(0xf0);
const multiplyPairs: Bytes = simd(0xf2);
/** do { body } while (the number that body leaves is not 0). */
const loop = (...body: readonly Bytes[]): Bytes => [0x03, 0x40, ...body.flat(), 0x0d, 0, 0x0b];
const increase = (local: number, by: Bytes): Bytes => [...get(local), ...by, ...add, ...tee(local)];
const drop: Bytes = [0x1a];

function moduleBytes(): Bytes {
  return [
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [[0x60, ...list(new Array<Bytes>(7).fill([i32])), 0]]),
    ...section(3, [[0]]),
    ...section(5, [[0, 1]]),
    ...section(7, [
      [...text("memory"), 2, 0],
      [...text("strip"), 0, 0],
    ]),
    ...section(10, [sized(stripBody())]),
  ];
}

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
    [...get(left), ...tee(l), ...get(length), ...add, ...set(end), ...get(right), ...set(r)],
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
