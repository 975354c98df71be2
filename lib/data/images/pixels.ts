/**
 * Pixels become a network's input: bytes through a table per channel, into one plane each. The loop is WebAssembly, whose
 * loads need no check of bounds; its numbers are those of the tables, bit by bit.
 */
import {
  addOp,
  below,
  compileFunction,
  constant,
  drop,
  get,
  increase,
  list,
  loop,
  onDemand,
  place,
  set,
  i32,
  type Bytes,
  type WasmMemory,
} from "../../math/wasm.ts";

/** Which pixel of the picture every pixel of the input takes: out(x, y) = in(columns[x], lines[y]). */
export interface PixelMap {
  /** [width], positions in 0..width - 1 */
  readonly columns: Int32Array;
  /** [height], positions in 0..height - 1 */
  readonly lines: Int32Array;
}

/** The map that leaves a picture as it is. */
export function samePixels({ width, height }: { readonly width: number; readonly height: number }): PixelMap {
  const count = (length: number): Int32Array => Int32Array.from({ length }, (_, i) => i);
  return { columns: count(width), lines: count(height) };
}

/**
 * Writes one picture into a network's input.
 *
 * @param pixels RGB, uint8 [height, width, 3]
 * @param into float32 [3, height, width]
 * @param tables for each plane of `into`, from 0..255 to the input
 * @param order for each plane of `into`, the channel of `pixels` it reads
 * @throws RangeError where an array does not fit the map
 */
export function writePixels(
  pixels: Uint8Array,
  into: Float32Array,
  { tables, order }: { readonly tables: readonly Float32Array[]; readonly order: readonly number[] },
  { columns, lines }: PixelMap,
): void {
  const [width, height] = [columns.length, lines.length];
  const area = width * height;
  if (pixels.length !== 3 * area || into.length !== 3 * area) {
    throw new RangeError(
      `writePixels: ${pixels.length} bytes into ${into.length} numbers, ${3 * area} were needed`,
    );
  }
  const code = codeFor(outAt(width) + 15 * area);
  const { buffer } = code.memory;
  const columnBytes = new Int32Array(buffer, columnsAt, width);
  for (let x = 0; x < width; x++) columnBytes[x] = 3 * columns[x];
  tables.forEach((table, plane) => {
    new Float32Array(buffer, 1024 * order[plane], 256).set(table);
  });
  const first = outAt(width);
  const out = new Float32Array(buffer, first, 3 * area);
  const picture = first + 12 * area;
  new Uint8Array(buffer, picture, pixels.length).set(pixels);
  const planeOf = [0, 1, 2].map((channel) => first + 4 * area * order.indexOf(channel));
  for (let y = 0; y < height; y++) {
    const to = 4 * y * width;
    code.line(
      picture + 3 * width * lines[y],
      columnsAt,
      columnsAt + 4 * width,
      ...([planeOf[0] + to, planeOf[1] + to, planeOf[2] + to] as const),
    );
  }
  into.set(out);
}

/** Three tables of 256 numbers lie at 0, 1024 and 2048, in the order of the picture's channels. */
const columnsAt = 3 * 1024;

/** Where the input lies; the picture is behind it. */
const outAt = (width: number): number => columnsAt + 4 * width;

/** What the module gives. All arguments are addresses in `memory`. */
interface LineCode {
  readonly memory: WasmMemory;
  /**
   * One line of three planes.
   *
   * @param picture first byte of the line that is read
   * @param columns for each pixel three times its position in that line, int32
   * @param end behind the last of `columns`, which is not empty
   * @param red, green, blue where the numbers of the picture's channels go
   */
  line(
    ...args: [picture: number, columns: number, end: number, red: number, green: number, blue: number]
  ): void;
}

const codeFor = onDemand(() => compileFunction("line", 6, lineBody()) as LineCode);

const loadInt = (offset: number): Bytes => [0x28, ...place(2, offset)];
const loadByte = (offset: number): Bytes => [0x2d, ...place(0, offset)];
const loadFloat = (offset: number): Bytes => [0x2a, ...place(2, offset)];
const storeFloat: Bytes = [0x38, ...place(2, 0)];
const shiftLeft: Bytes = [0x74];

function lineBody(): Bytes {
  const [picture, columns, end, ...planes] = [0, 1, 2, 3, 4, 5];
  const pixel = 6;
  const channel = (c: number): Bytes => [
    ...get(planes[c]),
    ...[...get(pixel), ...loadByte(c), ...constant(2), ...shiftLeft, ...loadFloat(1024 * c)],
    ...storeFloat,
    ...[...increase(planes[c], constant(4)), ...drop],
  ];
  const overPixels = loop(
    [...get(picture), ...get(columns), ...loadInt(0), ...addOp, ...set(pixel)],
    [0, 1, 2].flatMap(channel),
    [...increase(columns, constant(4)), ...get(end), ...below],
  );
  return [...list([[1, i32]]), ...overPixels, 0x0b];
}
