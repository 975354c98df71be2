/** Small trees of pictures, drawn here. */
import { mkdtempSync, rmSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import sharp from "sharp";
import type { Preprocessing } from "../../lib/core/artifacts.ts";
import { isEtlError, type EtlError } from "../../lib/core/errors.ts";

const folders: string[] = [];

/** A new empty folder; removed by {@link removeFolders}. */
export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "etl-data-"));
  folders.push(folder);
  return folder;
}

export function removeFolders(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

/** Writes texts (string) and plain pictures (a grey level 0..255) into a folder. */
export async function writeTree(
  root: string,
  files: Readonly<Record<string, string | number | Uint8Array>>,
): Promise<string> {
  for (const [name, content] of Object.entries(files)) {
    const path = join(root, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, typeof content === "number" ? await greyPicture(content) : content);
  }
  return root;
}

export function tree(files: Readonly<Record<string, string | number | Uint8Array>>): Promise<string> {
  return writeTree(newFolder(), files);
}

/** A 20x10 PNG of one grey level. */
export function greyPicture(level: number, width = 20, height = 10): Promise<Uint8Array> {
  const background = { r: level, g: level, b: level };
  return sharp({ create: { width, height, channels: 3, background } })
    .png()
    .toBuffer();
}

/** A PNG from RGB bytes. */
export function picture(data: Uint8Array, width: number, height: number): Promise<Uint8Array> {
  return sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}

/** 8x6, RGB, nothing subtracted. */
export const small: Preprocessing = {
  width: 8,
  height: 6,
  color: "RGB",
  mean: [0, 0, 0],
  scale: [1, 1, 1],
};

/** The EtlError that `work` ends with. */
export async function failure(work: () => unknown): Promise<EtlError> {
  try {
    await work();
  } catch (error) {
    if (isEtlError(error)) return error;
    throw error;
  }
  throw new Error("it did not fail");
}
