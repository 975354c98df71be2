/**
 * Formats that libvips is built without: PBM, PGM and PPM (P1 to P6) and Windows bitmaps without compression. Many older
 * face sets come in them.
 */

/** Pixels as they stand in the file. */
export interface Bitmap {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  /** uint8 [height, width, channels] */
  readonly pixels: Uint8Array;
}

/** Most pixels that are decoded: as many as libvips takes. */
const LARGEST = 0x3fff * 0x3fff;

/**
 * Decodes a PNM file or a Windows bitmap.
 *
 * @returns undefined for any other format
 * @throws Error with what is wrong in the file
 */
export function readBitmap(bytes: Uint8Array): Bitmap | undefined {
  const [first, second] = bytes;
  if (first === 0x50 && second >= 0x31 && second <= 0x36) return readPnm(bytes, second - 0x30);
  if (first === 0x42 && second === 0x4d) return readBmp(bytes);
  return undefined;
}

/** Bytes of a file that hold the header of a bitmap, save where comments of a PNM file are longer. */
export const HEADER_BYTES = 4096;

/**
 * The size of a PNM file or a Windows bitmap from its first bytes.
 *
 * @returns undefined for any other format
 * @throws Error with what is wrong in the header: too many pixels, for example
 */
export function bitmapSize(
  start: Uint8Array,
): { readonly width: number; readonly height: number } | undefined {
  const [first, second] = start;
  if (first === 0x50 && second >= 0x31 && second <= 0x36) {
    const text = new Tokens(start);
    const [width, height] = [text.number("width"), text.number("height")];
    checkSize(width, height);
    return { width, height };
  }
  if (first !== 0x42 || second !== 0x4d || start.length < 26) return undefined;
  const view = new DataView(start.buffer, start.byteOffset, start.byteLength);
  const [width, height] = [view.getInt32(18, true), Math.abs(view.getInt32(22, true))];
  checkSize(width, height);
  return { width, height };
}

function checkSize(width: number, height: number): void {
  if (width >= 1 && height >= 1 && width * height <= LARGEST) return;
  throw new Error(`${width} x ${height} pixels, 1 to ${LARGEST} were needed`);
}

/** Kind 1 to 3: numbers as text; 4 to 6: bytes. 1 and 4: bits, 1 is black; 2 and 5: grey; 3 and 6: RGB. */
function readPnm(bytes: Uint8Array, kind: number): Bitmap {
  const text = new Tokens(bytes);
  const isBits = kind === 1 || kind === 4;
  const [width, height] = [text.number("width"), text.number("height")];
  const largest = isBits ? 1 : text.number("largest value");
  checkSize(width, height);
  if (largest < 1 || largest > 65535) throw new Error(`largest value ${largest}, 1 to 65535 was needed`);
  const channels = kind === 3 || kind === 6 ? 3 : 1;
  const values = width * height * channels;
  const next =
    kind <= 3 ? textValues(text, isBits) : byteValues(bytes, text.at + 1, { kind, width, largest });
  const bytesNeeded = kind === 4 ? Math.ceil(width / 8) * height : values * (largest > 255 ? 2 : 1);
  const left = bytes.length - text.at - 1;
  if (kind > 3 && left < bytesNeeded) throw new Error(`cut off: ${left} bytes of ${bytesNeeded}`);
  if (kind <= 3 && left < values) throw new Error(`cut off: ${left} bytes for ${values} numbers`);
  const pixels = new Uint8Array(values);
  for (let i = 0; i < values; i++) {
    const value = next(i);
    pixels[i] = isBits ? 255 * (1 - value) : Math.round((255 * Math.min(value, largest)) / largest);
  }
  return { width, height, channels, pixels };
}

function textValues(text: Tokens, isBits: boolean): (i: number) => number {
  return () => (isBits ? text.bit() : text.number("pixel"));
}

function byteValues(
  bytes: Uint8Array,
  start: number,
  { kind, width, largest }: { readonly kind: number; readonly width: number; readonly largest: number },
): (i: number) => number {
  const row = Math.ceil(width / 8);
  if (kind === 4) {
    return (i) => {
      const x = i % width;
      return (bytes[start + Math.floor(i / width) * row + (x >> 3)] >> (7 - (x & 7))) & 1;
    };
  }
  if (largest > 255) return (i) => (bytes[start + 2 * i] << 8) | bytes[start + 2 * i + 1];
  return (i) => bytes[start + i];
}

/** Numbers as text with blanks between them; `#` starts a comment that the line ends. */
class Tokens {
  readonly #bytes: Uint8Array;
  /** Of the byte behind the last token. */
  at = 2;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  number(what: string): number {
    this.#skip();
    let value = -1;
    for (let digit = this.#digit(); digit >= 0 && value < 1e9; digit = this.#digit()) {
      value = 10 * Math.max(0, value) + digit;
      this.at++;
    }
    if (value < 0) throw new Error(`no number where the ${what} should stand, at byte ${this.at}`);
    return value;
  }

  /** Bits as text need no blanks between them. */
  bit(): number {
    this.#skip();
    const digit = this.#digit();
    if (digit !== 0 && digit !== 1) throw new Error(`no 0 or 1 at byte ${this.at}`);
    this.at++;
    return digit;
  }

  #digit(): number {
    const digit = (this.#bytes[this.at] ?? 0) - 0x30;
    return digit >= 0 && digit <= 9 ? digit : -1;
  }

  #skip(): void {
    for (; this.at < this.#bytes.length; this.at++) {
      const byte = this.#bytes[this.at];
      if (byte === 0x23) while (this.at < this.#bytes.length && this.#bytes[this.at] !== 0x0a) this.at++;
      else if (byte !== 0x20 && (byte < 0x09 || byte > 0x0d)) return;
    }
  }
}

/** Palettes of 1, 4 and 8 bits, and 24 and 32 bits a pixel; alpha is not looked at, as most programs do. */
function readBmp(bytes: Uint8Array): Bitmap {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 54) throw new Error(`cut off: ${bytes.length} bytes, a header has 54`);
  const [start, header] = [view.getUint32(10, true), view.getUint32(14, true)];
  if (header < 40) throw new Error(`a header of ${header} bytes, at least 40 were needed`);
  const [width, signed] = [view.getInt32(18, true), view.getInt32(22, true)];
  const [bits, compression] = [view.getUint16(28, true), view.getUint32(30, true)];
  const height = Math.abs(signed); // positive: the lowest row comes first
  checkSize(width, height);
  // 3: masks for the colours; the usual ones of 32 bits are the order that stands there anyway.
  const usualMasks =
    compression === 3 && bits === 32 && bytes.length >= 66 && view.getUint32(54, true) === 0xff0000;
  if (compression !== 0 && !usualMasks) throw new Error(`a compressed bitmap (kind ${compression})`);
  if (![1, 4, 8, 24, 32].includes(bits))
    throw new Error(`${bits} bits a pixel, 1, 4, 8, 24 or 32 were needed`);
  const row = Math.ceil((width * bits) / 32) * 4;
  if (bytes.length < start + row * height)
    throw new Error(`cut off: ${bytes.length} bytes of ${start + row * height}`);
  const palette = 14 + header;
  const pixels = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    const line = start + row * (signed > 0 ? height - 1 - y : y);
    for (let x = 0; x < width; x++) {
      const from = bits >= 24 ? line + (x * bits) / 8 : palette + 4 * indexAt(bytes, line, { x, bits });
      const to = 3 * (y * width + x);
      for (let c = 0; c < 3; c++) pixels[to + c] = bytes[from + 2 - c];
    }
  }
  return { width, height, channels: 3, pixels };
}

/** Which colour of the palette a pixel has; the first of a byte is in its high bits. */
function indexAt(
  bytes: Uint8Array,
  line: number,
  { x, bits }: { readonly x: number; readonly bits: number },
): number {
  const bit = x * bits;
  return (bytes[line + (bit >> 3)] >> (8 - bits - (bit & 7))) & ((1 << bits) - 1);
}
