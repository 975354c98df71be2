/**
 * Picture files become pixels: decode, EXIF rotation, face box, resize, RGB uint8.
 *
 * A box that sticks out of the picture is padded by repeating the edge. The box keeps its fractions of a pixel; kernel:
 * bilinear, widened when reducing (see resample.ts). Large pictures are first reduced to about twice the wanted size.
 * Grey becomes three equal channels, CMYK and 16-bit become 8-bit sRGB, alpha is laid over mid-grey.
 */
import { stat } from "node:fs/promises";
import { extname, resolve } from "node:path";
import sharp, { type Sharp } from "sharp";
import type { Preprocessing } from "../../core/artifacts.ts";
import { centreOf, type CropChoice } from "../../core/crop.ts";
import { EtlError, isEtlError, messageOf } from "../../core/errors.ts";
import { ioError, needPlain, readStart } from "../../core/files.ts";
import type { DataProblem } from "../../record/record.ts";
import type { Tensor } from "../../network/network.ts";
import { mapLimit } from "../../core/parallel.ts";
import { bitmapSize, HEADER_BYTES, readBitmap } from "./bitmap.ts";
import { BITMAP_ENDINGS } from "./endings.ts";
import { isRow, pictureBytes } from "./pixel-rows.ts";
import { isPlainYcbcr, KIND_BYTES, kindOf } from "./kind.ts";
import { normalise } from "./normalise.ts";
import { resampleBox } from "./resample.ts";

// One libvips thread per picture, several pictures in flight (libuv's pool): no fight over cores.
sharp.concurrency(1);
sharp.cache(false);

/** What decodes: `undefined` for libvips as native code, else a sentence for the user. */
export function slowDecoder(): string | undefined {
  return "emscripten" in sharp.versions
    ? "pictures are decoded in WebAssembly, which is slower: sharp's native package is not installed (npm i --include=optional)"
    : undefined;
}

/** Pictures decoded at the same time; libuv has four threads unless told otherwise. */
export const IN_FLIGHT = 6;

/** Width and height in pixels, after EXIF rotation. */
export interface DecodedSize {
  readonly width: number;
  readonly height: number;
}

/** Reads the size from a picture's header, and whether its EXIF tag turns it. @throws EtlError kind `data` where it cannot be read */
export async function pictureSize(path: string): Promise<DecodedSize & { readonly turned?: true }> {
  try {
    if (!isRow(path)) needPlain(path, await stat(path)); // libvips would wait for a pipe without end
    const size = await bitmapSizeOf(path);
    if (size !== undefined) return size;
    const { autoOrient, orientation = 1 } = await sharp(path).metadata();
    return { ...autoOrient, ...(orientation > 1 && { turned: true }) };
  } catch (error) {
    if (isEtlError(error)) throw error;
    const start = isRow(path) ? undefined : await readStart(path, KIND_BYTES).catch(() => undefined);
    throw undecodable(path, error, start);
  }
}

/**
 * Decodes one picture and cuts its face box.
 *
 * @param choice box in fractions of the picture after EXIF rotation, or `center`; outside 0..1 the edge is repeated
 * @returns RGB, uint8 [height, width, 3]
 * @throws EtlError kind `io` where the file cannot be read, `data` where it cannot be decoded
 */
export async function decodeImage(
  path: string,
  choice: CropChoice,
  size: { readonly width: number; readonly height: number },
): Promise<Uint8Array> {
  let bytes: Buffer;
  try {
    if (!isRow(path)) await bitmapSizeOf(path);
  } catch (error) {
    throw isEtlError(error, "io") ? error : undecodable(path, error);
  }
  try {
    bytes = await pictureBytes(path);
  } catch (error) {
    if (isEtlError(error)) throw error;
    if (isRow(path)) throw undecodable(path, error);
    throw ioError("cannot read", path, error);
  }
  try {
    if (isPlainYcbcr(bytes))
      throw new Error("a TIFF of YCbCr samples, which are not read; convert it to RGB, JPEG or PNG");
    const source = sourceOf(bytes);
    const { autoOrient, depth } = await source().metadata();
    if (depth !== "uchar" && depth !== "ushort")
      throw new Error(`pixels of the type ${depth}, whose white is not known; 8 or 16 bits are read`);
    const crop = choice === "center" ? centreOf(autoOrient) : choice;
    const x = regionOf(crop[0], crop[2], autoOrient.width, size.width);
    const y = regionOf(crop[1], crop[3], autoOrient.height, size.height);
    let image = source().autoOrient();
    if (x.length !== autoOrient.width || y.length !== autoOrient.height) {
      image = image.extract({ left: x.start, top: y.start, width: x.length, height: y.length });
    }
    image = image.flatten({ background: { r: 128, g: 128, b: 128 } }).toColourspace("srgb");
    if (x.reduced !== x.length || y.reduced !== y.length) {
      image = image.resize(x.reduced, y.reduced, { fit: "fill", kernel: "linear", fastShrinkOnLoad: false });
    }
    const { data, info } = await image.raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    const box = [x.from / width, y.from / height, x.to / width, y.to / height] as const;
    return resampleBox(toRgb(data, channels), { width, height }, box, size);
  } catch (error) {
    throw undecodable(path, error, bytes);
  }
}

/** What libvips reads of a file: its bytes, or the pixels of a format that libvips does not know. */
function sourceOf(bytes: Uint8Array): () => Sharp {
  const bitmap = readBitmap(bytes);
  if (bitmap === undefined) return () => sharp(bytes, { failOn: "error" });
  const { width, height, channels, pixels } = bitmap;
  return () => sharp(pixels, { raw: { width, height, channels } });
}

/** The size of a bitmap from its first bytes: one that is too large is refused before all of it is read. */
async function bitmapSizeOf(path: string): Promise<DecodedSize | undefined> {
  if (isRow(path)) return bitmapSize(await pictureBytes(path));
  if (!BITMAP_ENDINGS.includes(extname(path).toLowerCase())) return undefined;
  return bitmapSize(await readStart(path, HEADER_BYTES));
}

/** One axis of a face box: which pixels are decoded, and where the box lies in them. */
interface Region {
  readonly start: number;
  readonly length: number;
  /** Pixels after the first reduction of a large picture. */
  readonly reduced: number;
  /** The box, in pixels after the reduction, counted from `start`. */
  readonly from: number;
  readonly to: number;
}

/** @param from, to box in fractions of the axis; `pixels` in the picture, `wanted` in the output */
function regionOf(from: number, to: number, pixels: number, wanted: number): Region {
  const step = ((to - from) * pixels) / wanted;
  const room = Math.ceil(Math.max(1, step)) + 1;
  const clamp = (value: number): number => Math.min(pixels, Math.max(0, value));
  const start = Math.min(pixels - 1, clamp(Math.floor(from * pixels) - room));
  const length = Math.max(1, clamp(Math.ceil(to * pixels) + room) - start);
  const reduced = step < 4 ? length : Math.max(1, Math.round((2 * length) / step));
  const ratio = reduced / length;
  return { start, length, reduced, from: (from * pixels - start) * ratio, to: (to * pixels - start) * ratio };
}

function toRgb(data: Buffer, channels: number): Uint8Array {
  if (channels === 3) return data;
  const pixels = data.length / channels;
  const rgb = new Uint8Array(pixels * 3);
  for (let i = 0; i < pixels; i++) {
    for (let c = 0; c < 3; c++) rgb[i * 3 + c] = data[i * channels + (channels < 3 ? 0 : c)];
  }
  return rgb;
}

/** @param start the first bytes of the file, where they could be read: they may say more than the decoder does */
function undecodable(path: string, error: unknown, start?: Uint8Array): EtlError {
  const reason = (start && kindOf(start)) ?? messageOf(error).split("\n")[0];
  return new EtlError("data", `${path}: cannot be decoded (${reason}), a picture was needed`, {
    hint: "JPEG, PNG, WebP, TIFF, GIF, AVIF, BMP, PGM and PPM are read",
    cause: error,
  });
}

/**
 * A small picture of decoded pixels, as WebP.
 *
 * @param pixels RGB, uint8 [height, width, 3]
 * @param side height in pixels
 */
export async function thumbnail(
  pixels: Uint8Array,
  { width, height }: DecodedSize,
  side: number,
): Promise<Uint8Array> {
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .resize({ height: side })
    .webp({ quality: 38, effort: 6 })
    .toBuffer();
}

/** Why a picture cannot be read, without its path: whoever says it has the name that was given. */
export function unreadReason(path: string, error: unknown): string {
  const message = messageOf(error);
  return message.startsWith(`${path}: `) ? message.slice(path.length + 2) : message;
}

/** The error where pictures were given and none of them can be used. */
export function noneUsable([first, ...others]: readonly DataProblem[], needed: string): EtlError {
  const { file, problem } = first;
  const isFolder = problem.startsWith("a folder,");
  return new EtlError(
    "data",
    `${file}: ${problem}${problem.endsWith(" needed") ? "" : `, ${needed} was needed`}`,
    {
      hint: isFolder
        ? "name the pictures in it, for example FOLDER/*.jpg"
        : others.length === 0
          ? "it is the only picture that was given"
          : `it is the first of ${others.length + 1} pictures, of which none can be used`,
    },
  );
}

/** Pictures loaded for a network. */
export interface LoadedImages {
  /** The files that could be decoded, in the order given. */
  readonly files: readonly string[];
  /** [files.length, 3, height, width] */
  readonly x: Tensor;
  readonly problems: readonly DataProblem[];
}

/**
 * Decodes and normalises single pictures. All are in memory at once: for a few hundred at most. None of them may be readable, as
 * they may be some of many: whoever has all of them says where there is nothing.
 */
export async function loadImages(
  files: readonly string[],
  crop: CropChoice,
  preprocessing: Preprocessing,
): Promise<LoadedImages> {
  const { width, height } = preprocessing;
  const decoded = await mapLimit(files, IN_FLIGHT, async (file) => {
    const path = resolve(file);
    try {
      return await decodeImage(path, crop, preprocessing);
    } catch (error) {
      return unreadReason(path, error);
    }
  });
  const good: string[] = [];
  const pixels: Uint8Array[] = [];
  const problems: DataProblem[] = [];
  decoded.forEach((result, i) => {
    if (typeof result === "string") problems.push({ file: files[i], problem: result });
    else {
      good.push(files[i]);
      pixels.push(result);
    }
  });
  const data = new Float32Array(good.length * 3 * width * height);
  pixels.forEach((image, i) => {
    data.set(normalise(image, preprocessing), i * 3 * width * height);
  });
  return { files: good, x: { shape: [good.length, 3, height, width], data }, problems };
}
