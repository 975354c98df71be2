/** Quality against cost: every network of some runs as a point with its uncertainty. */
import { plural } from "../../core/printable.ts";
import { groupBy } from "../../core/group-by.ts";
import { measureOf, valueOf } from "../../record/measure.ts";
import { baselineOf, prunedOf } from "../../record/models.ts";
import type { ModelRecord, RunRecord } from "../../record/record.ts";
import type { Figure } from "../client/dom.ts";
import { plotAxis, plotLayout } from "../client/figures.ts";
import { html, plotText, type Markup } from "../escape.ts";
import { networkTitle, qualityText } from "./facts.ts";
import { accuracyKept, errorDifference } from "./judge.ts";
import { formatChoice } from "../choice.ts";
import { formatGamma } from "../format.ts";
import { looksOf, shareTicks, short } from "../plots.ts";
import { plot, type Scope } from "../section.ts";

/** A name for a run: its title, else what tells it from the others. */
export function runTitle(record: RunRecord): string {
  return record.title ?? `${record.task.name}, ${record.backbone.name}, ${formatChoice(record)}`;
}

const axes = [
  {
    key: "bytes",
    title: "size of the stored parameters (bytes)",
    name: "size",
    read: (m: ModelRecord) => m.cost.total.bytes,
  },
  { key: "macs", title: "MACs per image", name: "MACs", read: (m: ModelRecord) => m.cost.total.macs },
  {
    key: "ms",
    title: "CPU time per image (ms)",
    name: "CPU time",
    read: (m: ModelRecord) => m.latency?.medianMs,
  },
] as const;

interface Point {
  readonly record: RunRecord;
  readonly model: ModelRecord;
  readonly x: number;
  readonly y: number;
  readonly error: number;
}

export function taskNames(records: readonly RunRecord[]): string[] {
  return [...new Set(records.map(({ task }) => task.name))];
}

/** Tasks of different difficulty share an axis only relative to their own baselines. */
function isRelative(records: readonly RunRecord[]): boolean {
  return taskNames(records).length > 1 && records.every((record) => baselineOf(record) !== undefined);
}

/** A network on the vertical axis: its accuracy or mean error, or where tasks differ what is left of its baseline's quality. */
function pointOf(record: RunRecord, model: ModelRecord, x: number, relative: boolean): Point | undefined {
  const baseline = baselineOf(record);
  const { task } = record;
  const y = valueOf(task, model.test);
  if (y === undefined) return undefined;
  const isError = measureOf(task).name === "mae";
  if (!relative || !baseline) {
    const { mae = 0, rmse = mae, n, accuracyError } = model.test;
    const error = isError ? Math.sqrt(Math.max(0, rmse ** 2 - mae ** 2) / Math.max(1, n)) : accuracyError;
    return { record, model, x, y, error };
  }
  if (model === baseline) return { record, model, x, y: 1, error: 0 };
  if (!isError) {
    const kept = accuracyKept(model, baseline);
    return kept && { record, model, x, y: kept.value, error: kept.error };
  }
  const whole = valueOf(task, baseline.test);
  if (whole === undefined || !(y > 0)) return undefined;
  const difference = errorDifference(model, baseline);
  return { record, model, x, y: whole / y, error: ((difference?.error ?? 0) * whole) / y ** 2 };
}

/** Accuracy against a cost: colour tells task and backbone, marker and line the kind of network. */
function tradeOffFigure(records: readonly RunRecord[], axis: (typeof axes)[number]): Figure {
  const severalTasks = taskNames(records).length > 1;
  const severalBackbones = new Set(records.map(({ backbone }) => backbone.name)).size > 1;
  const seriesOf = ({ task, backbone }: RunRecord): string =>
    [...(severalTasks ? [task.name] : []), ...(severalBackbones ? [backbone.name] : [])].join(", ");
  const series = [...new Set(records.map(seriesOf))];
  const palette = ["--c1", "--c2", "--c3", "--c4", "--c6", "--c5"];
  const names = [...new Set(records.flatMap((record) => record.models.map((model) => model.name)))];
  const looks = looksOf(names);
  const relative = isRelative(records);
  const data: Record<string, unknown>[] = [];
  series.forEach((group, g) => {
    for (const name of names) {
      const points = records
        .filter((record) => seriesOf(record) === group)
        .flatMap((record) =>
          record.models.flatMap((model) => {
            const x = model.name === name ? axis.read(model) : undefined;
            return x === undefined ? [] : (pointOf(record, model, x, relative) ?? []);
          }),
        )
        .sort((a, b) => a.x - b.x);
      if (points.length === 0) continue;
      const title = points[0].model.title;
      const color = series.length > 1 ? palette[g % palette.length] : (looks.get(name)?.color ?? "--c1");
      const labelled = name === "pruned";
      // a network that was trained as a whole has its own name in its title
      const prefix = series.length > 1 && (severalTasks || name !== points[0].record.backbone.name);
      data.push({
        type: "scatter",
        mode: labelled ? "lines+markers+text" : "markers",
        // Beside the name of a task there is no room for what a title explains in brackets.
        name: plotText(prefix ? `${group}: ${title.replace(/ \([^()]*\)$/, "")}` : title),
        cliponaxis: false,
        x: points.map((point) => short(point.x)),
        y: points.map((point) => short(point.y)),
        error_y: {
          type: "data",
          array: points.map((point) => short(point.error)),
          color,
          thickness: 1.2,
          width: 4,
        },
        text: points.map((point) => (labelled ? formatGamma(point.record.gamma) : "")),
        textposition: "top left",
        textfont: { color: "--ink-2", size: 11 },
        customdata: points.map(
          ({ record, model }) =>
            `${plotText(runTitle(record))}<br>${plotText(networkTitle(model))}: ${plotText(qualityText(record.task, model.test))}`,
        ),
        line: { color, width: 1.5, dash: looks.get(name)?.dash },
        marker: { color, size: 9, symbol: looks.get(name)?.symbol },
        hovertemplate: "%{customdata}<extra></extra>",
      });
    }
  });
  return {
    data,
    layout: plotLayout(440, {
      xaxis: plotAxis(axis.title, { type: "log", tickformat: "~s", dtick: "D2" }),
      yaxis: qualityAxis(records, relative),
    }),
  };
}

function qualityAxis(records: readonly RunRecord[], relative: boolean): Record<string, unknown> {
  if (relative) {
    const mixed = records.some(({ task }) => measureOf(task).name === "mae");
    return plotAxis(mixed ? "quality over the baseline’s" : "accuracy over the baseline’s", {
      tickformat: shareTicks,
    });
  }
  const { name, unit } = measureOf(records[0].task);
  return name === "mae"
    ? plotAxis(`mean absolute error${unit === "" ? "" : ` (${unit})`}`)
    : plotAxis("test accuracy", { tickformat: shareTicks });
}

/** Runs that share a vertical axis: all, where each stands relative to its baseline; else those of one measure. */
function alikeMeasures(records: readonly RunRecord[]): (readonly RunRecord[])[] {
  if (isRelative(records)) return [records];
  const groups = groupBy(records, ({ task }) => {
    const { name, unit } = measureOf(task);
    return name === "mae" ? `${task.name} ${unit}` : name;
  });
  return [...groups.values()];
}

function tradeOffPlot(
  scope: Scope,
  records: readonly RunRecord[],
  axis: (typeof axes)[number],
  k: number,
): Markup {
  const relative = isRelative(records);
  const { name } = measureOf(records[0].task);
  const isError = name === "mae" && !relative;
  const mixed = relative && records.some(({ task }) => measureOf(task).name === "mae");
  const pruned = records.some((record) => prunedOf(record) !== undefined);
  const what = isError
    ? `Mean error${k > 0 ? ` (${records[0].task.name})` : ""}`
    : mixed
      ? "Quality"
      : "Accuracy";
  return plot(scope, `tradeoff-${axis.key}${k > 0 ? `-${k + 1}` : ""}`, tradeOffFigure(records, axis), {
    title: `${what} against ${axis.name}`,
    text: html`${isError ? "Down" : "Up"} and to the left is
    better.${pruned ? " The numbers beside the points are gamma." : ""} Bars: one standard error of the test
    set${relative ? ", of the ratio to the baseline of the same run" : ""}.${
      mixed ? " Of labels that are numbers: the baseline’s mean error over the network’s." : ""
    }
    The vertical axis does not start at zero.`,
    label: `${what} against ${axis.name} for every network of ${plural(records.length, "run")}. The table above holds the numbers.`,
  });
}

/** One plot for each kind of cost that was measured, and for each measure that cannot share an axis. */
export function tradeOffs(scope: Scope, records: readonly RunRecord[]): Markup[] {
  return alikeMeasures(records).flatMap((own, k) =>
    axes
      .filter((axis) => own.some((record) => record.models.some((model) => axis.read(model) !== undefined)))
      .map((axis) => tradeOffPlot(scope, own, axis, k)),
  );
}
