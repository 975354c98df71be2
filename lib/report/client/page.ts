/** Tables, theme, folding and print: the parts of the page's script that know nothing of curves. */
import type { PageElement, PageWindow } from "./dom.ts";

/** Text that a spreadsheet would take for a formula is marked as text; numbers stay numbers. */
export function csvText(value: string): string {
  return /^[=+\-@\t\r]/.test(value) && !Number.isFinite(Number(value)) ? `'${value}` : value;
}

/** Rows of a table that are shown, in their order, as text; raw values where a cell has one. */
export function tableRows(table: PageElement): string[][] {
  const shown = Array.from(table.rows).filter((row) => !row.hidden);
  return shown.map((row) =>
    Array.from(row.cells, (cell) =>
      csvText(cell.getAttribute("data-csv") ?? (cell.textContent ?? "").trim()),
    ),
  );
}

/** Rows as CSV (RFC 4180). */
export function toCsv(rows: readonly (readonly string[])[]): string {
  return rows
    .map((row) =>
      row.map((cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(","),
    )
    .map((line) => `${line}\r\n`)
    .join("");
}

/** Tells a listener what was done. */
export function tellListener(page: PageWindow, text: string): void {
  const status = page.document.getElementById("status");
  if (status) status.textContent = text;
}

/** Saves what an address holds as a file. */
export function saveFile(page: PageWindow, url: string, name: string): void {
  const link = page.document.createElement("a");
  link.href = url;
  link.download = name;
  page.document.body.append(link);
  link.click();
  link.remove();
  tellListener(page, `${name} was saved`);
}

/** The Copy and CSV buttons. */
export function setupTables(page: PageWindow): void {
  page.document.addEventListener("click", (event) => {
    const button = event.target?.closest("button[data-table]");
    const name = button?.dataset["table"] ?? "";
    const table = page.document.getElementById(name)?.querySelector("table");
    if (!button || !table) return;
    const rows = tableRows(table);
    if (button.dataset["action"] === "csv") {
      const url = page.URL.createObjectURL(
        new page.Blob(["\ufeff", toCsv(rows)], { type: "text/csv;charset=utf-8" }),
      );
      saveFile(page, url, `${name}.csv`);
      page.setTimeout(() => {
        page.URL.revokeObjectURL(url);
      }, 1000);
      return;
    }
    const text = rows.map((row) => row.map((cell) => cell.replace(/[\t\n]/g, " ")).join("\t")).join("\n");
    const done = (): void => {
      tellListener(page, "The table was copied");
      button.textContent = "Copied";
      page.setTimeout(() => {
        button.textContent = "Copy";
      }, 1600);
    };
    const byHand = (): void => {
      const area = page.document.createElement("textarea");
      area.value = text;
      page.document.body.append(area);
      area.select();
      const copied = page.document.execCommand("copy");
      area.remove();
      if (copied) done();
      else tellListener(page, "The browser did not allow copying");
    };
    if (page.navigator.clipboard) page.navigator.clipboard.writeText(text).then(done, byHand);
    else byHand();
  });
}

/** Light and dark follow the system, until the reader decides. */
export function setupTheme(page: PageWindow, redraw: () => void): void {
  const root = page.document.documentElement;
  const system = page.matchMedia("(prefers-color-scheme: dark)");
  const button = page.document.getElementById("theme");
  button?.addEventListener("click", () => {
    const dark = root.dataset["theme"] === undefined ? system.matches : root.dataset["theme"] === "dark";
    root.dataset["theme"] = dark ? "light" : "dark";
    redraw();
  });
  system.addEventListener("change", redraw);
}

/** Figures follow the width of the window, and are drawn when a folded section opens. */
export function setupDetails(page: PageWindow, redraw: () => void): void {
  let width = page.document.body.clientWidth;
  let waiting = false;
  page.addEventListener("resize", () => {
    if (waiting || page.document.body.clientWidth === width) return;
    waiting = true;
    page.setTimeout(() => {
      waiting = false;
      width = page.document.body.clientWidth;
      redraw();
    }, 120);
  });
  for (const details of page.document.querySelectorAll("details")) details.addEventListener("toggle", redraw);
}

/** Paper is white and narrow, and shows what is folded. */
export function setupPrint(page: PageWindow, redraw: () => void): void {
  const root = page.document.documentElement;
  const opened: PageElement[] = [];
  page.addEventListener("beforeprint", () => {
    for (const details of page.document.querySelectorAll("details")) {
      if (details.open) continue;
      details.open = true;
      opened.push(details);
    }
    root.classList.add("printing");
    redraw();
  });
  page.addEventListener("afterprint", () => {
    for (const details of opened.splice(0)) details.open = false;
    root.classList.toggle("printing", false);
    redraw();
  });
}
