/** Plain tables for people. */
import { printable } from "../lib/core/printable.ts";
import { formatBytes, formatMs, formatPercent, formatSi, plainText } from "../lib/report/format.ts";

/** Letters between two columns. */
const GAP = 2;
/** A column of words is not made narrower than this. */
const NARROWEST = 12;

/** Letters of a line: those of the terminal, what COLUMNS says where there is none, else as many as help has. */
function lineWidth(): number {
  const said = Number(process.env["COLUMNS"]);
  const { columns } = process.stdout as { readonly columns?: number };
  return columns ?? (Number.isInteger(said) && said > 0 ? said : 110);
}

/**
 * Columns padded with spaces; numbers to the right. Words are broken over lines where the table is wider than `width`; where
 * that is not enough, each row is a list of its own.
 */
export function table(
  titles: readonly string[],
  texts: readonly (readonly string[])[],
  width: number = lineWidth(),
): string {
  const [header, ...rows] = [titles, ...texts].map((cells) => cells.map((cell) => printable(cell)));
  const wanted = header.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const numeric = header.map((_, i) =>
    rows.every((row) => /^[-+]?[\d.,]+(e[-+]?\d+)?( ?[%a-zA-Z]{1,3})?$/.test(row[i] ?? "")),
  );
  const widths = narrowed(wanted, numeric, width);
  if (widths === undefined) return asLists(header, rows);
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (numeric[i] ? cell.padStart(widths[i]) : cell.padEnd(widths[i])))
      .join(" ".repeat(GAP))
      .trimEnd();
  const lines = (cells: readonly string[]): string[] => {
    const broken = cells.map((cell, i) => pieces(cell, widths[i]));
    const most = Math.max(...broken.map(({ length }) => length));
    return Array.from({ length: most }, (_, k) => line(broken.map((parts) => parts[k] ?? "")));
  };
  const rule = line(widths.map((letters) => "-".repeat(letters)));
  return [...lines(header), rule, ...rows.flatMap(lines)].join("\n");
}

/** Widths that fit, the widest columns of words narrowed first; undefined where there are none. */
function narrowed(
  wanted: readonly number[],
  numeric: readonly boolean[],
  width: number,
): number[] | undefined {
  const widths = [...wanted];
  const total = (): number => widths.reduce((sum, letters) => sum + letters + GAP, -GAP);
  while (total() > width) {
    const widest = widths.reduce(
      (best, letters, i) => (!numeric[i] && (best < 0 || letters > widths[best]) ? i : best),
      -1,
    );
    if (widest < 0 || widths[widest] <= NARROWEST) return undefined;
    widths[widest]--;
  }
  return widths;
}

/** A text in pieces of at most `width` letters, broken between words, at a slash, or where it must be. */
function pieces(text: string, width: number): string[] {
  const found: string[] = [];
  let rest = text;
  while (rest.length > width) {
    const head = rest.slice(0, width + 1);
    const space = head.lastIndexOf(" ");
    const slash = rest.slice(0, width).lastIndexOf("/") + 1;
    const at = space > 0 ? space : slash > 0 ? slash : width;
    found.push(rest.slice(0, at));
    rest = rest.slice(at).trimStart();
  }
  return [...found, rest];
}

/** Each row under its first cell, a line for each other one. */
function asLists(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const longest = Math.max(...header.slice(1).map(({ length }) => length));
  return rows
    .map(([first, ...cells]) =>
      [first, ...cells.map((cell, i) => `  ${header[i + 1].padEnd(longest)}  ${cell}`)].join("\n"),
    )
    .join("\n");
}

/** 0.9752 -> "97.5 %": numbers are written in a terminal as they are in a report, with plain spaces. */
export function percent(fraction: number, error?: number): string {
  return plainText(formatPercent(fraction, error));
}

/** 270800000 -> "271 M". */
export function count(value: number): string {
  return plainText(formatSi(value));
}

/** 22400000 -> "22.4 MB". */
export function size(bytes: number): string {
  return plainText(formatBytes(bytes));
}

/** 5.2 -> "5.20 ms". */
export function ms(milliseconds: number): string {
  return plainText(formatMs(milliseconds));
}
