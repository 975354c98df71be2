/** Names of pictures by their endings. No imports of its own, as the command line asks before anything is loaded. */
import { extname } from "node:path";

/** Bitmaps that are decoded here. */
export const BITMAP_ENDINGS: readonly string[] = [".pgm", ".ppm", ".pbm", ".pnm", ".bmp"];

const PICTURES = new Set([
  ...[".jpg", ".jpeg", ".jfif", ".jpe", ".png", ".webp", ".gif", ".tif", ".tiff", ".avif"],
  ...BITMAP_ENDINGS,
]);

/** Whether a file name ends like a picture's. */
export function isPicture(file: string): boolean {
  return PICTURES.has(extname(file).toLowerCase());
}
