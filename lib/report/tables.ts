/** Tables that scroll inside their own box, copy and download as CSV. */
import { html, raw, type Insert, type Markup } from "./escape.ts";

/** Rows from which on a table can be filtered: fewer are seen at once. */
const FILTERED = 10;

/** A column. Numeric columns are right-aligned with figures of equal width. */
export interface Column {
  readonly label: string;
  readonly numeric?: boolean;
  /** Words that should not be squeezed into a narrow column. */
  readonly wide?: boolean;
  /** Only in the copy and in the CSV file: what the other columns say already, or what few look for. */
  readonly fileOnly?: boolean;
  /** Heading in the CSV file, where the unit must be said and the number is raw; default: the label. */
  readonly csv?: string;
  /** What the errors of its cells are; default: "standard error". */
  readonly errorName?: string;
}

/** A cell: what is shown, and the raw value for CSV (default: the shown text). */
export interface Cell {
  readonly show: Insert;
  readonly csv?: string | number;
  /** Length of a bar behind the number, 0..1, and its colour role. */
  readonly bar?: number;
  /** Standard error of the number: a column of its own in the CSV file. */
  readonly error?: number;
  /** Ends of the range that the number stands in: two columns in the CSV file. */
  readonly range?: { readonly low: number; readonly high: number };
}

/** A row; `strong` sets it off (the network the report is about). */
export interface Row {
  readonly cells: readonly Cell[];
  readonly strong?: boolean;
}

/** A whole table. The first cell of each row is its heading. */
export interface ReportTable {
  /** Unique in the page; also the name of the CSV file. */
  readonly id: string;
  readonly caption: Insert;
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
  /** Printed below: n, unit, device. */
  readonly note?: Insert;
  /** Taller tables scroll inside their box (never in print). */
  readonly tall?: boolean;
}

/** A cell that shows text. */
export function textCell(show: Insert, csv?: string | number): Cell {
  return csv === undefined ? { show } : { show, csv };
}

/** Columns and cells that stand in the CSV file beside an uncertain number: its error, and the ends of its range. */
function withUncertainty(table: ReportTable): ReportTable {
  const parts = [
    { name: ({ errorName = "standard error" }: Column) => errorName, read: ({ error }: Cell) => error },
    { name: () => "low", read: ({ range }: Cell) => range?.low },
    { name: () => "high", read: ({ range }: Cell) => range?.high },
  ];
  const extras = table.columns.map((column, i) =>
    parts.flatMap(({ name, read }) => {
      if (!table.rows.some(({ cells }) => cells[i] !== undefined && read(cells[i]) !== undefined)) return [];
      const label = `${column.csv ?? column.label}, ${name(column)}`;
      return [{ read, column: { label, numeric: true, fileOnly: true } }];
    }),
  );
  return {
    ...table,
    columns: table.columns.flatMap((column, i) => [column, ...extras[i].map((extra) => extra.column)]),
    rows: table.rows.map((row) => ({
      ...row,
      cells: row.cells.flatMap((cell, i) => [
        cell,
        ...extras[i].map(({ read }) => ({ show: "", csv: read(cell) ?? "" })),
      ]),
    })),
  };
}

/** Renders a table with its buttons. */
export function renderTable(given: ReportTable): Markup {
  const table = withUncertainty(given);
  const head = table.columns.map(
    (column) =>
      html`<th
        scope="col"
        class="${column.numeric ? "number" : "words"}${column.fileOnly ? raw(" file-only") : undefined}"
        data-csv="${column.csv ?? column.label}"
      >
        ${column.label}
      </th>`,
  );
  const body = table.rows.map(
    (row) =>
      html`<tr class="${row.strong ? "strong" : ""}">
        ${row.cells.map((cell, i) => renderCell(cell, i, table.columns[i]))}
      </tr> `,
  );
  const find =
    table.rows.length < FILTERED
      ? undefined
      : html`<p class="find">
          <label>Rows with <input type="search" data-table="${table.id}" /></label>
        </p>`;
  return html`<div class="table-block" id="${table.id}">
    ${find}
    <div class="table-view">
      <div
        class="table-scroll${table.tall ? raw(" tall") : undefined}"
        tabindex="0"
        role="group"
        aria-labelledby="${table.id}-caption"
      >
        <table data-name="${table.id}">
          <caption id="${table.id}-caption">
            <div>${table.caption}</div>
          </caption>
          <thead>
            <tr>
              ${head}
            </tr>
          </thead>
          <tbody>
            ${body}
          </tbody>
        </table>
      </div>
    </div>
    <div class="table-foot">
      <p class="note">${table.note}</p>
      <p class="tools">
        <button type="button" data-action="copy" data-table="${table.id}">Copy</button>
        <button type="button" data-action="csv" data-table="${table.id}">CSV</button>
      </p>
    </div>
  </div>`;
}

function renderCell(cell: Cell, index: number, column: Column | undefined): Markup {
  // Only where the file does not have what is shown.
  const value =
    cell.csv === undefined || String(cell.csv) === cell.show ? undefined : html` data-csv="${cell.csv}"`;
  const bar =
    cell.bar === undefined
      ? undefined
      : html` style="--bar-size:${(100 * Math.min(1, Math.max(0, cell.bar))).toFixed(1)}%"`;
  const numeric = index === 0 ? "number" : ""; // a cell without a class is a number: most are
  const name = [
    column?.numeric ? numeric : column?.wide ? "words wide" : "words",
    ...(bar === undefined ? [] : ["bar"]),
    ...(column?.fileOnly ? ["file-only"] : []),
  ].filter((word) => word !== "");
  const attributes = html`${name.length > 0 ? html` class="${name.join(" ")}"` : undefined}${value}${bar}`;
  return index === 0
    ? html`<th scope="row" ${attributes}>${cell.show}</th>`
    : html`<td${attributes}>${cell.show}</td>`;
}
