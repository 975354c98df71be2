/** Boxes and landmarks given in pixels become fractions: of the picture, and of the crop. */
import { own } from "../../core/own.ts";
import type { Crop, Task } from "../../core/artifacts.ts";
import { centreOf, isCrop, type CropChoice } from "../../core/crop.ts";
import { EtlError, messageOf } from "../../core/errors.ts";
import { insideOf } from "../../core/files.ts";
import type { DataProblem } from "../../record/record.ts";
import { WHOLE, type RawRow, type RawTable } from "../dataset.ts";
import { IN_FLIGHT, pictureSize } from "./decode.ts";
import type { Label } from "../reading.ts";
import { mapLimit } from "../../core/parallel.ts";
import { CROP_UNIT } from "../tasks.ts";

/** A row with its label read and its file found. */
export interface LabelledRow {
  readonly row: RawRow;
  readonly label: Exclude<Label, { problem: string }>;
  readonly bytes: number;
  readonly modifiedMs: number;
}

/** A row ready to become an item. */
export interface PlacedRow {
  readonly row: RawRow;
  readonly target: Float32Array;
  readonly mask?: Float32Array;
  readonly crop?: Crop;
  readonly bytes: number;
  readonly modifiedMs: number;
}

export interface Placed {
  readonly items: readonly PlacedRow[];
  readonly problems: readonly DataProblem[];
  readonly assumptions: readonly string[];
  /** Pictures with a face box of their own. */
  readonly ownCrops: number;
}

type PlacedSize = Awaited<ReturnType<typeof pictureSize>>;

/** Room around the box of the landmarks, as a share of its larger side. */
const MARGIN = 0.2;

/**
 * Gives every row its crop and puts landmark targets into fractions of the crop. Only where boxes or landmarks are in
 * pixels are picture headers read.
 */
export async function placeItems(
  rows: readonly LabelledRow[],
  options: { readonly table: RawTable; readonly task: Task; readonly crop?: CropChoice },
): Promise<Placed> {
  const { table, task } = options;
  const landmarks = task.unit === CROP_UNIT;
  const centred = options.crop === "center";
  const common = options.crop === "center" ? undefined : (options.crop ?? table.crop);
  // A box of the picture's own goes before the data set's, not before what the user says now.
  const boxes = !centred && options.crop === undefined && rows.some(({ row }) => row.box !== undefined);
  const pixels = landmarks && own(table.tasks, task.name)?.unit !== "fraction";
  const byPoints = landmarks && common === undefined && !boxes && !centred;
  if (!landmarks && !boxes && !centred)
    return { items: rows.map((row) => place(row)), problems: [], assumptions: [], ownCrops: 0 };

  if (pixels) checkPixels(rows, table, task);
  const problems: DataProblem[] = [];
  const items: PlacedRow[] = [];
  let ownCrops = 0;
  let turned = 0;
  const sizes = await mapLimit(rows, IN_FLIGHT, async ({ row }): Promise<PlacedSize | string> => {
    try {
      return table.root === "" ? { width: 1, height: 1 } : await pictureSize(insideOf(table.root, row.file));
    } catch (error) {
      return messageOf(error);
    }
  });
  rows.forEach((labelled, i) => {
    const size = sizes[i];
    const { row, label } = labelled;
    if (typeof size === "string") {
      problems.push({ file: row.file, problem: size });
      return;
    }
    if (size.turned === true && (pixels || (boxes && row.box !== undefined))) turned++;
    const unit = pixels ? size : { width: 1, height: 1 };
    const points = landmarks ? scaled(label.target, 1 / unit.width, 1 / unit.height) : undefined;
    if (pixels && points !== undefined && isOutside(points)) {
      problems.push({ file: row.file, problem: `its landmarks lie outside the picture (${shape(size)})` });
      return;
    }
    let own: Crop | undefined;
    if (centred) own = centreOf(size);
    else if (boxes && row.box !== undefined) {
      own = fractions(row.box, size);
      const wrong = wrongBox(row.box, own, size);
      if (wrong !== undefined) {
        problems.push({ file: row.file, problem: wrong });
        return;
      }
    } else if (byPoints && points !== undefined) own = squareAround(points, size);
    if (own !== undefined) ownCrops++;
    items.push(place(labelled, own, points && relativeTo(points, own ?? common ?? WHOLE)));
  });
  const assumptions = byPoints
    ? [`crop: a square around each picture's landmarks with a margin of ${MARGIN * 100} % of its side`]
    : [];
  // Programs differ in whether they turn a picture before they count, and nothing in the numbers shows it.
  if (turned > 0)
    assumptions.push(
      `pixels: ${turned} of ${rows.length} pictures are turned by their EXIF tag; ${pixels ? "landmarks" : "boxes"} are taken to count in the picture as it is shown, turned`,
    );
  return { items, problems, assumptions, ownCrops };
}

/** Coordinates up to here are no pixels of a face. */
const MOST_RELATIVE = 2;

/** @throws EtlError kind `data` where landmarks are fractions of something */
function checkPixels(rows: readonly LabelledRow[], table: RawTable, task: Task): void {
  let most = 0;
  for (const { label } of rows) for (const value of label.target) most = Math.max(most, Math.abs(value));
  if (rows.length === 0 || most > MOST_RELATIVE) return;
  throw new EtlError(
    "data",
    `--task ${task.name}: no coordinate of ${table.name} is above ${Number(most.toFixed(3))}, pixels of the pictures were needed`,
    {
      hint: `if they are fractions of width and height, say it in dataset.json: "tasks": { "${task.name}": { "unit": "fraction" } }`,
    },
  );
}

/** Whether no point lies in the picture. */
function isOutside(points: Float32Array): boolean {
  for (let i = 0; i < points.length; i += 2) {
    const [x, y] = [points[i], points[i + 1]];
    if (x >= 0 && x <= 1 && y >= 0 && y <= 1) return false;
  }
  return true;
}

function shape({ width, height }: { width: number; height: number }): string {
  return `${width} x ${height}`;
}

function place(
  { row, label, bytes, modifiedMs }: LabelledRow,
  crop?: Crop,
  target = label.target,
): PlacedRow {
  return { row, target, ...(label.mask && { mask: label.mask }), ...(crop && { crop }), bytes, modifiedMs };
}

function fractions(box: Crop, size: { width: number; height: number }): Crop {
  return [box[0] / size.width, box[1] / size.height, box[2] / size.width, box[3] / size.height];
}

/** What is wrong with a face box, where nothing of it can be meant. */
function wrongBox(box: Crop, own: Crop, size: { width: number; height: number }): string | undefined {
  const [x0, y0, x1, y1] = own;
  const shown = `box ${box.map((value) => Number(value.toFixed(2))).join(",")}`;
  if (box.every((value) => value >= 0 && value <= 1) && size.width > 1)
    return `${shown} seems to be in fractions, pixels of the picture (${shape(size)}) were needed`;
  if (isCrop(own) && x0 < 1 && y0 < 1 && x1 > 0 && y1 > 0) return undefined;
  return `${shown} lies outside the picture (${shape(size)})`;
}

function scaled(points: Float32Array, x: number, y: number): Float32Array {
  return points.map((value, i) => value * (i % 2 === 0 ? x : y));
}

/** A square (in pixels) around points (in fractions), with the margin. */
function squareAround(points: Float32Array, size: { width: number; height: number }): Crop {
  const xs = points.filter((_, i) => i % 2 === 0);
  const ys = points.filter((_, i) => i % 2 === 1);
  const [left, right] = [Math.min(...xs) * size.width, Math.max(...xs) * size.width];
  const [top, bottom] = [Math.min(...ys) * size.height, Math.max(...ys) * size.height];
  const half = Math.max(right - left, bottom - top, 1) * (0.5 + MARGIN);
  const [x, y] = [(left + right) / 2, (top + bottom) / 2];
  return fractions([x - half, y - half, x + half, y + half], size);
}

function relativeTo(points: Float32Array, crop: Crop): Float32Array {
  const [x0, y0, x1, y1] = crop;
  return points.map((value, i) => (i % 2 === 0 ? (value - x0) / (x1 - x0) : (value - y0) / (y1 - y0)));
}
