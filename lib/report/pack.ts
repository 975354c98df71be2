/** Plotly as the page carries it: compressed, because it is most of the page. */
import { base64, sha256 } from "../core/sha256.ts";

/** What the caller hands to `renderReport` beside the records: plotly.js, packed. */
export interface ReportAssets {
  /** The program text, gzip, as `base93`. */
  readonly plotly: string;
  /** SHA-256 of the program text, base 64: the page runs this text and no other. */
  readonly plotlyHash: string;
}

/**
 * Packs plotly.js for the page. The browser unpacks it by its own DecompressionStream.
 *
 * @param source program text of plotly.js, minified
 */
export async function packReportAssets(source: string): Promise<ReportAssets> {
  // The HTML parser does not touch what a script makes, so the text stays as it is but for a mark that decoders drop.
  const text = source.replace(/^\ufeff/, "");
  const packed = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  const bytes = new Uint8Array(await new Response(packed).arrayBuffer());
  return { plotly: base93(bytes), plotlyHash: base64(sha256(text)) };
}

/**
 * Bytes as text: 13 bits in two letters, or 14 where their first 13 say little enough, 8 percent less than base 64. The letters are
 * those of codes 33 to 126 without <, so that the text can stand in a page. `unpackPlotly` reads it.
 */
export function base93(bytes: Uint8Array): string {
  const letters = new Uint8Array(Math.ceil((bytes.length * 16) / 13) + 2);
  let at = 0;
  let held = 0;
  let bits = 0;
  const put = (value: number): void => {
    letters[at++] = value + (value < 27 ? 33 : 34);
  };
  for (const byte of bytes) {
    held |= byte << bits;
    bits += 8;
    if (bits < 14) continue;
    // 93 x 93 are 457 more than 2 ** 13: so many values take a bit more.
    const short = (held & 8191) > 456;
    const value = held & (short ? 8191 : 16383);
    put(value % 93);
    put(Math.floor(value / 93));
    held >>= short ? 13 : 14;
    bits -= short ? 13 : 14;
  }
  if (bits > 0) {
    put(held % 93);
    if (bits > 7 || held > 92) put(Math.floor(held / 93));
  }
  return new TextDecoder().decode(letters.subarray(0, at));
}
