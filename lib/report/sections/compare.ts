/** Several runs side by side: one table, one plot, every point with its uncertainty. */
import { absentNotes, shownMetrics } from "../../record/absent.ts";
import { baselineOf, orderedModels, testedOn } from "../../record/models.ts";
import { sweepRows, type SweepRow } from "../../record/sweep.ts";
import type { ScoreSpread } from "../../math/statistics.ts";
import type { ModelRecord, RunRecord } from "../../record/record.ts";
import type { Figure } from "../client/dom.ts";
import { plotAxis, plotLayout } from "../client/figures.ts";
import { html, plotText, type Markup } from "../escape.ts";
import { accuracyText, accuracyKept } from "./facts.ts";
import {
  formatBytes,
  formatChange,
  formatCount,
  formatDigits,
  formatGamma,
  formatMs,
  formatPercent,
  formatPercentError,
  formatShare,
  formatSi,
} from "../format.ts";
import { looksOf, short } from "../plots.ts";
import { renderTable, textCell, type Row } from "../tables.ts";
import { plot, type Scope } from "../section.ts";

/** A name for a run: its title, else what tells it from the others. */
export function runTitle(record: RunRecord): string {
  return record.title ?? `${record.task.name}, ${record.backbone.name}, gamma ${formatGamma(record.gamma)}`;
}

function shareOf(
  model: ModelRecord,
  baseline: ModelRecord | undefined,
  read: (model: ModelRecord) => number | undefined,
): number | undefined {
  const value = read(model);
  const reference = baseline && read(baseline);
  return value === undefined || !reference ? undefined : value / reference;
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

function taskNames(records: readonly RunRecord[]): string[] {
  return [...new Set(records.map(({ task }) => task.name))];
}

/** Tasks of different difficulty share an axis only relative to their own baselines. */
function isRelative(records: readonly RunRecord[]): boolean {
  return taskNames(records).length > 1 && records.every((record) => baselineOf(record) !== undefined);
}

function pointOf(record: RunRecord, model: ModelRecord, x: number, relative: boolean): Point {
  const baseline = baselineOf(record);
  const { accuracy, accuracyError } = model.test;
  if (!relative || !baseline) return { record, model, x, y: accuracy, error: accuracyError };
  if (model === baseline) return { record, model, x, y: 1, error: 0 };
  const kept = accuracyKept(model, baseline);
  return { record, model, x, y: kept.value, error: kept.error };
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
            return x === undefined ? [] : [pointOf(record, model, x, relative)];
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
        name: plotText(prefix ? `${group}: ${title}` : title),
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
            `${plotText(runTitle(record))}<br>${plotText(model.title)}: ${accuracyText(model.test)}`,
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
      yaxis: plotAxis(relative ? "accuracy over the baseline’s" : "test accuracy", { tickformat: ".1%" }),
    }),
  };
}

function comparisonRow(
  record: RunRecord,
  model: ModelRecord,
  { name, withBalance }: { readonly name: string; readonly withBalance: boolean },
): Row {
  const baseline = baselineOf(record);
  const reference = model === baseline ? undefined : baseline;
  const kept = reference && accuracyKept(model, reference);
  const bracket = (show: string, share: number | undefined): Markup =>
    share === undefined || share === 1 || !reference
      ? html`${show}`
      : html`${show} <small class="change">(${formatChange(share)})</small>`;
  const { macs, params, bytes } = model.cost.total;
  const ms = model.latency?.medianMs;
  const { accuracy, balancedAccuracy, n } = shownMetrics(model.test);
  return {
    strong: model.name === "pruned",
    cells: [
      textCell(name),
      textCell(record.task.name),
      record.curves.length === 0 ? textCell("–", "") : textCell(formatGamma(record.gamma), record.gamma),
      textCell(model.title),
      textCell(accuracyText(model.test), accuracy),
      ...(withBalance
        ? [
            textCell(
              balancedAccuracy === undefined ? "–" : formatPercent(balancedAccuracy),
              balancedAccuracy ?? "",
            ),
          ]
        : []),
      textCell(formatCount(n), n),
      kept ? textCell(formatPercentError(kept.value, kept.error), kept.value) : textCell("–", ""),
      textCell(
        bracket(
          formatSi(macs),
          shareOf(model, baseline, (m) => m.cost.total.macs),
        ),
        macs,
      ),
      textCell(
        bracket(
          formatSi(params),
          shareOf(model, baseline, (m) => m.cost.total.params),
        ),
        params,
      ),
      textCell(
        bracket(
          formatBytes(bytes),
          shareOf(model, baseline, (m) => m.cost.total.bytes),
        ),
        bytes,
      ),
      ms === undefined
        ? textCell("–", "")
        : textCell(
            bracket(
              formatMs(ms),
              shareOf(model, baseline, (m) => m.latency?.medianMs),
            ),
            ms,
          ),
    ],
  };
}

/** The sentences over a comparison: one for each pruned network of the table of means, with its deviation over seeds. */
export function comparisonSentence(records: readonly RunRecord[]): Markup {
  const tasks = taskNames(records);
  const head = html`${records.length} runs on ${tasks.length === 1 ? "one task" : `${tasks.length} tasks`}
  (${tasks.join(", ")}).`;
  const rows = sweepRows(records);
  const pruned = rows.filter(({ network, kept }) => network === "pruned" && kept !== undefined);
  if (pruned.length === 0) return head;
  return html`${head}
    <ul class="findings">
      ${pruned.map((row) => html`<li>${prunedSentence(row, rows)}</li>`)}
    </ul>`;
}

function prunedSentence(row: SweepRow, rows: readonly SweepRow[]): Markup {
  const n = row.seeds.length;
  const [several, within] = [
    new Set(rows.map(({ task }) => task)).size > 1,
    row.gamma === undefined ? "" : `gamma ${formatGamma(row.gamma)}`,
  ];
  const name = [several ? row.task : "", within, row.variant].filter((word) => word !== "").join(", ");
  const over = n > 1 ? `, mean and standard deviation over ${n} seeds` : ", one seed";
  const macs = row.macsShare === undefined ? "" : ` at ${formatShare(row.macsShare)} of the MACs`;
  if (row.mae !== undefined) {
    const baseline = rows.find(
      (other) => other.network === "baseline" && other.task === row.task && other.backbone === row.backbone,
    );
    const error = (spread: ScoreSpread): string =>
      n > 1
        ? `${formatDigits(spread.mean, 3)} ± ${formatDigits(spread.sd, 2)}`
        : formatDigits(spread.mean, 3);
    const reference = baseline?.mae ? ` (the baseline by ${formatDigits(baseline.mae.mean, 3)})` : "";
    return html`${name}: off by <strong>${error(row.mae)}</strong> on average${reference}${macs}${over}.`;
  }
  const { mean, sd } = row.kept ?? { mean: NaN, sd: 0 };
  const kept = n > 1 ? `${(100 * mean).toFixed(1)} % ± ${(100 * sd).toFixed(1)}` : formatPercent(mean);
  return html`${name}: keeps <strong>${kept}</strong> of its baseline’s accuracy${macs}${over}.`;
}

/** What to say where networks of one task were tested on other pictures. */
function differingTests(records: readonly RunRecord[]): Markup | undefined {
  const differing = taskNames(records).flatMap((task) => {
    const of = records.filter((record) => record.task.name === task);
    const parts = new Set(of.map(testedOn)).size;
    if (parts < 2) return [];
    const sizes = [...new Set(of.flatMap(({ models }) => models.map(({ test }) => test.n)))];
    const counts = sizes.sort((a, b) => a - b).map(formatCount);
    if (counts.length < 2) return [`${task}: ${parts} test parts of ${counts[0] ?? "0"}`];
    return [`${task}: ${counts.slice(0, -1).join(", ")} and ${counts.at(-1) ?? ""} of them`];
  });
  if (differing.length === 0) return undefined;
  return html`<p>
    <strong>Not all runs were tested on the same pictures</strong> (${differing.join("; ")}). Part of the
    difference between their accuracies is a difference between test parts: use the same data, limit and seed
    for a comparison that counts.
  </p>`;
}

/** Table and plots over all runs. */
export function comparison(scope: Scope, records: readonly RunRecord[]): Markup {
  const withBalance = records.some(({ models }) =>
    models.some(({ test }) => shownMetrics(test).balancedAccuracy !== undefined),
  );
  const rows = records.flatMap((record, i) =>
    orderedModels(record).map((model) =>
      comparisonRow(record, model, { name: record.title ?? `run ${i + 1}`, withBalance }),
    ),
  );
  const figures = axes
    .filter((axis) => records.some((record) => record.models.some((model) => axis.read(model) !== undefined)))
    .map((axis) =>
      plot(scope, `tradeoff-${axis.key}`, tradeOffFigure(records, axis), {
        title: `Accuracy against ${axis.name}`,
        text: html`Up and to the left is better. The numbers beside the points are gamma. Bars: one standard
        error of the test set${isRelative(records) ? ", of the ratio to the baseline of the same run" : ""}.
        The vertical axis does not start at zero.`,
        label: `Test accuracy against ${axis.name} for every network of ${records.length} runs. The table above holds the numbers.`,
      }),
    );
  const differing = differingTests(records);
  const absent = absentNotes(records).map((note) => ` ${note}.`);
  return html`${differing}
  ${renderTable({
    id: "comparison",
    caption: html`Every network of every run
      <span>In brackets: the change against the baseline of the same run.</span>`,
    tall: records.length > 6,
    columns: [
      { label: "Run" },
      { label: "Task", fileOnly: taskNames(records).length === 1 },
      { label: "Gamma", numeric: true, fileOnly: true },
      { label: "Network", wide: true },
      { label: "Accuracy", numeric: true },
      ...(withBalance ? [{ label: "Balanced accuracy", numeric: true }] : []),
      { label: "Test pictures", numeric: true, csv: "n", fileOnly: differing === undefined },
      { label: "Kept of baseline", numeric: true, csv: "accuracy over baseline" },
      { label: "MACs", numeric: true },
      { label: "Parameters", numeric: true, fileOnly: true },
      { label: "Size", numeric: true, csv: "bytes" },
      { label: "CPU time per image", numeric: true, csv: "cpu median (ms)" },
    ],
    rows,
    note:
      "± is one standard error of the test set (binomial). FLOPs are twice the MACs. Times compare only within one run: machines and loads may differ between runs." +
      absent.join(""),
  })}
  ${figures}`;
}
