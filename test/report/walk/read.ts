/** A page taken apart: tiles, tables with their cells, and every other piece of text that a reader meets. */

export interface PageCell {
  readonly text: string;
  /** What the CSV file has in its place, where that is not what is shown. */
  readonly csv?: string;
}

export interface PageTable {
  readonly id: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly PageCell[])[];
}

/** One run's part of a page, or what stands above all runs. */
export interface Zone {
  /** Place of the run whose part this is; undefined above them. */
  readonly run?: number;
  readonly tiles: readonly { readonly name: string; readonly value: string; readonly from: string }[];
  readonly tables: readonly PageTable[];
  /** Paragraphs, captions, list items and labels, in order. */
  readonly texts: readonly string[];
}

/** @param page what `renderReport` returns @param single whether the page is of one run */
export function readPage(page: string, single: boolean): Zone[] {
  const body = page.slice(page.indexOf("<body>")).replace(/<(script|style)[^>]*>.*?<\/\1>/gs, "");
  const parts = body.split(/(?=<details class="fold run")/);
  return parts.map((part) => {
    const run = /^<details class="fold run" id="run(\d+)"/.exec(part)?.[1];
    const place = single ? 0 : run === undefined ? undefined : Number(run) - 1;
    return { ...(place !== undefined && { run: place }), ...readZone(part) };
  });
}

function readZone(part: string): Omit<Zone, "run"> {
  const tables: PageTable[] = [];
  const tiles: Zone["tiles"][number][] = [];
  const left = part
    .replace(/<table data-name="([^"]*)">(.*?)<\/table>/gs, (_, id: string, table: string) => {
      const [head, rows] = [/<thead>(.*?)<\/thead>/s, /<tbody>(.*?)<\/tbody>/s].map(
        (pattern) => pattern.exec(table)?.[1] ?? "",
      );
      tables.push({
        id,
        columns: cellsOf(head).map(({ text, csv }) => (text === "" ? (csv ?? "") : text)),
        rows: [...rows.matchAll(/<tr[^>]*>(.*?)<\/tr>/gs)].map(([, row]) => cellsOf(row)),
      });
      return /<caption[^>]*>.*?<\/caption>/s.exec(table)?.[0] ?? "";
    })
    .replace(/<ul class="tiles">(.*?)<\/ul>/gs, (_, list: string) => {
      for (const [, tile] of list.matchAll(/<li>(.*?)<\/li>/gs)) {
        const of = (name: string): string =>
          textOf(tile.split(`<span class="${name}">`)[1]?.split(/<span class="/)[0] ?? "");
        tiles.push({ name: of("name"), value: of("value"), from: of("from") });
      }
      return "";
    });
  const labels = [...left.matchAll(/\saria-label="([^"]*)"/g)].map(([, text]) => textOf(text));
  const texts = left
    .split(
      /<\/?(?:p|li|ul|ol|h[1-4]|caption|figcaption|summary|div|section|details|label|option|select|button|figure|legend|fieldset|header|nav|main|footer)\b[^>]*>/,
    )
    .map(textOf);
  return { tiles, tables, texts: [...texts, ...labels].filter((text) => text !== "") };
}

function cellsOf(row: string): PageCell[] {
  return [...row.matchAll(/<t([hd])\b([^>]*)>(.*?)<\/t\1>/gs)].map(([, , attributes, content]) => {
    const csv = /data-csv="([^"]*)"/.exec(attributes)?.[1];
    return { text: textOf(content), ...(csv !== undefined && { csv: unescaped(csv) }) };
  });
}

/** What is read of markup: powers as "^", ordinary spaces and minus signs. */
export function textOf(markup: string): string {
  const text = markup.replace(/<sup>/g, "^").replace(/<[^>]*>/g, "");
  return unescaped(text)
    .replace(/[\u202f\u00a0]/g, " ")
    .replaceAll("\u2212", "-")
    .replace(/\s+/g, " ")
    .trim();
}

function unescaped(text: string): string {
  return text
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&amp;", "&");
}

/** A number as it was printed: its value, and how far the true one may be from it. */
interface Printed {
  readonly value: number;
  readonly half: number;
}

const sizes: Readonly<Record<string, number>> = { k: 1e3, M: 1e6, G: 1e9, T: 1e12, "%": 0.01 };

/**
 * The numbers in a text, in order: "166 k" is 166,000 and "54 %" is 0.54, each within half of its last digit. A percent sign also
 * goes for what is joined to it: "54 % ± 7", "-95 to -92 %", "91 % (80 to 97)".
 */
export function numbersIn(text: string): Printed[] {
  const percent = /%/.test(text);
  const pattern =
    /(?<![\w.])([+-]?)(\d[\d,]*)(?:\.(\d+))?(?:[eE]([+-]?\d+)| × 10\^(-?\d+))?(?:\s?([kMGT])B?\b|\s?(%))?/g;
  return [...text.matchAll(pattern)].map(([, sign, whole, decimals = "", e, power, size]) => {
    const exponent = 10 ** Number(e ?? power ?? 0);
    const unit =
      (size === undefined ? 1 : sizes[size]) * (percent && size === undefined ? 0.01 : 1) * exponent;
    const value = Number(`${sign}${whole.replaceAll(",", "")}.${decimals}0`) * unit;
    return { value, half: 0.5 * 10 ** -decimals.length * unit };
  });
}

/** What is wrong about a text that should state these numbers and no others; undefined where it does. */
export function misstated(text: string, expected: readonly (number | undefined)[]): string | undefined {
  const [found, wanted] = [numbersIn(text), expected.filter((value) => value !== undefined)];
  if (found.length !== wanted.length)
    return `“${text}” states ${found.length} numbers, ${wanted.length} follow from the record (${wanted.join(", ")})`;
  const at = found.findIndex(
    ({ value, half }, i) => !(Math.abs(value - wanted[i]) <= half * (1 + 1e-6) + 1e-12),
  );
  return at < 0 ? undefined : `“${text}”: ${found[at].value} is printed, the record gives ${wanted[at]}`;
}
