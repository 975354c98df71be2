/** Small trees of pictures, drawn here. */
import { mkdtempSync, rmSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import sharp from "sharp";
import type { Preprocessing } from "../../lib/core/artifacts.ts";
import { openDataset } from "../../lib/data/open.ts";
import { prepareImages, type ImageStore } from "../../lib/data/images/store.ts";

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

export { refused as failure } from "../support/refusal.ts";

/** RGB bytes whose value depends on the place. */
export function ramp(width: number, height: number): Uint8Array {
  return Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 7) % 251);
}

/** A folder of n pictures of grey level i and age i. */
export async function greys(n: number, more: Record<string, string | number> = {}): Promise<string> {
  const names = Array.from({ length: n }, (_, i) => `p${i}.png`);
  const lines = [...names, ...Object.keys(more)].map((name, i) => `${name},train,${i}`);
  const pictures = Object.fromEntries(names.map((name, i) => [name, i]));
  return tree({ ...pictures, ...more, "labels.csv": `file,split,age\n${lines.join("\n")}\n` });
}

export async function storeOf(root: string, cacheDir: string, warnings: string[] = []): Promise<ImageStore> {
  const dataset = await openDataset({ data: root, task: "age", seed: 1, valFraction: 0 });
  const nothing = (): void => undefined;
  const progress = {
    start: nothing,
    update: nothing,
    finish: nothing,
    note: nothing,
    warn: (text: string) => warnings.push(text),
  };
  return prepareImages(dataset, small, { cacheDir, progress });
}
