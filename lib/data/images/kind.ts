/** What a file is that is called a picture and cannot be decoded, by its first bytes; and colours that libvips would read wrongly. */

/** First bytes (latin1) of what people and programs leave under the name of a picture. */
const KINDS: readonly (readonly [start: RegExp, is: string])[] = [
  [/^$/, "the file is empty"],
  [/^version https:\/\/git-lfs/, "a pointer of Git LFS, the file itself was not fetched: git lfs pull"],
  [/^.{4}ftyp(hei[cxms]|hev[cxms]|mif1|msf1)/s, "HEIC, which is not read: convert it to JPEG or PNG"],
  [/^(\xff\x0a|\0\0\0\x0cJXL )/, "JPEG XL, which is not read: convert it to JPEG or PNG"],
  [/^\0\0\0\x0cjP {2}/, "JPEG 2000, which is not read: convert it to JPEG or PNG"],
  [/^8BPS/, "a file of Photoshop, which is not read: convert it to JPEG or PNG"],
  [/^(\xef\xbb\xbf)?\s*<(!doctype html|html|head|body)/i, "a web page, as a failed download leaves it"],
  [/^(\xef\xbb\xbf)?\s*(<|\{)/, "text, no picture"],
  [/^%PDF/, "a PDF, no picture"],
  [/^(PK\x03\x04|\x1f\x8b|Rar!|7z\xbc\xaf)/, "an archive: unpack it first"],
];

/** Bytes of a file that say what it is. */
export const KIND_BYTES = 64;

/** What a file is that could not be decoded; undefined where its first bytes look like a picture's. */
export function kindOf(start: Uint8Array): string | undefined {
  const text = Buffer.from(start.subarray(0, KIND_BYTES)).toString("latin1");
  return KINDS.find(([pattern]) => pattern.test(text))?.[1];
}

/** Ways to store samples as they are. */
const PLAIN_CODECS = new Set([1, 5, 8, 32946, 32773, 34925, 50000]);
const [COMPRESSION, PHOTOMETRIC] = [259, 262];
const YCBCR = 6;

/**
 * Whether a TIFF file holds luma and chroma as plain samples: libvips takes them for red, green and blue, without a word. (JPEG inside
 * TIFF holds them, too, and is read rightly.)
 */
export function isPlainYcbcr(bytes: Uint8Array): boolean {
  const [first, second] = bytes;
  const little = first === 0x49 && second === 0x49;
  if (bytes.length < 8 || !(little || (first === 0x4d && second === 0x4d))) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint16(2, little) !== 42) return false;
  const at = view.getUint32(4, little);
  if (at + 2 > bytes.length) return false;
  const tags = new Map<number, number>();
  for (let i = 0, n = view.getUint16(at, little); i < n; i++) {
    const entry = at + 2 + i * 12;
    if (entry + 12 > bytes.length) break;
    tags.set(view.getUint16(entry, little), view.getUint16(entry + 8, little));
  }
  return tags.get(PHOTOMETRIC) === YCBCR && PLAIN_CODECS.has(tags.get(COMPRESSION) ?? 1);
}
