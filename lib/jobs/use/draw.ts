/** `etl draw`: drawn faces as picture files with labels, for trying the program where no pictures are at hand. */
import { plural } from "../../core/printable.ts";
import { refuseFileName } from "../run/foreign.ts";
import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { encodeCrop } from "../../align/picture.ts";
import { formatCsv } from "../../core/csv.ts";
import { EtlError } from "../../core/errors.ts";
import {
  jsonText,
  makeFolder,
  readBytes,
  removeAbandoned,
  writeChanged,
  writeWhole,
} from "../../core/files.ts";
import { refuseUnknown, stopIfAborted, type OptionNames } from "../../core/options.ts";
import { silent, type Progress } from "../../core/progress.ts";
import { WHOLE } from "../../data/dataset.ts";
import { drawNamed, SYNTHETIC_NAME, syntheticTable } from "../../data/synthetic/table.ts";

export interface DrawOptions {
  /** Side of the pictures in pixels, 32 to 1024. @defaultValue 224 */
  readonly size?: number | undefined;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
}

const optionNames: OptionNames<DrawOptions> = { size: true, progress: true, signal: true };

/** What was drawn. */
export interface Drawing {
  readonly folder: string;
  readonly pictures: number;
  readonly labels: readonly string[];
}

/**
 * Draws the first faces of the data set `synthetic` into a folder that every command reads: PNG files, `labels.csv` and
 * `dataset.json`. The same faces every time.
 *
 * @param out a new or empty folder, or one with some of just these faces
 * @throws EtlError `usage` for a number or size out of range, or a folder that holds something else
 */
export async function drawFaces(count: number, out: string, options: DrawOptions = {}): Promise<Drawing> {
  refuseUnknown("drawFaces", options, optionNames);
  const { size = 224, progress = silent, signal } = options;
  if (!(Number.isInteger(count) && count >= 1))
    throw new EtlError("usage", `draw: ${count} faces, a whole number of at least 1 was needed`);
  if (!(Number.isInteger(size) && size >= 32 && size <= 1024))
    throw new EtlError("usage", `--size: ${size}, a whole number of pixels from 32 to 1024 was needed`);
  const table = syntheticTable(`synthetic:${count}`);
  const square = { width: size, height: size };
  const folder = resolve(out);
  refuseFileName(folder);
  await makeFolder(folder);
  const rows = table.rows.map(({ file, split = "", labels }) => [`${file}.png`, split, ...labels]);
  const about = { name: SYNTHETIC_NAME, crop: WHOLE, tasks: table.tasks };
  const texts = new Map([
    ["labels.csv", formatCsv({ header: ["file", "split", ...table.columns], rows })],
    ["dataset.json", jsonText(about)],
  ]);
  const draw = (file: string): Promise<Uint8Array> =>
    encodeCrop({ ...square, pixels: drawNamed(file, WHOLE, square) }, `${file}.png`);
  await needThese(folder, { texts, faces: table.rows.map(({ file }) => file), draw });
  progress.start("draw", count);
  for (const [i, { file }] of table.rows.entries()) {
    stopIfAborted(signal, `${folder}: stopped by the user, the faces drawn so far are there`);
    await writeWhole(join(folder, `${file}.png`), await draw(file));
    progress.update(i + 1);
  }
  for (const [name, text] of texts) await writeChanged(join(folder, name), text);
  progress.finish(plural(count, "face"));
  return { folder, pictures: count, labels: table.columns };
}

interface Drawn {
  readonly texts: ReadonlyMap<string, string>;
  readonly faces: readonly string[];
  readonly draw: (face: string) => Promise<Uint8Array>;
}

/** @throws EtlError `usage` where a folder holds another file than the drawing would leave there */
async function needThese(folder: string, { texts, faces, draw }: Drawn): Promise<void> {
  const drawn = new Map(faces.map((face) => [`${face}.png`, face]));
  await removeAbandoned(folder);
  for (const name of await readdir(folder)) {
    const face = drawn.get(name);
    const text = texts.get(name);
    if (face !== undefined || text !== undefined) {
      const before = Buffer.from(await readBytes(join(folder, name)));
      if (before.equals(face === undefined ? Buffer.from(text ?? "") : await draw(face))) continue;
    }
    throw new EtlError(
      "usage",
      `${folder}: holds ${(face ?? text) ? "another " : ""}${name}, a new or empty folder was needed`,
      {
        hint: "choose another --out",
      },
    );
  }
}
