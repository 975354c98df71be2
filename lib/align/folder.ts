/** Aligned crops of a folder of raw photos, with its labels: a folder that every other command reads. */
import { plural } from "../core/printable.ts";
import { interrupted, refuseUnknown, type OptionNames } from "../core/options.ts";
import { existsSync } from "node:fs";
import { readdir, rm, stat } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { crc32 } from "node:zlib";
import { openAligner, type Aligner } from "./aligner.ts";
import type { Box } from "./detections.ts";
import type { AlignedFace } from "./finder.ts";
import { cropName, encodeCrop, readPicture } from "./picture.ts";
import { alignRecord, keptEntries, type AlignEntry, type AlignSettings } from "./record.ts";
import { applySimilarity, degreesOf, inverseSimilarity } from "./similarity.ts";
import { DLIB_PADDING, MIN_SCORE } from "./template.ts";
import { LANDMARKS } from "../backbones/nets/face-landmarks.ts";
import { EtlError, isEtlError, messageOf } from "../core/errors.ts";
import { insideOf, readBytes, readText, unfinishedIn, writeJson, writeWhole } from "../core/files.ts";
import { silent, type Progress } from "../core/progress.ts";
import type { RawTable } from "../data/dataset.ts";
import type { DataProblem } from "../record/record.ts";
import { mapLimit } from "../core/parallel.ts";
import { pictureStat } from "../data/images/pixel-rows.ts";
import { carryLabels, readAnyTable } from "./labels.ts";
import { serviceNames, withEngine, type ServiceOptions } from "../engine/service.ts";
import { version } from "../core/version.ts";

export interface AlignOptions extends ServiceOptions {
  /** Side of the crops in pixels (150, that of `face-resnet`). */
  readonly size?: number | undefined;
  /** Room around the mean face on every side, in its widths (0.25, that of `face-resnet`). */
  readonly padding?: number | undefined;
  /** How sure the detector must be, in 0..1 (0.5). */
  readonly minScore?: number | undefined;
  /** Write the 68 landmarks as labels x0, y0, ..., x67, y67, in pixels of the crop (not). */
  readonly landmarks?: boolean | undefined;
  /** Make crops of other settings that lie in the folder again. @defaultValue false */
  readonly replace?: boolean | undefined;
}

const optionNames: OptionNames<AlignOptions> = {
  ...serviceNames,
  ...{ size: true, padding: true, minScore: true, landmarks: true, replace: true },
};

/** What came out. */
export interface AlignSummary {
  readonly folder: string;
  /** Pictures of the input. */
  readonly pictures: number;
  readonly aligned: number;
  /** Of these, done by an earlier run. */
  readonly kept: number;
  /** Pictures with several faces: the largest was taken. */
  readonly several: number;
  /** Verification pairs carried over. */
  readonly pairs: number;
  /** Pictures and rows left out, and why. */
  readonly leftOut: readonly DataProblem[];
}

/** Pictures worked on at the same time: decoding and encoding go on while a network runs. */
const LANES = 3;

/** Pictures between two writes of `align.json`. */
const CHUNK = 96;

/**
 * Finds the largest face of every picture, turns, scales and shifts it onto the template of dlib's face chips, and
 * writes the crops with the labels into another folder. What an earlier run with the same settings did is kept.
 *
 * @param input a folder of pictures, with or without labels, in any layout
 * @param out another folder; new, empty, or left by an earlier run
 */
export async function alignFolder(
  input: string,
  out: string,
  options: AlignOptions = {},
): Promise<AlignSummary> {
  refuseUnknown("alignFolder", options, optionNames);
  const settings = checkSettings(options);
  const progress = options.progress ?? silent;
  const folder = resolve(out);
  const { table, pairs } = await readAnyTable(input);
  for (const assumption of table.assumptions) progress.note(assumption);
  refuseOverlap(table.root, folder);
  const earlier = await earlierEntries(folder, settings, { progress, replace: options.replace === true });
  const files = [...new Set(table.rows.map(({ file }) => file))];
  if (files.length === 0) {
    throw new EtlError("data", `${table.root}: no picture, at least one was needed`);
  }

  const boxes = boxesOf(table);
  const done = new Map<string, AlignEntry>();
  const taken = new Map<string, string>();
  let [kept, looked] = [0, 0];
  const save = (entries: Iterable<AlignEntry>) =>
    writeJson(join(folder, "align.json"), alignRecord(settings, [...entries], version));
  // Before the first crop: a run that is killed right after it finds the folder its own.
  await save(earlier.values());
  await withEngine(options, async (engine) => {
    const aligner = await openAligner(engine, settings);
    progress.start("align", files.length);
    try {
      for (let at = 0; at < files.length; at += CHUNK) {
        const chunk = files.slice(at, at + CHUNK);
        const entries = await mapLimit(chunk, LANES, async (file) => {
          if (options.signal?.aborted === true) return undefined;
          const near = boxes.get(file);
          const place = { root: table.root, folder, file, taken, points: settings.landmarks === true, near };
          const old = await stillGood(place, earlier.get(file));
          if (old !== undefined) kept++;
          const entry = old ?? (await alignOne(place, aligner));
          progress.update(++looked);
          return entry;
        });
        for (const entry of entries) if (entry !== undefined) done.set(entry.file, entry);
        await save(new Map([...earlier, ...done]).values());
        if (options.signal?.aborted === true) throw stopped(folder, options.signal);
      }
    } finally {
      await aligner.dispose();
    }
    const found = [...done.values()].filter(({ reason }) => reason === undefined).length;
    progress.finish(`a face in ${found} of ${plural(done.size, "picture")}`);
  });

  const entries = [...done.values()];
  await save(entries);
  const leftOut = [
    ...table.problems,
    ...entries.flatMap(({ file, reason }) => (reason === undefined ? [] : [{ file, problem: reason }])),
  ];
  const aligned = entries.filter(({ crop }) => crop !== undefined).length;
  if (aligned === 0) {
    const { file, problem } = leftOut[0];
    throw new EtlError(
      "data",
      `${table.root}: no crop from ${plural(files.length, "picture")} (the first: ${file}: ${problem}), at least one face was needed`,
      { hint: "a lower --min-score finds more; align.json says why each picture was left out" },
    );
  }
  const several = entries.filter(({ faces = 0, near }) => faces > 1 && near === undefined).length;
  if (several > 0)
    progress.warn(
      `${several === 1 ? "1 picture shows" : `${several} pictures show`} several faces: the largest was taken`,
    );
  const carried = await carryLabels({ table, pairs, entries: done, folder, settings });
  for (const note of carried.notes) progress.warn(note);
  return {
    folder,
    pictures: files.length,
    aligned,
    kept,
    several,
    pairs: carried.pairs,
    leftOut: [...leftOut, ...carried.problems],
  };
}

interface Place {
  readonly root: string;
  readonly folder: string;
  readonly file: string;
  /** crop -> the picture it is of */
  readonly taken: Map<string, string>;
  /** Whether landmarks are written down. */
  readonly points: boolean;
  /** The box of the face that the labels speak of; several where the rows speak of several faces. */
  readonly near: readonly Box[] | undefined;
}

/** The boxes of the rows, by picture. */
function boxesOf({ rows }: RawTable): Map<string, Box[]> {
  const boxes = new Map<string, Box[]>();
  for (const { file, box } of rows) {
    if (box === undefined) continue;
    const own = boxes.get(file);
    if (own === undefined) boxes.set(file, [box]);
    else if (!own.some((other) => other.join() === box.join())) own.push(box);
  }
  return boxes;
}

/** What an earlier run did, where picture and crop are still as they were. */
async function stillGood(place: Place, old: AlignEntry | undefined): Promise<AlignEntry | undefined> {
  if (old === undefined) return undefined;
  try {
    const { size, mtimeMs } = await pictureStat(insideOf(place.root, place.file));
    if (size !== old.bytes || Math.trunc(mtimeMs) !== old.modifiedMs) return undefined;
    if (old.near?.join() !== place.near?.join()) return undefined;
    if (old.crop === undefined) return old;
    if (old.crop !== cropName(place.file)) return undefined;
    const crop = await readBytes(insideOf(place.folder, old.crop));
    if (crop.length === 0 || (old.sum !== undefined && old.sum !== crc32(crop))) return undefined;
    place.taken.set(old.crop, place.file);
    return old;
  } catch {
    return undefined; // gone or unreadable: looked at again, and named there
  }
}

async function alignOne(place: Place, aligner: Aligner): Promise<AlignEntry> {
  const { root, folder, file, taken } = place;
  let at = { bytes: 0, modifiedMs: 0 };
  let face: AlignedFace | undefined;
  let picture;
  const crop = cropName(file);
  const [near, another] = place.near ?? [];
  if (another !== undefined)
    return {
      file,
      ...at,
      reason: "several rows with boxes of their own, one face was needed: one file for each",
    };
  try {
    const path = insideOf(root, file);
    const info = await stat(path).catch(() => undefined);
    if (info === undefined) return { file, ...at, reason: "there is no such file" };
    at = { bytes: info.size, modifiedMs: Math.trunc(info.mtimeMs) };
    const owner = taken.get(crop);
    if (owner !== undefined) return { file, ...at, reason: `its crop would replace that of ${owner}` };
    taken.set(crop, file);
    picture = await readPicture(path);
    const { reduction } = picture;
    const [x0, y0, x1, y1] = (near ?? []).map((value) => value / reduction);
    face = await aligner.align(picture, near && [x0, y0, x1, y1]);
  } catch (error) {
    if (!isEtlError(error, "data") && !isEtlError(error, "io")) throw error;
    return { file, ...at, reason: messageOf(error) };
  }
  if (face === undefined)
    return {
      ...{ file, ...at, reason: near === undefined ? "no face was found" : "no face was found in its box" },
      ...(near && { near }),
    };
  const encoded = await encodeCrop(face.crop, crop);
  await writeWhole(insideOf(folder, crop), encoded);
  const { reduction: r, width, height } = picture;
  const { a, b, tx, ty } = face.toPicture;
  const [x0, y0, x1, y1] = face.box.map((value) => rounded(value * r, 2));
  return {
    file,
    ...at,
    crop,
    picture: [Math.round(width * r), Math.round(height * r)],
    score: rounded(face.score, 4),
    box: [x0, y0, x1, y1],
    faces: face.faces,
    ...(near && { near }),
    landmarks: LANDMARKS,
    ...(place.points && { points: pointsInCrop(face) }),
    transform: [a * r, b * r, tx * r, ty * r],
    degrees: rounded(degreesOf(face.toPicture), 2),
    sum: crc32(encoded),
    ...(face.margin && { margin: true }),
  };
}

/** The landmarks in pixels of the crop. */
function pointsInCrop({ landmarks, toPicture }: AlignedFace): number[] {
  return Array.from(applySimilarity(inverseSimilarity(toPicture), landmarks), (value) => rounded(value, 2));
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

function checkSettings(options: AlignOptions): AlignSettings {
  const { size = 150, padding = DLIB_PADDING, minScore = MIN_SCORE } = options;
  const refuse = (name: string, found: number, needed: string): EtlError =>
    new EtlError("usage", `--${name}: ${found}, ${needed} was needed`);
  if (!Number.isInteger(size) || size < 16 || size > 1024) {
    throw refuse("size", size, "a whole number of pixels from 16 to 1024");
  }
  if (!(padding >= 0 && padding <= 2)) throw refuse("padding", padding, "a number in [0, 2]");
  if (!(minScore > 0 && minScore < 1)) throw refuse("min-score", minScore, "a number in (0, 1)");
  return { size, padding, minScore, ...(options.landmarks === true && { landmarks: true }) };
}

function refuseOverlap(input: string, out: string): void {
  const within = (path: string, parent: string): boolean => {
    const way = relative(parent, path);
    return way === "" || !(way === ".." || way.startsWith("../") || resolve(way) === way);
  };
  if (!within(out, input) && !within(input, out)) return;
  throw new EtlError(
    "usage",
    `align: ${out} and ${input} lie in one another, two separate folders were needed`,
    {
      hint: `for example ${join(dirname(input), "aligned")}`,
    },
  );
}

/** What an earlier run left; a folder that holds other things is refused. */
async function earlierEntries(
  folder: string,
  settings: AlignSettings,
  { progress, replace }: { readonly progress: Pick<Progress, "warn">; readonly replace: boolean },
): Promise<Map<string, AlignEntry>> {
  const path = join(folder, "align.json");
  if (existsSync(path)) {
    await removeUnfinished(folder);
    const text = await readText(path);
    const kept = isJson(text) ? keptEntries(JSON.parse(text), settings, { where: path, replace }) : undefined;
    if (kept === undefined) progress.warn(`${path}: not what was written, all pictures are aligned again`);
    return kept ?? new Map<string, AlignEntry>();
  }
  const found = await readdir(folder).catch(() => []);
  if (found.length === 0) return new Map();
  throw new EtlError(
    "usage",
    `align: ${folder} holds ${found.length} files and no align.json, a new or empty folder was needed`,
  );
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Removes what writes that were killed half way have left, at any depth. */
async function removeUnfinished(folder: string): Promise<void> {
  for (const name of await unfinishedIn(folder)) await rm(join(folder, name), { force: true });
  for (const entry of await readdir(folder, { withFileTypes: true }))
    if (entry.isDirectory()) await removeUnfinished(join(folder, entry.name));
}

function stopped(folder: string, signal: AbortSignal): EtlError {
  const message = `${folder}: stopped by the user, what was done is kept`;
  return interrupted(signal, message, "run the same command again to go on");
}
