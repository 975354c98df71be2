/** Tables that sort by a heading, show the rows with a word, and say where more of them lies. */
import type { PageElement, PageWindow } from "./dom.ts";
import { tellListener } from "./page.ts";

/** What a row is sorted by: its raw value, else its text; "" where it has none. */
export function sortKey(row: PageElement, column: number): number | string {
  const cell = (Array.from(row.cells) as (PageElement | undefined)[])[column];
  const text = cell?.getAttribute("data-csv") ?? (cell?.textContent ?? "").trim();
  const value = Number(text);
  return text === "" || Number.isNaN(value) ? text : value;
}

/** Numbers before words; what is empty stands at the end in either direction. */
export function compareKeys(one: number | string, other: number | string, sign: 1 | -1): number {
  if (one === "" || other === "") return Number(one === "") - Number(other === "");
  if (typeof one === "number" && typeof other === "number") return sign * (one - other);
  if (typeof one !== typeof other) return typeof one === "number" ? -1 : 1;
  return sign * String(one).localeCompare(String(other), "en", { numeric: true });
}

/** A button in every heading: up, down, and as it was. */
export function setupSorting(page: PageWindow): void {
  for (const table of page.document.querySelectorAll(".table-block table")) {
    const body = table.querySelector("tbody");
    const rows = Array.from(table.querySelectorAll("tbody tr"));
    if (!body || rows.length < 3) continue;
    const heads = Array.from(table.querySelectorAll("thead th"));
    heads.forEach((head, column) => {
      const button = page.document.createElement("button");
      button.setAttribute("type", "button");
      button.classList.add("sort");
      button.textContent = (head.textContent ?? "").trim();
      head.textContent = "";
      head.append(button);
      button.addEventListener("click", () => {
        const before = head.getAttribute("aria-sort");
        const next = before === null ? "ascending" : before === "ascending" ? "descending" : null;
        for (const other of heads) other.removeAttribute("aria-sort");
        const sorted = [...rows];
        if (next !== null) {
          head.setAttribute("aria-sort", next);
          const sign = next === "ascending" ? 1 : -1;
          sorted.sort((a, b) => compareKeys(sortKey(a, column), sortKey(b, column), sign));
        }
        for (const row of sorted) body.append(row);
      });
    });
  }
}

/** The field over a long table: only rows that hold all of its words are shown, copied and saved. */
export function setupFilters(page: PageWindow): void {
  for (const field of page.document.querySelectorAll("input[type=search]")) {
    field.addEventListener("input", () => {
      const words = field.value.toLowerCase().split(/\s+/);
      const block = page.document.getElementById(field.dataset["table"] ?? "");
      const rows = Array.from(block?.querySelectorAll("tbody tr") ?? []);
      let shown = 0;
      for (const row of rows) {
        const text = (row.textContent ?? "").toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        if (!row.hidden) shown++;
      }
      tellListener(page, `${shown} of ${rows.length} rows`);
    });
  }
}

/** Marks the edges beyond which a table goes on, as it is scrolled, resized or unfolded. Returns what looks at all of them anew. */
export function setupEdges(page: PageWindow): () => void {
  const boxes = Array.from(page.document.querySelectorAll(".table-scroll"));
  const look = (box: PageElement): void => {
    const mark = (name: string, on: boolean): void => {
      box.parentElement?.classList.toggle(name, on);
    };
    mark("more-left", box.scrollLeft > 1);
    mark("more-right", box.scrollWidth - box.clientWidth - box.scrollLeft > 1);
    mark("more-below", box.scrollHeight - box.clientHeight - box.scrollTop > 1);
  };
  const all = (): void => {
    boxes.forEach(look);
  };
  for (const box of boxes) {
    box.addEventListener("scroll", () => {
      look(box);
    });
  }
  all();
  return all;
}
