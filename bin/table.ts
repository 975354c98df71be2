/** Plain tables for people. */
import { printable } from "../lib/core/printable.ts";
import { formatBytes, formatMs, formatPercent, formatSi, plainText } from "../lib/report/format.ts";

/** Columns padded with spaces; numbers to the right. */
export function table(titles: readonly string[], texts: readonly (readonly string[])[]): string {
  const [header, ...rows] = [titles, ...texts].map((cells) => cells.map((cell) => printable(cell)));
  const widths = header.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const numeric = header.map((_, i) =>
    rows.every((row) => /^[-+]?[\d.,]+(e[-+]?\d+)?( ?[%a-zA-Z]{1,3})?$/.test(row[i] ?? "")),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (numeric[i] ? cell.padStart(widths[i]) : cell.padEnd(widths[i])))
      .join("  ")
      .trimEnd();
  return [line(header), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
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
