/** A layout: one way in which a public data set, or a user, arranges pictures and labels in a folder. */
import { readdir, realpath } from "node:fs/promises";
import { extname, join } from "node:path";
import { needWithin } from "../../core/budget.ts";
import { messageOf } from "../../core/errors.ts";
import { ioError, readStart } from "../../core/files.ts";
import { mapLimit } from "../../core/parallel.ts";
import type { RawTable } from "../dataset.ts";
import { isPicture } from "../images/endings.ts";

export interface SourceLayout {
  /** As printed: "CelebA". */
  readonly name: string;
  /** What a folder of this layout looks like, for the error message that lists them. */
  readonly looks: string;
  /** Whether `folder` has this layout. */
  detect(folder: Folder): boolean | Promise<boolean>;
  /** Reads the labels; pictures are not opened. */
  read(folder: Folder): Promise<RawTable>;
}

/** The names in a folder: what layouts are recognised by. */
export interface Folder {
  readonly root: string;
  /** Files, relative to the root, with forward slashes, sorted; at most three folders deep. */
  readonly files: readonly string[];
  /** The pictures among them. */
  readonly pictures: readonly string[];
  /** What looks like a picture and is not among them, and why. */
  readonly unread: readonly { readonly file: string; readonly problem: string }[];
}

/** Formats of pictures that the decoder does not know. */
const OTHER_PICTURES = new Set([
  ...[
    ".heic",
    ".heif",
    ".jxl",
    ".jp2",
    ".j2k",
    ".raw",
    ".cr2",
    ".cr3",
    ".nef",
    ".arw",
    ".orf",
    ".rw2",
    ".raf",
    ".dng",
  ],
  ...[".psd", ".tga", ".pcx", ".ico", ".exr", ".hdr", ".svg"],
]);
/** What archives and systems put beside pictures: copies of them, in small or without content. */
const SYSTEM_FOLDERS = new Set([
  "__MACOSX",
  "@eaDir",
  "#recycle",
  "$RECYCLE.BIN",
  "System Volume Information",
  "lost+found",
]);
const DEPTH = 3;

/** Lists a folder for the layouts to recognise. Hidden files are left out, links to folders are followed. */
export async function listFolder(root: string): Promise<Folder> {
  const files: string[] = [];
  const unread: { file: string; problem: string }[] = [];
  await walk(root, "", { depth: 0, files, unread, above: [], folders: { count: 0 } });
  files.sort((a, b) => (a < b ? -1 : 1));
  for (const file of files) {
    if (OTHER_PICTURES.has(extname(file).toLowerCase()))
      unread.push({
        file,
        problem: `pictures of the format ${extname(file)} cannot be decoded; convert it to JPEG or PNG`,
      });
  }
  unread.push(...(await unnamedPictures(root, files)));
  return { root, files, pictures: files.filter(isPicture), unread };
}

/** Bytes that JPEG, PNG, GIF, BMP and WebP begin with. */
const STARTS = ["\xff\xd8\xff", "\x89PNG", "GIF8", "BM", "RIFF"];

/** Pictures whose name has no ending that programs write (`0001`, `1.jpg_large`, `face.001`): only their bytes say what they are. */
async function unnamedPictures(
  root: string,
  files: readonly string[],
): Promise<readonly { readonly file: string; readonly problem: string }[]> {
  const unnamed = files.filter((file) => !isPicture(file) && !/^\.[a-z][a-z0-9]{0,8}$/i.test(extname(file)));
  const found = await mapLimit(unnamed, 16, async (file) => {
    const start = await readStart(join(root, file), 4).catch(() => new Uint8Array());
    return STARTS.some((text) => Buffer.from(start).toString("latin1").startsWith(text));
  });
  return unnamed.flatMap((file, i) =>
    found[i]
      ? [{ file, problem: "a picture by its first bytes, not by its name: give it the ending .jpg or .png" }]
      : [],
  );
}

interface Walk {
  readonly depth: number;
  /** Where the folders above really lie: a link that leads back to one of them is not followed. */
  readonly above: readonly string[];
  readonly folders: { count: number };
  readonly files: string[];
  readonly unread: { file: string; problem: string }[];
}

async function walk(root: string, below: string, from: Walk): Promise<void> {
  const { depth, files, unread, folders } = from;
  needWithin(root, "folders", ++folders.count);
  let entries;
  let real: string;
  try {
    entries = await readdir(join(root, below), { withFileTypes: true });
    real = await realpath(join(root, below));
  } catch (error) {
    if (depth > 0) {
      unread.push({ file: below, problem: `the folder cannot be listed (${messageOf(error)})` });
      return;
    }
    throw ioError("cannot list", root, error);
  }
  if (from.above.includes(real)) {
    unread.push({ file: below, problem: "a link to a folder above it: what is in it was looked at there" });
    return;
  }
  const above = [...from.above, real];
  for (const entry of entries) {
    if (entry.name.startsWith(".") || SYSTEM_FOLDERS.has(entry.name)) continue;
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    const folder = entry.isDirectory() || (entry.isSymbolicLink() && !isPicture(entry.name));
    if (folder && depth < DEPTH) await walk(root, path, { ...from, depth: depth + 1, above });
    else if (entry.isDirectory())
      unread.push({
        file: path,
        problem: `lies more than ${DEPTH} folders deep: what is in it is not looked at`,
      });
    if (!entry.isDirectory()) files.push(path);
  }
}

/** The last part of a path with forward slashes. */
export function baseName(file: string): string {
  return file.slice(file.lastIndexOf("/") + 1);
}

/** Whether most pictures of a folder have names that match. */
export function mostMatch(files: readonly string[], pattern: RegExp): boolean {
  const hits = files.filter((file) => pattern.test(baseName(file))).length;
  return hits > 0 && hits * 2 > files.length;
}
