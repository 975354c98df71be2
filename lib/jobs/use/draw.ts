/** `etl draw`: drawn faces as picture files with labels, for trying the program where no pictures are at hand. */
import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { encodeCrop } from "../../align/picture.ts";
import { formatCsv } from "../../core/csv.ts";
import { EtlError } from "../../core/errors.ts";
import { makeFolder, writeJson, writeWhole } from "../../core/files.ts";
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
 * @param out a new or empty folder, or one that was drawn before
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
  const folder = resolve(out);
  await makeFolder(folder);
  const others = (await readdir(folder)).filter(
    (name) => !/^(face-\d{6}\.png|labels\.csv|dataset\.json)$/.test(name),
  );
  if (others.length > 0) {
    throw new EtlError("usage", `${folder}: holds ${others[0]}, a new or empty folder was needed`, {
      hint: "choose another --out",
    });
  }
  progress.start("draw", count);
  const square = { width: size, height: size };
  for (const [i, { file }] of table.rows.entries()) {
    stopIfAborted(signal, `${folder}: stopped by the user, the faces drawn so far are there`);
    const name = `${file}.png`;
    const pixels = drawNamed(file, WHOLE, square);
    await writeWhole(join(folder, name), await encodeCrop({ ...square, pixels }, name));
    progress.update(i + 1);
  }
  const rows = table.rows.map(({ file, split = "", labels }) => [`${file}.png`, split, ...labels]);
  await writeWhole(
    join(folder, "labels.csv"),
    formatCsv({ header: ["file", "split", ...table.columns], rows }),
  );
  await writeJson(join(folder, "dataset.json"), { name: SYNTHETIC_NAME, crop: WHOLE, tasks: table.tasks });
  progress.finish(`${count} faces`);
  return { folder, pictures: count, labels: table.columns };
}
