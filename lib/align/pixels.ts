/** A picture in memory, and the size at which it is worked on. */

/** RGB, uint8 [height, width, 3]. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

/** Longest side that is worked on: larger pictures are reduced first. */
const LARGEST = 2048;

/** The size at which a picture is worked on, and how many pixels of it are one there. */
export function workingSize(picture: { readonly width: number; readonly height: number }): {
  readonly width: number;
  readonly height: number;
  readonly reduction: number;
} {
  const reduction = Math.max(1, Math.max(picture.width, picture.height) / LARGEST);
  const side = (pixels: number): number => Math.max(1, Math.round(pixels / reduction));
  return { width: side(picture.width), height: side(picture.height), reduction };
}
