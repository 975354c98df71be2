/** Whole pictures in memory, and crops back into files. */
import { extname } from "node:path";
import sharp from "sharp";
import { WHOLE } from "../data/dataset.ts";
import { decodeImage, pictureSize } from "../data/images/decode.ts";
import { workingSize, type Picture } from "./pixels.ts";

/** A picture as it was read. */
export interface ReadPicture extends Picture {
  /** Pixels of the file for one pixel here: 1, or more where the file was larger than needed. */
  readonly reduction: number;
}

/** Reads a picture, turned as its EXIF tag says. @throws EtlError kind `io` or `data` */
export async function readPicture(path: string): Promise<ReadPicture> {
  const { reduction, ...size } = workingSize(await pictureSize(path));
  return { ...size, pixels: await decodeImage(path, WHOLE, size), reduction };
}

/** Formats that a crop is written in when the picture came in it. */
const formats: Readonly<Partial<Record<string, "jpeg" | "png" | "webp" | "tiff">>> = {
  ".jpg": "jpeg",
  ".jpeg": "jpeg",
  ".png": "png",
  ".webp": "webp",
  ".tif": "tiff",
  ".tiff": "tiff",
};

/** Name of the crop of a picture: the same, or with `.png` behind it where its format is not one we write. */
export function cropName(file: string): string {
  return Object.hasOwn(formats, extname(file).toLowerCase()) ? file : `${file}.png`;
}

/** Encodes a crop as the ending of `name` says; colours are not thinned out. */
export async function encodeCrop({ pixels, width, height }: Picture, name: string): Promise<Uint8Array> {
  const image = sharp(pixels, { raw: { width, height, channels: 3 } });
  const format = formats[extname(name).toLowerCase()] ?? "png";
  const encoded = {
    jpeg: () => image.jpeg({ quality: 95, chromaSubsampling: "4:4:4" }),
    png: () => image.png(),
    webp: () => image.webp({ quality: 95 }),
    tiff: () => image.tiff({ compression: "lzw" }),
  }[format]();
  return encoded.toBuffer();
}
