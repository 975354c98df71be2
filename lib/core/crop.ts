/** Face boxes: what one may be, wherever it is said. */
import type { Crop } from "./artifacts.ts";
import { EtlError } from "./errors.ts";

/** A box in fractions of the picture, or the largest square in the middle of each. */
export type CropChoice = Crop | "center";

/** The largest square in the middle of a picture, in fractions of it. */
export function centreOf({ width, height }: { readonly width: number; readonly height: number }): Crop {
  const side = Math.min(width, height);
  const [x, y] = [(width - side) / 2 / width, (height - side) / 2 / height];
  return [x, y, 1 - x, 1 - y];
}

/** What a box has to be, in words. */
export const CROP_NEEDED =
  "x0,y0,x1,y1 in fractions of the picture was needed (x0 < x1, y0 < y1, between -1 and 2)";

/** Four numbers x0, y0, x1, y1 with x0 < x1 and y0 < y1, of which some part lies on the picture, none a picture away. */
export function isCrop(value: unknown): value is Crop {
  if (!Array.isArray(value) || value.length !== 4 || !value.every(isNear)) return false;
  const [x0, y0, x1, y1] = value as number[];
  return x0 < x1 && y0 < y1 && Math.min(x1, y1) > 0 && Math.max(x0, y0) < 1;
}

function isNear(value: unknown): boolean {
  return typeof value === "number" && value >= -1 && value <= 2;
}

/** Files hold values that have no text of their own. */
function foundIn(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "nothing");
}

/** @throws EtlError `usage` for a box that is none */
export function checkCrop(crop: unknown): void {
  if (crop === "center" || isCrop(crop)) return;
  const found = Array.isArray(crop) ? crop.map(foundIn).join(",") : foundIn(crop);
  throw new EtlError("usage", `--crop: ${found}, ${CROP_NEEDED}`, {
    hint: "for example --crop 0.18,0.35,0.82,0.87; whole: all of it; center: the largest square in the middle",
  });
}
