/** Comma-separated text (RFC 4180): quotes, doubled quotes, line breaks inside quotes, CRLF, byte order mark. */
import { needWithin } from "./budget.ts";
import { EtlError } from "./errors.ts";

/** A table of text. Every row is as long as `header`. */
export interface Csv {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/**
 * Parses a table whose first line names the columns. Blank lines are skipped, short rows are filled with empty
 * cells.
 *
 * @param name what the text is called in errors
 * @throws EtlError kind `format` for an open quote, a row that is too long, a column named twice or no header
 */
export function parseCsv(text: string, name: string): Csv {
  const plain = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  if (plain.includes("\0"))
    throw new EtlError("format", `${name}: holds zero bytes, plain text was needed`, {
      hint: "a workbook, or UTF-16 without its mark: save it as CSV in UTF-8",
    });
  // Spreadsheets write a line "sep=," above the header.
  const [header, ...rows] = records(plain.replace(/^"?sep=."?\r?\n/i, ""), name);
  if (header === undefined) {
    throw new EtlError("format", `${name}: empty, a first line with column names was needed`);
  }
  let width = header.cells.length;
  // Spreadsheets leave columns without a name and without content at the end.
  while (
    width > 1 &&
    header.cells[width - 1].trim() === "" &&
    rows.every(({ cells }) => (cells[width - 1] ?? "").trim() === "")
  )
    width--;
  const columns = header.cells.slice(0, width).map((cell) => cell.trim());
  const other = [";", "\t"].find((mark) => columns.length === 1 && columns[0].includes(mark));
  if (other !== undefined) {
    throw new EtlError(
      "format",
      `${name}: columns separated by ${other === ";" ? "semicolons" : "tabs"}, commas were needed`,
      { hint: 'save it as CSV with commas (cells that hold a comma in "quotes")' },
    );
  }
  needWithin(name, "columns", columns.length);
  const seen = new Set<string>();
  const twice = columns.find((column) => seen.size === seen.add(column).size);
  if (twice !== undefined) {
    throw new EtlError("format", `${name}: two columns are called "${twice}", unique names were needed`, {
      hint: "rename one of them, or take it out",
    });
  }
  return {
    header: columns,
    rows: rows.map(({ cells: all, line }) => {
      const cells = all.slice(width).every((cell) => cell.trim() === "") ? all.slice(0, width) : all;
      if (cells.length > columns.length) {
        throw new EtlError(
          "format",
          `${name}, line ${line}: ${cells.length} cells, ${columns.length} were needed (one per column)`,
          {
            hint: columns[0].startsWith("#")
              ? "the first line seems to be a comment: remove it, the first line names the columns"
              : 'put cells that hold a comma into "quotes"',
          },
        );
      }
      const missing = columns.length - cells.length;
      return missing === 0 ? cells : [...cells, ...new Array<string>(missing).fill("")];
    }),
  };
}

/** One line of a table (RFC 4180): cells with commas, quotes or line breaks are quoted. */
export function csvLine(cells: readonly string[]): string {
  return cells.map((cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(",");
}

/**
 * Text of somebody else for a table that people open in a spreadsheet: what a spreadsheet would take for a formula is
 * kept from being one by a leading apostrophe. Not for numbers, and not for tables that this program reads again.
 */
export function plainCell(text: string): string {
  return /^[=+@\t\r-]/.test(text) ? `'${text}` : text;
}

/** A table as text, LF line ends. */
export function formatCsv({ header, rows }: Csv): string {
  return [header, ...rows].map((cells) => `${csvLine(cells)}\n`).join("");
}

interface TextRecord {
  readonly cells: readonly string[];
  readonly line: number;
}

function records(text: string, name: string): TextRecord[] {
  const result: TextRecord[] = [];
  let at = 0;
  let line = 1;
  while (at < text.length) {
    const start = line;
    const cells: string[] = [];
    let more = true;
    while (more) {
      let cell: string;
      const quote = quoteAt(text, at);
      if (quote >= 0) {
        at = quote;
        const quoted = quotedCell(text, at, () => `${name}, line ${start}`);
        cell = quoted.cell;
        line += quoted.breaks;
        at = quoted.end;
      } else {
        const end = plainEnd(text, at);
        cell = text.slice(at, end);
        at = end;
      }
      cells.push(cell);
      more = text[at] === ",";
      if (more) at++;
    }
    if (text[at] === "\r") at++;
    if (text[at] === "\n") at++;
    line++;
    if (cells.length > 1 || cells[0]?.trim() !== "") result.push({ cells, line: start });
  }
  return result;
}

/** Where a quoted cell opens, blanks before it skipped; -1 for a plain cell. */
function quoteAt(text: string, from: number): number {
  let at = from;
  while (text[at] === " ") at++;
  return text[at] === '"' ? at : -1;
}

function plainEnd(text: string, from: number): number {
  let at = from;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === 0x2c || code === 0x0a || code === 0x0d) break;
    at++;
  }
  return at;
}

function quotedCell(
  text: string,
  from: number,
  where: () => string,
): { cell: string; end: number; breaks: number } {
  let cell = "";
  let at = from + 1;
  for (;;) {
    const quote = text.indexOf('"', at);
    if (quote < 0) throw new EtlError("format", `${where()}: a quote is opened, a closing one was needed`);
    cell += text.slice(at, quote);
    at = quote + 1;
    if (text[at] !== '"') break;
    cell += '"';
    at++;
  }
  const end = plainEnd(text, at);
  // A quote that was meant as a letter ("5 or so) runs on to the next one, over all rows between them.
  if (/[\r\n]/.test(cell) && text.slice(at, end).trim() !== "")
    throw new EtlError(
      "format",
      `${where()}: a quote is opened and closed in the midst of a cell some lines below, one at the end of its own cell was needed`,
      { hint: 'a quote that is a letter is doubled, in a cell in "quotes"' },
    );
  return { cell: cell + text.slice(at, end), end, breaks: cell.split("\n").length - 1 };
}
