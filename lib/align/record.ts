/** `align.json`: what became of every picture, and what a second run may keep. */
import { EtlError } from "../core/errors.ts";
import { fingerprint } from "../core/fingerprint.ts";
import type { Box } from "./detections.ts";

/** Raised whenever the same picture would give another crop. */
const SCHEMA = 2;

/** What the crops depend on. */
export interface AlignSettings {
  /** Side of the crops in pixels. */
  readonly size: number;
  /** Room around the mean face on every side, in its widths. */
  readonly padding: number;
  /** How sure the detector must be, in 0..1. */
  readonly minScore: number;
  /** Whether the landmarks that were found become labels. */
  readonly landmarks?: true;
}

/** One picture. Places in pixels of the picture, after EXIF rotation. */
export interface AlignEntry {
  /** Relative to the input folder. */
  readonly file: string;
  /** Size and time of change of the file: another one is aligned again. */
  readonly bytes: number;
  readonly modifiedMs: number;
  /** Why there is no crop. */
  readonly reason?: string;
  /** The crop, relative to the output folder. */
  readonly crop?: string;
  /** Width and height of the picture. */
  readonly picture?: readonly [number, number];
  readonly score?: number;
  /** x0, y0, x1, y1 of the face that was taken. */
  readonly box?: Box;
  /** The box that the labels gave: the face in it was taken. */
  readonly near?: Box;
  /** How many faces were found; the largest was taken, or that in `near`. */
  readonly faces?: number;
  /** How many landmarks were found. */
  readonly landmarks?: number;
  /** The landmarks in pixels of the crop: x0, y0, x1, y1, ...; only where they become labels. */
  readonly points?: readonly number[];
  /** a, b, tx, ty: a pixel (u, v) of the crop is (a u - b v + tx, b u + a v + ty) of the picture. */
  readonly transform?: readonly [number, number, number, number];
  /** How far the face was turned, in degrees. */
  readonly degrees?: number;
  /** CRC-32 of the crop's file: another one is made again. */
  readonly sum?: number;
  /** Found only with black around the picture: the face fills it. */
  readonly margin?: boolean;
}

export interface AlignRecord {
  readonly schema: number;
  readonly etlVersion: string;
  readonly settings: AlignSettings;
  readonly pictures: readonly AlignEntry[];
  /** Fingerprint of the settings and the pictures. */
  readonly check?: string;
}

/** The record of a run, finished or not. */
export function alignRecord(
  settings: AlignSettings,
  pictures: readonly AlignEntry[],
  etlVersion: string,
): AlignRecord {
  return { schema: SCHEMA, etlVersion, settings, pictures, check: fingerprint([settings, pictures]) };
}

/**
 * What an earlier run left, by file; nothing where an earlier version made it, and undefined where it is not what was written.
 *
 * @param replace crops of other settings are made again
 * @throws EtlError kind `format` where the file is no such record; `usage` where its settings were others
 */
export function keptEntries(
  json: unknown,
  settings: AlignSettings,
  { where, replace }: { readonly where: string; readonly replace: boolean },
): Map<string, AlignEntry> | undefined {
  const record = json as Partial<AlignRecord> | null;
  const entries: unknown = record?.pictures;
  if (typeof record?.schema !== "number" || !Array.isArray(entries) || !entries.every(isEntry)) {
    throw new EtlError("format", `${where}: damaged, a record of etl align was needed`, {
      hint: "choose another output folder: the pictures are aligned again",
    });
  }
  if (record.check !== undefined && record.check !== fingerprint([record.settings, entries]))
    return undefined;
  if (record.schema !== SCHEMA) return new Map();
  const other = (["size", "padding", "minScore", "landmarks"] as const).filter(
    (name) => record.settings?.[name] !== settings[name],
  );
  if (other.length === 0) return new Map(entries.map((entry) => [entry.file, entry]));
  if (replace || entries.length === 0) return new Map();
  const said = other.map((name) => `${name} ${JSON.stringify(record.settings?.[name] ?? false)}`).join(", ");
  throw new EtlError("usage", `${where}: crops of other settings (${said}), a new folder was needed`, {
    hint: "choose another output folder, or give --replace to align the pictures again",
  });
}

function isEntry(value: unknown): value is AlignEntry {
  if (typeof value !== "object" || value === null) return false;
  const { file, bytes, modifiedMs, crop, transform, reason, picture } = value as Record<string, unknown>;
  if (typeof file !== "string" || !Number.isFinite(bytes) || !Number.isFinite(modifiedMs)) return false;
  if (crop === undefined) return typeof reason === "string";
  return typeof crop === "string" && isNumbers(transform, 4) && isNumbers(picture, 2);
}

function isNumbers(value: unknown, length: number): boolean {
  return Array.isArray(value) && value.length === length && value.every(Number.isFinite);
}
