/**
 * Pictures that are rows of a table, as FER2013 has them: `fer2013.csv#17` is row 17 below the header, square, its grey levels
 * as text in the column "pixels". The table is scanned once; a picture is read from its place in the file.
 */
import { createReadStream } from "node:fs";
import { open, stat, type FileHandle } from "node:fs/promises";
import { needWithin } from "../../core/budget.ts";
import { EtlError } from "../../core/errors.ts";
import { needPlain, readBytes } from "../../core/files.ts";

const ROW = /^(.+\.csv)#(\d+)$/i;
const [COMMA, LINE, RETURN, QUOTE] = [0x2c, 0x0a, 0x0d, 0x22];

/** A table of pictures without its pixels. */
export interface PixelTable {
  /** Names in lower case, without "pixels". */
  readonly columns: readonly string[];
  /** Beside the rows: the other cells. */
  readonly cells: readonly (readonly string[])[];
  /** Beside the rows: first byte of the pixels, and the byte behind the last. */
  readonly places: readonly (readonly [number, number])[];
}

/** A table that was scanned, and its file, which stays open while rows are read. */
interface KeptTable {
  /** Changes with the file. */
  readonly key: string;
  readonly table: Promise<PixelTable>;
  handle?: Promise<FileHandle> | undefined;
  readers: number;
  idle?: NodeJS.Timeout;
}

const tables = new Map<string, KeptTable>();
/** A file that nobody reads from is closed after so long, milliseconds. */
const IDLE = 1000;

/** The rows of a table. @throws EtlError `format` where it has no column of pixels */
export async function pixelTable(path: string): Promise<PixelTable> {
  return (await tableAt(path)).table;
}

/** @throws EtlError where the path is no plain file */
async function tableAt(path: string): Promise<KeptTable> {
  const found = await stat(path);
  needPlain(path, found);
  return keptTable(path, found);
}

function keptTable(
  path: string,
  { size, mtimeMs }: { readonly size: number; readonly mtimeMs: number },
): KeptTable {
  const key = `${size} ${mtimeMs}`;
  const before = tables.get(path);
  if (before?.key === key) return before;
  const kept = { key, table: scan(path), readers: 0 };
  tables.set(path, kept);
  return kept;
}

/** Reads from a table's file. Places and file belong together, even where the file is replaced meanwhile. */
async function reading<T>(
  path: string,
  use: (handle: FileHandle, table: PixelTable) => Promise<T>,
): Promise<T> {
  const kept = tables.get(path) ?? (await tableAt(path));
  kept.readers++;
  clearTimeout(kept.idle);
  try {
    return await use(await (kept.handle ??= open(path, "r")), await kept.table);
  } finally {
    kept.readers--;
    if (kept.readers === 0) {
      kept.idle = setTimeout(() => {
        const { handle } = kept;
        kept.handle = undefined;
        void handle?.then((opened) => opened.close()).catch(() => undefined);
      }, IDLE).unref();
    }
  }
}

async function scan(path: string): Promise<PixelTable> {
  let [at, start, pixels] = [0, 0, -1];
  let columns: string[] = [];
  let cell: number[] = [];
  let row: string[] = [];
  let place: [number, number] | undefined;
  const cells: string[][] = [];
  const places: [number, number][] = [];
  let column = 0;
  const endCell = (): void => {
    if (pixels >= 0 && column === pixels) place = [start, at];
    else row.push(String.fromCharCode(...cell).trim());
    cell = [];
    column++;
    if (column % 1000 === 0) needWithin(path, "columns", column);
    start = at + 1;
  };
  const endRow = (): void => {
    endCell();
    if (pixels < 0) {
      columns = row.map((name) => name.toLowerCase());
      pixels = columns.indexOf("pixels");
      if (pixels < 0)
        throw new EtlError("format", `${path}: columns ${columns.join(", ")}, a column "pixels" was needed`);
      columns.splice(pixels, 1);
    } else if (place !== undefined && place[1] > place[0]) {
      cells.push(row);
      places.push(place);
    }
    [row, place, column] = [[], undefined, 0];
  };
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    for (const byte of chunk) {
      if (byte === COMMA) endCell();
      else if (byte === LINE) endRow();
      else if (byte !== QUOTE && byte !== RETURN && (pixels < 0 || column !== pixels) && cell.length < 4096)
        cell.push(byte);
      at++;
    }
  }
  if (at > start || row.length > 0) endRow();
  return { columns, cells, places };
}

/** Size and time of a picture: for a row the length of its text, so that equal pictures are equally large. */
export async function pictureStat(
  path: string,
): Promise<{ readonly isFile: boolean; readonly size: number; readonly mtimeMs: number }> {
  const row = ROW.exec(path);
  if (row === null) {
    const info = await stat(path);
    return { isFile: info.isFile(), size: info.size, mtimeMs: info.mtimeMs };
  }
  const info = await stat(row[1]);
  const [from, to] = placeOf(row[1], await keptTable(row[1], info).table, Number(row[2]));
  return { isFile: true, size: to - from, mtimeMs: info.mtimeMs };
}

/** The bytes of a picture: a file as it is, a row as PGM. */
export async function pictureBytes(path: string): Promise<Buffer> {
  const row = ROW.exec(path);
  if (row === null) {
    const { buffer, byteOffset, length } = await readBytes(path);
    return Buffer.from(buffer, byteOffset, length);
  }
  return reading(row[1], async (handle, table) => {
    const [from, to] = placeOf(row[1], table, Number(row[2]));
    const { buffer } = await handle.read(Buffer.alloc(to - from), 0, to - from, from);
    const levels = buffer.toString("latin1").replaceAll('"', " ").trim().split(/\s+/).map(Number);
    const side = Math.sqrt(levels.length);
    if (!Number.isInteger(side) || !levels.every((level) => level >= 0 && level <= 255))
      throw new Error(`${levels.length} pixels, the levels 0 to 255 of a square were needed`);
    return Buffer.concat([Buffer.from(`P5 ${side} ${side} 255\n`), Uint8Array.from(levels)]);
  });
}

/** Whether a path names a row of a table. */
export function isRow(path: string): boolean {
  return ROW.test(path);
}

function placeOf(path: string, { places }: PixelTable, row: number): readonly [number, number] {
  if (row >= 1 && row <= places.length) return places[row - 1];
  throw new EtlError("data", `${path}: ${places.length} pictures, number ${row} was needed`);
}
