/**
 * The page's script. It is written as functions that use nothing but each other and their arguments; `script.ts` puts
 * their source text into the page, so that what is linted, type-checked and tested is what runs there.
 */
import { formatBytes, formatCount, formatGamma, formatSi } from "../format.ts";
import type { PageCurves, PageData } from "./data.ts";
import type { PageElement, PageWindow } from "./dom.ts";
import { depthFigure, tapFigure } from "./figures.ts";
import { bestTap, chosenAt, errorAt, smallPoint } from "./knee.ts";
import { setupDetails, setupPrint, setupTables, setupTheme } from "./page.ts";

/** Starts the page. */
export function startReport(page: PageWindow): void {
  const source = page.document.getElementById("report-data");
  const data = JSON.parse(source?.textContent ?? "{}") as PageData;
  page.document.documentElement.classList.add("js");
  setupTables(page);
  const states = new Map(data.curves.map((set) => [set.id, { gamma: set.gamma, tap: bestTap(set) }]));
  const redraw = (only?: string): void => {
    for (const element of page.document.querySelectorAll("[data-figure]")) {
      if (only === undefined || element.id.startsWith(`${only}-`)) drawFigure(page, data, states, element);
    }
  };
  for (const set of data.curves)
    setupCurves(page, set, states.get(set.id) ?? { gamma: set.gamma, tap: 0 }, redraw);
  setupTheme(page, redraw);
  setupDetails(page, redraw);
  setupPrint(page, redraw);
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

/** The bytes of a text of letters 40 to 126 without 60 and 62, five for four; the rest is filled up with the last letter. */
export function fromBase85(text: string): Uint8Array {
  const bytes = new Uint8Array(Math.floor((text.length * 4) / 5));
  for (let i = 0, at = 0; i < text.length; i += 5) {
    let value = 0;
    for (let j = 0; j < 5; j++) {
      const code = i + j < text.length ? text.charCodeAt(i + j) : 126;
      value = value * 85 + code - (code > 62 ? 42 : code > 60 ? 41 : 40);
    }
    for (let unit = 2 ** 24; unit >= 1 && at < bytes.length; unit /= 256) bytes[at++] = (value / unit) & 255;
  }
  return bytes;
}

/**
 * Unpacks Plotly and runs it. The page's policy lets an element with exactly this text run, by its hash; nothing is fetched.
 *
 * @throws where the browser is too old to unpack
 */
export async function unpackPlotly(page: PageWindow): Promise<void> {
  const packed = page.document.getElementById("plotly");
  const bytes = fromBase85(packed?.textContent ?? "");
  packed?.remove();
  const stream = new page.Blob([bytes], { type: "application/gzip" })
    .stream()
    .pipeThrough(new page.DecompressionStream("gzip"));
  const script = page.document.createElement("script");
  script.textContent = await new page.Response(stream).text();
  page.document.body.append(script);
}

/** Draws one figure with the colours in force. A figure in a closed section waits until it is opened. */
export function drawFigure(
  page: PageWindow,
  data: PageData,
  states: ReadonlyMap<string, { gamma: number; tap: number }>,
  element: PageElement,
): void {
  const { Plotly } = page;
  if (Plotly === undefined || element.clientWidth === 0) return;
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
  if (!figure) return;
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
  const layout = resolve(figure.layout) as Record<string, unknown>;
  layout["width"] = element.clientWidth;
  void Plotly.react(element, resolve(figure.data), layout, {
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
      const [x, y] = smallPoint(set, curve.total, chosen.filters, errorAt(set, curve, chosen.index));
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
  slider.addEventListener("input", move);
  root.querySelector("[data-action=reset-gamma]")?.addEventListener("click", () => {
    slider.value = String(set.stops.indexOf(set.gamma));
    move();
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
  });
  for (const radio of root.querySelectorAll("[data-tap] input")) {
    radio.addEventListener("change", () => {
      choose(Number(radio.value));
    });
  }
  slider.value = String(set.stops.indexOf(set.gamma));
  choose(state.tap);
  move();
}
