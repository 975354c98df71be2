/** Plain tables for people. */
import { printable } from "../lib/core/printable.ts";

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

/** 0.9752 -> "97.52 %". */
export function percent(fraction: number): string {
  return `${(100 * fraction).toFixed(2)} %`;
}

/** 270800000 -> "270.8 M". */
export function count(value: number): string {
  if (value >= 1e9) return `${(value / 1e9).toFixed(2)} G`;
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)} M`;
  return value >= 1e4 ? `${(value / 1e3).toFixed(1)} k` : String(value);
}
