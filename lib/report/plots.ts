/** Figures as plain data for Plotly. Colours are names of CSS properties: the page resolves them for light and dark. */
import { own } from "../core/own.ts";
import { orderedModels } from "../record/models.ts";
import type { EpochRecord, LayerRow } from "../core/artifacts.ts";
import type { LayerCostRecord, ModelRecord, RunRecord } from "../record/record.ts";
import { wilson } from "../math/statistics.ts";
import type { Figure } from "./client/dom.ts";
import { hoverTogether, plotAxis, plotLayout } from "./client/figures.ts";
import { plotLabel, plotText } from "./escape.ts";
import { formatCount, formatPercent, formatSi } from "./format.ts";
import { distils } from "./sections/facts.ts";

/** Colour, dash and marker of a network: never by colour alone. */
interface Look {
  readonly color: string;
  readonly dash: string;
  readonly symbol: string;
}

const roles: Readonly<Partial<Record<string, Look>>> = {
  baseline: { color: "--ink-2", dash: "solid", symbol: "square" },
  probe: { color: "--c3", dash: "dot", symbol: "triangle-up" },
  pruned: { color: "--c1", dash: "solid", symbol: "circle" },
};
const others: readonly Look[] = [
  { color: "--c4", dash: "dash", symbol: "diamond" },
  { color: "--c5", dash: "dashdot", symbol: "cross" },
  { color: "--c2", dash: "longdash", symbol: "x" },
  { color: "--c6", dash: "dot", symbol: "star" },
];

/** The look of each network of a run, by name. */
export function looksOf(names: readonly string[]): ReadonlyMap<string, Look> {
  const looks = new Map<string, Look>();
  let next = 0;
  for (const name of names) {
    if (looks.has(name)) continue;
    looks.set(name, own(roles, name) ?? others[next++ % others.length]);
  }
  return looks;
}

/** Rounds for the page: five significant digits are more than a plot can show. */
export function short(value: number): number;
export function short(value: number | null): number | null;
export function short(value: number | null): number | null {
  return value === null ? null : Number(value.toPrecision(5));
}

/** Shares on an axis: as many decimals as tell its ticks apart. */
export const shareTicks = ".3~%";

function rowsHeight(rows: number): number {
  // Of few rows the legend, the numbers and the title of the axis take more than the rows.
  return Math.max(160, 70 + rows * 19);
}

function layerAxis(names: readonly string[]): Record<string, unknown> {
  return plotAxis("", {
    autorange: "reversed",
    tickmode: "array",
    tickvals: names.map((_, i) => i),
    ticktext: names.map((name) => plotLabel(name, 20)),
    tickfont: { size: 11 },
    ticks: "",
    gridcolor: "--clear",
  });
}

/** Filters kept and removed per layer, in order of depth. */
export function keptFigure(layers: readonly LayerRow[]): Figure {
  const rows = layers.map((_, i) => i);
  const text = layers.map(
    (layer) =>
      `${plotText(layer.name)}: ${layer.kept} of ${layer.total}${layer.reason ? `<br>${plotText(layer.reason)}` : ""}`,
  );
  const bar = {
    type: "bar",
    orientation: "h",
    y: rows,
    text,
    textposition: "none",
    hovertemplate: "%{text}<extra></extra>",
  };
  return {
    data: [
      { ...bar, name: "kept", x: layers.map((layer) => layer.kept), marker: { color: "--c1" } },
      {
        ...bar,
        name: "removed",
        x: layers.map((layer) => layer.total - layer.kept),
        marker: { color: "--mute" },
      },
    ],
    layout: plotLayout(rowsHeight(layers.length), {
      barmode: "stack",
      bargap: 0.28,
      legend: {
        orientation: "h",
        x: 0,
        y: 1.0,
        xanchor: "left",
        yanchor: "bottom",
        traceorder: "normal",
        bgcolor: "--clear",
      },
      xaxis: plotAxis("filters"),
      yaxis: layerAxis(layers.map((layer) => layer.name)),
    }),
  };
}

/** MACs per layer before and after. */
export function layerCostFigure(costs: readonly LayerCostRecord[]): Figure {
  const rows = costs.map((_, i) => i);
  const text = costs.map(
    (cost) => `${plotText(cost.name)}: ${formatSi(cost.macsAfter)} of ${formatSi(cost.macsBefore)} MACs`,
  );
  const bar = {
    type: "bar",
    orientation: "h",
    y: rows,
    text,
    textposition: "none",
    hovertemplate: "%{text}<extra></extra>",
  };
  return {
    data: [
      { ...bar, name: "before", x: costs.map((cost) => cost.macsBefore), marker: { color: "--mute" } },
      {
        ...bar,
        name: "after",
        x: costs.map((cost) => cost.macsAfter),
        marker: { color: "--c1" },
        width: 0.42,
      },
    ],
    layout: plotLayout(rowsHeight(costs.length), {
      barmode: "overlay",
      bargap: 0.28,
      legend: {
        orientation: "h",
        x: 0,
        y: 1.0,
        xanchor: "left",
        yanchor: "bottom",
        traceorder: "normal",
        bgcolor: "--clear",
      },
      xaxis: plotAxis("MACs", { tickformat: "~s" }),
      yaxis: layerAxis(costs.map((cost) => cost.name)),
    }),
  };
}

const byEpoch = hoverTogether("epoch %{x}");

/** Networks that were trained at least one epoch. */
export function trainedModels(record: RunRecord): readonly ModelRecord[] {
  return orderedModels(record).filter((model) => model.history.length > 1);
}

/** Whether the parts of a training loss are known: runs of before knew their sum. */
export function hasTerms({ history }: ModelRecord): boolean {
  return history.some(({ trainTerms }) => trainTerms !== undefined);
}

interface TrainingLine {
  readonly what: string;
  readonly dash: string;
  /** On the axis of what is learnt from the unpruned network. */
  readonly apart: boolean;
  readonly of: (epoch: EpochRecord) => number | undefined;
}

/** What is drawn of a training loss: the labels' part, which compares with validation, and apart what a teacher adds. */
function trainingLines(record: RunRecord, model: ModelRecord): TrainingLine[] {
  if (!hasTerms(model)) {
    const apart = distils(record, model);
    return [{ what: "training", dash: "dot", apart, of: ({ trainLoss }) => trainLoss }];
  }
  const lines = [
    { what: "training, labels", dash: "dot", apart: false, part: "labels" },
    { what: "distance of features", dash: "dash", apart: true, part: "features" },
    { what: "distance of outputs", dash: "dashdot", apart: true, part: "outputs" },
  ] as const;
  return lines
    .filter(({ part }) => model.history.some(({ trainTerms }) => trainTerms?.[part] !== undefined))
    .map(({ part, ...line }) => ({ ...line, of: ({ trainTerms }) => trainTerms?.[part] }));
}

/** Loss on training and validation rows, per epoch. */
export function lossFigure(record: RunRecord): Figure {
  const models = trainedModels(record);
  const looks = looksOf(models.map((model) => model.name));
  const data = models.flatMap((model) => {
    const look = looks.get(model.name);
    const epochs = model.history.map((epoch) => epoch.epoch);
    const title = plotText(model.title);
    const line = { type: "scatter", x: epochs, legendgroup: model.name };
    const trained = model.history.filter((epoch) => epoch.trainLoss !== undefined);
    const lines = trainingLines(record, model);
    return [
      {
        ...line,
        mode: "lines+markers",
        name: title,
        y: model.history.map((epoch) => short(epoch.valLoss)),
        line: { color: look?.color, width: 2 },
        marker: { color: look?.color, size: 6, symbol: look?.symbol },
        hovertemplate: "%{y:.4g}",
      },
      ...lines.map(({ what, dash, apart, of }) => ({
        ...line,
        mode: "lines",
        name: `${title}, ${what}`,
        showlegend: false,
        x: trained.map((epoch) => epoch.epoch),
        y: trained.map((epoch) => short(of(epoch) ?? null)),
        ...(apart && { yaxis: "y2" }),
        line: { color: look?.color, width: 1.5, dash },
        // Without the long name again: the box would cover what it tells of.
        hovertemplate: `%{y:.4g} ${what}<extra></extra>`,
      })),
    ];
  });
  return {
    data,
    layout: plotLayout(320, {
      ...byEpoch.layout,
      xaxis: plotAxis("epoch", { dtick: epochStep(models), ...byEpoch.axis }),
      yaxis: plotAxis("loss", { rangemode: "tozero" }),
      ...(data.some((trace) => "yaxis" in trace) && {
        yaxis2: plotAxis(models.some(hasTerms) ? "distillation" : "training loss with distillation", {
          rangemode: "tozero",
          overlaying: "y",
          side: "right",
          gridcolor: "--clear",
        }),
      }),
    }),
  };
}

/** Validation accuracy per epoch; the epoch that was kept is ringed. */
export function accuracyFigure(record: RunRecord): Figure {
  const models = trainedModels(record);
  const looks = looksOf(models.map((model) => model.name));
  const data = models.flatMap((model) => {
    const look = looks.get(model.name);
    const best = model.history.filter((epoch) => epoch.epoch === model.bestEpoch);
    return [
      {
        type: "scatter",
        mode: "lines+markers",
        name: plotText(model.title),
        x: model.history.map((epoch) => epoch.epoch),
        y: model.history.map((epoch) => short(epoch.valAccuracy)),
        line: { color: look?.color, width: 2 },
        marker: { color: look?.color, size: 6, symbol: look?.symbol },
        hovertemplate: "%{y:.2%}",
      },
      {
        type: "scatter",
        mode: "markers",
        name: "kept",
        showlegend: false,
        x: best.map((epoch) => epoch.epoch),
        y: best.map((epoch) => short(epoch.valAccuracy)),
        marker: {
          size: 15,
          symbol: "circle-open",
          color: look?.color,
          line: { width: 2, color: look?.color },
        },
        hoverinfo: "skip",
      },
    ];
  });
  return {
    data,
    layout: plotLayout(320, {
      ...byEpoch.layout,
      xaxis: plotAxis("epoch", { dtick: epochStep(models), ...byEpoch.axis }),
      yaxis: plotAxis("validation accuracy", { tickformat: shareTicks }),
    }),
  };
}

function epochStep(models: readonly ModelRecord[]): number {
  const last = Math.max(1, ...models.flatMap((model) => model.history.map((epoch) => epoch.epoch)));
  return Math.max(1, Math.ceil(last / 10));
}

/** Reliability: what the network says against how often it is right. */
export function calibrationFigure(models: readonly ModelRecord[]): Figure {
  const looks = looksOf(models.map((model) => model.name));
  const data: Record<string, unknown>[] = [
    {
      type: "scatter",
      mode: "lines",
      x: [0, 1],
      y: [0, 1],
      name: "perfect",
      line: { color: "--ink-3", width: 1, dash: "dash" },
      hoverinfo: "skip",
    },
  ];
  let lowest = 1;
  for (const model of models) {
    const look = looks.get(model.name);
    const bins = (model.test.calibration ?? []).filter((bin) => bin.n > 0);
    lowest = Math.min(lowest, ...bins.map((bin) => bin.confidence));
    data.push({
      type: "scatter",
      mode: "lines+markers",
      name: plotText(model.title),
      x: bins.map((bin) => short(bin.confidence)),
      y: bins.map((bin) => short(bin.accuracy)),
      error_y: errorBars(
        bins.map((bin) => ({ share: bin.accuracy, n: bin.n })),
        look?.color,
      ),
      text: bins.map((bin) => formatCount(bin.n)),
      line: { color: look?.color, width: 1.5 },
      marker: { color: look?.color, size: 8, symbol: look?.symbol },
      hovertemplate: "says %{x:.1%}, right %{y:.1%} (%{text} faces)<extra></extra>",
    });
  }
  const start = lowest >= 0.5 ? 0.48 : 0;
  return {
    data,
    layout: plotLayout(360, {
      xaxis: plotAxis("confidence of the prediction", { tickformat: ".0%", range: [start, 1.02] }),
      yaxis: plotAxis("share that was right", { tickformat: ".0%", rangemode: "tozero" }),
    }),
  };
}

/** Bars of Wilson's 95 % interval. */
export function errorBars(
  points: readonly { readonly share: number; readonly n: number }[],
  color: string | undefined,
): Record<string, unknown> {
  const ranges = points.map(({ share, n }) => wilson(share, n));
  return {
    type: "data",
    symmetric: false,
    array: ranges.map(({ high }, i) => short(Math.max(0, high - points[i].share))),
    arrayminus: ranges.map(({ low }, i) => short(Math.max(0, points[i].share - low))),
    color,
    thickness: 1.2,
    width: 3,
  };
}

/**
 * Faces that shares of labels are shares of: all of the part where a face has several labels or none (attributes), else those
 * with a label.
 */
export function facesOf({ dataset, task }: RunRecord, part: "train" | "test"): number {
  if (task.kind === "multi-label") return Math.max(1, dataset[part]);
  return Math.max(
    1,
    dataset.labels.reduce((total, row) => total + row[part], 0),
  );
}

/** Share of each label in the training and the test part. */
export function labelsFigure(record: RunRecord): Figure {
  const { labels } = record.dataset;
  const sum = (part: "train" | "test"): number => facesOf(record, part);
  const bar = (part: "train" | "test", name: string, color: string): Record<string, unknown> => ({
    type: "bar",
    name,
    x: labels.map((_, i) => i),
    y: labels.map((row) => short(row[part] / sum(part))),
    text: labels.map(
      (row) => `${plotText(row.label)}: ${formatCount(row[part])} (${formatPercent(row[part] / sum(part))})`,
    ),
    textposition: "none",
    marker: { color },
    hovertemplate: "%{text}<extra></extra>",
  });
  return {
    data: [bar("train", "training", "--c1"), bar("test", "test", "--mute-2")],
    layout: plotLayout(280, {
      barmode: "group",
      bargap: 0.3,
      xaxis: plotAxis("", {
        tickmode: "array",
        tickvals: labels.map((_, i) => i),
        ticktext: labels.map((row) => plotLabel(row.label, 18)),
        ticks: "",
      }),
      yaxis: plotAxis("share of faces", { tickformat: ".0%", rangemode: "tozero" }),
    }),
  };
}
