/** Figures that change with the slider, and the layout that all figures share. Runs here and in the browser. */
import { formatDigits, formatGamma } from "../format.ts";
import type { PageCurve, PageCurves } from "./data.ts";
import type { Figure } from "./dom.ts";
import { chosenAt, errorAt, errorsOf, shownErrors } from "./knee.ts";

/** An axis in the page's style. Colours are names of CSS properties. */
export function plotAxis(
  title: string,
  options: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  return {
    title: { text: title, standoff: 8 },
    automargin: true,
    gridcolor: "--grid",
    linecolor: "--line",
    tickcolor: "--line",
    zeroline: false,
    showline: true,
    ticks: "outside",
    ticklen: 4,
    ...options,
  };
}

/** A layout in the page's style. */
export function plotLayout(
  height: number,
  options: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  return {
    height,
    margin: { l: 8, r: 12, t: 12, b: 8 },
    paper_bgcolor: "--clear",
    plot_bgcolor: "--clear",
    font: {
      family: 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif',
      size: 12.5,
      color: "--ink-2",
    },
    hoverlabel: {
      bgcolor: "--card",
      bordercolor: "--line",
      font: { color: "--ink", size: 11.5 },
      align: "left",
    },
    legend: { orientation: "h", x: 0, y: 1.02, xanchor: "left", yanchor: "bottom", bgcolor: "--clear" },
    dragmode: false,
    ...options,
  };
}

/** One box for all lines over a place of the horizontal axis. `title` is what stands for the place: "epoch %{x}". */
export function hoverTogether(title: string): {
  layout: Record<string, unknown>;
  axis: Record<string, unknown>;
} {
  return { layout: { hovermode: "x unified" }, axis: { unifiedhovertitle: { text: title } } };
}

/** One tap's characteristic curve at full size: error against filters, train and held out, with its knee. */
export function tapFigure(set: PageCurves, curve: PageCurve, gamma: number): Figure {
  const chosen = chosenAt(set, curve, gamma);
  const errors = errorsOf(curve, set.rmse);
  const low = Math.min(...errors);
  const limit = low + gamma * (Math.max(...errors) - low);
  const data: Record<string, unknown>[] = [];
  if (curve.held && curve.error) {
    const { held, error } = curve;
    const order = curve.filters.map((_, i) => i);
    data.push({
      type: "scatter",
      mode: "lines",
      x: [...order.map((i) => curve.filters[i]), ...[...order].reverse().map((i) => curve.filters[i])],
      y: [...order.map((i) => held[i] + error[i]), ...[...order].reverse().map((i) => held[i] - error[i])],
      fill: "toself",
      fillcolor: "--band",
      line: { width: 0, color: "--band" },
      hoverinfo: "skip",
      name: "± 1 standard error",
    });
  }
  data.push({
    type: "scatter",
    mode: "lines",
    x: curve.filters,
    y: curve.train,
    name: "training rows",
    line: { color: "--ink-3", width: 1.5, dash: "dash" },
    hovertemplate: "%{y:.4g}",
  });
  if (curve.held) {
    data.push({
      type: "scatter",
      mode: "lines+markers",
      x: curve.filters,
      y: curve.held,
      name: "held-out folds",
      line: { color: "--c1", width: 2 },
      marker: { size: 4, color: "--c1" },
      customdata: curve.error ?? [],
      hovertemplate: curve.error ? "%{y:.4g} ± %{customdata:.2g}" : "%{y:.4g}",
    });
  }
  data.push({
    type: "scatter",
    mode: "markers",
    x: [chosen.filters],
    y: [errorAt(set, curve, chosen.index)],
    name: `knee: ${chosen.filters} of ${curve.total}`,
    marker: { size: 13, symbol: "diamond", color: "--c2", line: { width: 1.5, color: "--card" } },
    hovertemplate: "RMSE %{y:.4g}",
  });
  const unit = set.unit === "" ? "" : ` (${set.unit})`;
  const hover = hoverTogether("%{x} filters");
  const layout = plotLayout(400, {
    ...hover.layout,
    xaxis: plotAxis("filters in use", { rangemode: "tozero", ...hover.axis }),
    yaxis: plotAxis(`RMSE of the linear readout${unit}`, { nticks: 7 }),
    shapes: [
      {
        type: "line",
        xref: "paper",
        x0: 0,
        x1: 1,
        y0: limit,
        y1: limit,
        line: { color: "--c2", width: 1, dash: "dot" },
      },
    ],
    annotations: [
      {
        xref: "paper",
        x: 1,
        y: limit,
        xanchor: "right",
        yanchor: "bottom",
        text: `limit at gamma ${formatGamma(gamma)}: ${formatDigits(limit, 3)}`,
        showarrow: false,
        font: { color: "--c2-ink", size: 12 },
      },
    ],
  });
  return { data, layout };
}

/**
 * Where the information sits: per tap, in order of depth, the share of the label's variance that a linear readout
 * of all path points at best explains (1 - (RMSE / RMSE without filters)^2), and the share at the knee. On held-out folds wherever
 * there are some: a readout of many filters explains its own training rows whatever they hold.
 */
export function depthFigure(set: PageCurves, gamma: number, names: readonly string[]): Figure {
  const explained = (curve: PageCurve, error: number): number => 1 - (error / shownErrors(curve)[0]) ** 2;
  const order = set.curves.map((_, i) => i + 1);
  const best = set.curves.map((curve) => explained(curve, Math.min(...shownErrors(curve))));
  const chosen = set.curves.map((curve) => chosenAt(set, curve, gamma));
  const knee = set.curves.map((curve, i) => explained(curve, shownErrors(curve).at(chosen[i].index) ?? 0));
  const label = set.curves.map((curve, i) => `${names[i]}, ${chosen[i].filters} of ${curve.total} filters`);
  const lines = { x: order, type: "scatter", mode: "lines+markers" };
  const hover = hoverTogether("tap %{x}");
  return {
    data: [
      {
        ...lines,
        y: best,
        name: "at best",
        line: { color: "--ink-3", width: 1.5, dash: "dash" },
        marker: { color: "--ink-3", size: 5, symbol: "circle-open" },
        hovertemplate: "%{y:.1%}",
      },
      {
        ...lines,
        y: knee,
        name: "at the knee",
        line: { color: "--c2", width: 2 },
        marker: { color: "--c2", size: 7, symbol: "diamond" },
        text: label,
        hovertemplate: "%{y:.1%} (%{text})",
      },
    ],
    layout: plotLayout(300, {
      ...hover.layout,
      xaxis: plotAxis("tap, in order of depth", {
        ...hover.axis,
        range: [0.3, order.length + 0.7],
        dtick: Math.max(1, Math.ceil(order.length / 12)),
        tick0: 1,
      }),
      yaxis: plotAxis("variance explained", { tickformat: ".0%", rangemode: "tozero" }),
    }),
  };
}
