/** Plotly as the page carries it: compressed, because it is most of the page. */
import { base64, sha256 } from "../core/sha256.ts";

/** What the caller hands to `renderReport` beside the records: plotly.js, packed. */
export interface ReportAssets {
  /** The program text, gzip, as `base85`. */
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
  return { plotly: base85(bytes), plotlyHash: base64(sha256(text)) };
}

/**
 * Bytes as text: five letters for four bytes, a sixteenth less than base 64. The letters are those of codes 40 to 126 without
 * < and >, so that the text can stand in a page. A rest of n bytes takes n + 1 letters. `unpackPlotly` reads it.
 */
export function base85(bytes: Uint8Array): string {
  const letters = new Uint8Array(Math.ceil((bytes.length * 5) / 4));
  let at = 0;
  for (let i = 0; i < bytes.length; i += 4) {
    let value = 0;
    for (let j = 0; j < 4; j++) value = value * 256 + (i + j < bytes.length ? bytes[i + j] : 0);
    for (let j = 0, unit = 85 ** 4; j < 5 && at < letters.length; j++, unit /= 85) {
      const code = (Math.floor(value / unit) % 85) + 40;
      letters[at++] = code + (code < 60 ? 0 : code < 61 ? 1 : 2);
    }
  }
  return new TextDecoder().decode(letters);
}
