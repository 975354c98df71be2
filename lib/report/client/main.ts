/**
 * The page's script. It is written as functions that use nothing but each other and their arguments; `script.ts` puts
 * their source text into the page, so that what is linted, type-checked and tested is what runs there.
 */
import { addressOf, viewAt, type View } from "./address.ts";
import { formatBytes, formatCount, formatGamma, formatSi } from "../format.ts";
import { unfoldData, type FoldedData, type PageCurves, type PageData } from "./data.ts";
import type { Figure, PageElement, PageWindow } from "./dom.ts";
import { depthFigure, tapFigure } from "./figures.ts";
import { bestTap, chosenAt, errorAt, errorRange } from "./knee.ts";
import { saveFile, tellListener, setupDetails, setupPrint, setupTables, setupTheme } from "./page.ts";
import { smallLines, smallPoint } from "./small.ts";
import { setupEdges, setupFilters, setupSorting } from "./table.ts";

/** Starts the page. */
export function startReport(page: PageWindow): void {
  const source = page.document.getElementById("report-data");
  const data = unfoldData(JSON.parse(source?.textContent ?? "{}") as FoldedData);
  page.document.documentElement.classList.add("js");
  setupTables(page);
  setupSorting(page);
  setupFilters(page);
  const edges = setupEdges(page);
  const states = new Map(data.curves.map((set) => [set.id, { gamma: set.gamma, tap: bestTap(set) }]));
  const redraw = (only?: string): void => {
    if (only === undefined) edges();
    for (const element of page.document.querySelectorAll("[data-figure]")) {
      if (only === undefined || element.id.startsWith(`${only}-`)) drawFigure(page, data, states, element);
    }
  };
  for (const set of data.curves)
    setupCurves(page, set, states.get(set.id) ?? { gamma: set.gamma, tap: 0 }, redraw);
  setupTheme(page, redraw);
  setupDetails(page, redraw);
  setupPrint(page, redraw);
  setupPictures(page, (element) => resolvedFigure(page, data, states, element));
  let queue = unpackPlotly(page);
  for (const element of page.document.querySelectorAll("[data-figure]")) {
    queue = queue.then(
      () =>
        new Promise((done) => {
          page.setTimeout(() => {
            drawFigure(page, data, states, element);
            done();
          }, 0);
        }),
    );
  }
  queue.then(
    () => {
      page.document.documentElement.classList.add("drawn");
    },
    () => {
      // A browser from before 2023 (Safari 16.4, Firefox 113, Chrome 80 unpack).
      const note = page.document.getElementById("undrawn");
      note?.removeAttribute("hidden");
    },
  );
}

/** The bytes of a text of letters 33 to 126 without 60: two letters hold 14 bits where the first 13 of them are below 457, else 13. */
export function fromBase93(text: string): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(text.length * 0.875));
  const letter = (i: number): number => {
    const code = text.charCodeAt(i);
    return code - (code < 60 ? 33 : 34);
  };
  let at = 0;
  let held = 0;
  let bits = 0;
  for (let i = 0; i < text.length; i += 2) {
    const pair = i + 1 < text.length;
    const value = letter(i) + (pair ? 93 * letter(i + 1) : 0);
    held |= value << bits;
    bits += pair ? ((value & 8191) > 456 ? 13 : 14) : 7;
    for (; bits >= 8; bits -= 8) {
      bytes[at++] = held & 255;
      held >>= 8;
    }
  }
  return bytes.subarray(0, at);
}

/**
 * Unpacks Plotly and runs it. The page's policy lets an element with exactly this text run, by its hash; nothing is fetched.
 *
 * @throws where the browser is too old to unpack
 */
export async function unpackPlotly(page: PageWindow): Promise<void> {
  const packed = page.document.getElementById("plotly");
  const bytes = fromBase93(packed?.textContent ?? "");
  packed?.remove();
  const stream = new page.Blob([bytes], { type: "application/gzip" })
    .stream()
    .pipeThrough(new page.DecompressionStream("gzip"));
  const script = page.document.createElement("script");
  script.textContent = await new page.Response(stream).text();
  page.document.body.append(script);
}

/** A figure as it is now, with the colours in force and the width that it has. */
export function resolvedFigure(
  page: PageWindow,
  data: PageData,
  states: ReadonlyMap<string, { gamma: number; tap: number }>,
  element: PageElement,
): Figure | undefined {
  const name = element.dataset["figure"] ?? "";
  const set = data.curves.find(
    (candidate) => name === `${candidate.id}-tap` || name === `${candidate.id}-depth`,
  );
  const state = set && states.get(set.id);
  let figure = data.figures[name] as PageData["figures"][string] | undefined;
  if (set && state) {
    figure = name.endsWith("-tap")
      ? tapFigure(set, set.curves[state.tap], state.gamma)
      : depthFigure(
          set,
          state.gamma,
          set.curves.map((curve) => curve.tap.replaceAll("&", "&amp;").replaceAll("<", "&lt;")),
        );
  }
  if (!figure) return undefined;
  const computed = page.getComputedStyle(page.document.documentElement);
  const colors = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(colors);
    if (typeof value === "string" && value.startsWith("--")) return computed.getPropertyValue(value).trim();
    return value;
  };
  const resolve = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(resolve);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, /color$/.test(key) ? colors(inner) : resolve(inner)]),
    );
  };
  const resolved = resolve(figure) as Figure;
  return { data: resolved.data, layout: { ...resolved.layout, width: element.clientWidth } };
}

/** The buttons that save a figure as a picture, with its title and on the page's ground. */
export function setupPictures(
  page: PageWindow,
  figureOf: (element: PageElement) => Figure | undefined,
): void {
  page.document.addEventListener("click", (event) => {
    const button = event.target?.closest("button[data-plot]");
    const name = button?.dataset["plot"] ?? "";
    const element = page.document.getElementById(name);
    const figure = element && figureOf(element);
    if (!button || !figure) return;
    if (!page.Plotly) {
      tellListener(page, "The figure is not drawn yet");
      return;
    }
    const format = button.dataset["action"] ?? "png";
    const title = (page.document.getElementById(`${name}-title`)?.textContent ?? "").trim();
    const computed = page.getComputedStyle(page.document.documentElement);
    const height = Number(figure.layout["height"]) + 40;
    const layout = {
      ...figure.layout,
      height,
      margin: { l: 8, r: 12, t: 52, b: 8 },
      paper_bgcolor: computed.getPropertyValue("--card").trim(),
      title: {
        text: title.replaceAll("&", "&amp;").replaceAll("<", "&lt;"),
        ...{ x: 0, xref: "paper", y: 1, yref: "container", yanchor: "top", pad: { t: 10 } },
        font: { size: 15, color: computed.getPropertyValue("--ink").trim() },
      },
    };
    const size = { format, width: figure.layout["width"], height, scale: format === "png" ? 2 : 1 };
    page.Plotly.toImage({ data: figure.data, layout }, size).then(
      (url) => {
        saveFile(page, url, `${name}.${format}`);
      },
      () => {
        tellListener(page, "The browser could not make the picture");
      },
    );
  });
}

/** Draws one figure. A figure in a closed section waits until it is opened. */
export function drawFigure(
  page: PageWindow,
  data: PageData,
  states: ReadonlyMap<string, { gamma: number; tap: number }>,
  element: PageElement,
): void {
  const { Plotly } = page;
  if (Plotly === undefined || element.clientWidth === 0) return;
  const figure = resolvedFigure(page, data, states, element);
  if (!figure) return;
  void Plotly.react(element, figure.data, figure.layout, {
    responsive: false,
    displaylogo: false,
    displayModeBar: false,
    scrollZoom: false,
    doubleClick: "reset",
  });
}

/** The gamma slider and the choice of the tap that is shown large. */
export function setupCurves(
  page: PageWindow,
  set: PageCurves,
  state: { gamma: number; tap: number },
  redraw: (only?: string) => void,
): void {
  const root = page.document.getElementById(set.id);
  const slider = root?.querySelector("input[type=range]");
  if (!root || !slider) return;
  let waiting = false;
  const redrawSoon = (): void => {
    if (waiting) return;
    waiting = true;
    page.requestAnimationFrame(() => {
      waiting = false;
      redraw(set.id);
    });
  };
  const write = (role: string, text: string): void => {
    for (const element of root.querySelectorAll(`[data-role=${role}]`)) element.textContent = text;
  };
  const share = (value: number | null | undefined): string =>
    value === null || value === undefined ? "–" : `${(100 * value).toFixed(value < 0.0995 ? 1 : 0)}\u202f%`;
  /** "124 M (46 %)"; `text` is the value as people read it. */
  const cost = (value: number | null | undefined, whole: number | undefined, text: string): string =>
    value === null || value === undefined || whole === undefined ? "–" : `${text} (${share(value / whole)})`;
  const range = errorRange(set);
  set.curves.forEach((curve, i) => {
    for (const [name, line] of Object.entries(smallLines(range, curve)))
      root.querySelector(`[data-tap="${i}"] .${name}`)?.setAttribute("d", line);
  });
  const move = (): void => {
    const stop = Number(slider.value);
    const gamma = set.stops[stop];
    state.gamma = gamma;
    let kept = 0;
    let total = 0;
    set.curves.forEach((curve, i) => {
      const chosen = chosenAt(set, curve, gamma);
      kept += chosen.filters;
      total += curve.total;
      const small = root.querySelector(`[data-tap="${i}"]`);
      const marker = small?.querySelector(".knee");
      const [x, y] = smallPoint(range, curve.total, chosen.filters, errorAt(set, curve, chosen.index));
      marker?.setAttribute("transform", `translate(${x} ${y})`);
      const count = small?.querySelector(".kept");
      if (count) count.textContent = formatCount(chosen.filters);
    });
    write("gamma", formatGamma(gamma));
    write("kept", formatCount(kept));
    write("share", share(total > 0 ? kept / total : null));
    const macs = set.macs?.[stop];
    const params = set.params?.[stop];
    const bytes = set.bytes?.[stop];
    write("macs", cost(macs, set.whole?.macs, formatSi(macs ?? 0)));
    write("flops", cost(macs, set.whole?.macs, formatSi(2 * (macs ?? 0))));
    write("params", cost(params, set.whole?.params, formatSi(params ?? 0)));
    write("bytes", cost(bytes, set.whole?.bytes, formatBytes(bytes ?? 0)));
    const planned = macs && bytes ? `, ${formatSi(2 * macs)} FLOPs, ${formatBytes(bytes)}` : "";
    slider.setAttribute(
      "aria-valuetext",
      `gamma ${formatGamma(gamma)}: ${formatCount(kept)} of ${formatCount(total)} filters kept${planned}`,
    );
    redrawSoon();
  };
  const view = (): View => ({ stop: Number(slider.value), tap: state.tap });
  const remember = (): void => {
    page.history.replaceState(null, "", addressOf(set, view()));
  };
  slider.addEventListener("input", move);
  // Not at every step of a drag: browsers refuse an address that changes a hundred times a second.
  slider.addEventListener("change", remember);
  root.querySelector("[data-action=reset-gamma]")?.addEventListener("click", () => {
    slider.value = String(set.stops.indexOf(set.gamma));
    move();
    remember();
  });
  const choose = (index: number): void => {
    state.tap = index;
    const select = root.querySelector("select");
    if (select) select.value = String(index);
    const radio = root.querySelector(`[data-tap="${index}"] input`);
    if (radio) radio.checked = true;
    redrawSoon();
  };
  root.querySelector("select")?.addEventListener("change", (event) => {
    choose(Number(event.target?.value));
    remember();
  });
  for (const radio of root.querySelectorAll("[data-tap] input")) {
    radio.addEventListener("change", () => {
      choose(Number(radio.value));
      remember();
    });
  }
  slider.value = String(set.stops.indexOf(set.gamma));
  const follow = (): void => {
    const found = viewAt(set, page.location.hash, view());
    if (found) slider.value = String(found.stop);
    choose(found?.tap ?? state.tap);
    move();
    if (!found) return;
    for (let at = root.parentElement; at; at = at.parentElement) {
      if (at.tagName === "DETAILS") at.open = true;
    }
    root.scrollIntoView();
  };
  page.addEventListener("hashchange", follow);
  follow();
}
