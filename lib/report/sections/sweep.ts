/** What many runs say together: the paper's Table 1 and its figures 4 to 6, mean and deviation over seeds. */
import { plural } from "../../core/printable.ts";
import type { RunRecord } from "../../record/record.ts";
import type { ScoreSpread } from "../../math/statistics.ts";
import { shortVariant, sweepRows, type SweepRow } from "../../record/sweep.ts";
import { worthOfSelection, type Worth } from "../../record/worth.ts";
import { plotAxis, plotLayout } from "../client/figures.ts";
import type { Figure } from "../client/dom.ts";
import { html, plotText, type Markup } from "../escape.ts";
import {
  formatBytes,
  formatChange,
  formatGamma,
  formatMs,
  formatPercentError,
  formatPoints,
  formatSi,
  formatUncertain,
} from "../format.ts";
import { accuracyText } from "./facts.ts";
import { formatSigned } from "./judge.ts";
import { looksOf, shareTicks, short } from "../plots.ts";
import { plot, type Scope } from "../section.ts";
import { renderTable, textCell, type Cell, type Row } from "../tables.ts";

/** Whether the runs repeat a task with other seeds or gammas, so that there is something to sum up. */
export function isSweep(records: readonly RunRecord[]): boolean {
  const tasks = new Set(records.map((record) => `${record.task.name} ${record.backbone.name}`));
  return records.length > tasks.size;
}

/** Table 1 and the trade-off curves over all runs. */
export function sweepSummary(scope: Scope, records: readonly RunRecord[]): Markup {
  const rows = sweepRows(records);
  const most = Math.max(...rows.map(({ seeds }) => seeds.length));
  const withError = rows.some(({ mae }) => mae !== undefined);
  const withKept = rows.some(({ kept }) => kept !== undefined);
  const spread = { numeric: true, errorName: "standard deviation" };
  const one = "one seed: ± is the standard error of its test part";
  const few = rows.some(({ seeds }) => seeds.length === 1) ? `, of ${one}` : "";
  const over = most > 1 ? `mean ± standard deviation over up to ${most} seeds${few}` : one;
  return html`${renderTable({
    id: "table1",
    caption: html`Accuracy and cost by task and gamma
      <span>${over}; in brackets: the change against the baseline.</span>`,
    tall: rows.length > 14,
    columns: [
      { label: "Task" },
      { label: "Network", wide: true },
      { label: "Gamma", numeric: true },
      { label: "Seeds", numeric: true },
      { label: "Accuracy", ...spread },
      ...(withError ? [{ label: "Mean error", csv: "mae", ...spread }] : []),
      ...(withKept ? [{ label: "Kept of baseline", csv: "accuracy over baseline", ...spread }] : []),
      { label: "FLOPs", numeric: true, csv: "FLOPs (2 x MACs)" },
      { label: "Size", numeric: true, csv: "bytes" },
      { label: "CPU inference", numeric: true, csv: "cpu median (ms)" },
    ],
    rows: rows.map((row) => tableRow(row, { withError, withKept })),
    note: `CPU time: the mean of the runs, and the median change of rounds in turns with the baselines of the same runs${rows.some(({ unsteady }) => unsteady) ? "; no change where an identical copy of the baseline took another time: such times are not reliable" : ""}. Accuracy on the test part${withError ? "; of numbers the mean absolute error in the label's unit, and in the column of accuracies the share within the task's tolerance" : ""}. FLOPs are twice the MACs.`,
  })}
  ${worthList(records)} ${figures(scope, rows)}`;
}

/** What the choice of filters is worth, in a sentence for each control; nothing where no run has one. */
export function worthList(records: readonly RunRecord[]): Markup {
  const all = worthOfSelection(records);
  if (all.length === 0) return html``;
  return html`<h3>What the choice of filters is worth</h3>
    <p>
      ETL minus control on the test part, network beside network of the same run, then the mean over seeds and
      over tasks: accuracies in points, of numbers the mean absolute error, of which less is better. The
      uncertainty is the standard error over seeds.
    </p>
    <ul>
      ${all.map((worth) => html`<li>${worthSentence(worth)}</li>`)}
    </ul>`;
}

function worthSentence({ title, difference, error, sure, tasks, measure, unit }: Worth): Markup {
  const say = (value: number, uncertain?: number): string =>
    measure === "mae" ? formatSigned(value, uncertain, unit) : formatPoints(value, uncertain);
  const each = tasks
    .map((one) => `${one.task} ${say(one.difference)}, ${plural(one.seeds, "seed")}`)
    .join("; ");
  // Of one task the mean is its own number: said once.
  const over =
    tasks.length === 1
      ? `(${tasks[0].task}, ${plural(tasks[0].seeds, "seed")})`
      : `on the mean over ${plural(tasks.length, "task")} (${each})`;
  const gain = measure === "mae" ? -difference : difference;
  const verdict =
    error === undefined
      ? "one seed of each task does not tell what chance does"
      : sure !== true
        ? "within what chance does over so few seeds: these runs do not show that the choice of filters matters"
        : gain > 0
          ? "ETL is ahead by more than chance explains"
          : "the control is ahead by more than chance explains";
  return html`${title}:
    <strong>${say(difference, error)}</strong>${measure === "mae" ? " of mean absolute error" : ""} ${over}:
    ${verdict}.`;
}

/**
 * Mean and deviation over seeds; where all seeds gave the same, that and no deviation of nothing. Of one seed the standard error of
 * its test part is shown, which is no deviation over seeds: the file has none.
 */
function spreadCell({ mean, sd }: ScoreSpread, n: number, testError?: number): Cell {
  return n > 1
    ? { show: formatPercentError(mean, sd), csv: mean, error: sd }
    : textCell(formatPercentError(mean, testError ?? 0), mean);
}

/** Of one seed as the table of its run has it, with the range that n allows where the standard error is nothing. */
function accuracyOf({ accuracy, seeds, testError }: SweepRow): Cell {
  return testError === undefined
    ? spreadCell(accuracy, seeds.length)
    : textCell(
        accuracyText({ accuracy: accuracy.mean, accuracyError: testError.accuracy, n: testError.n }),
        accuracy.mean,
      );
}

function errorCell(row: SweepRow, n: number): Cell {
  if (row.mae === undefined) return textCell("–", "");
  const { mean, sd } = row.mae;
  const change =
    row.errorShare && row.network !== "baseline" ? `(${formatChange(row.errorShare.mean)})` : undefined;
  // The unit stands below the number, beside the change: the table is wide.
  const below = [row.unit, change].filter((text) => text !== undefined && text !== "").join(" ");
  return {
    show: html`${formatUncertain(mean, n > 1 ? sd : row.testError?.mae)}${below === "" ? undefined : html` <small class="change">${below}</small>`}`,
    csv: mean,
    ...(n > 1 && { error: sd }),
  };
}

function tableRow(row: SweepRow, { withError, withKept }: { withError: boolean; withKept: boolean }): Row {
  const n = row.seeds.length;
  const changed = (shown: string, share: number | undefined): Markup =>
    share === undefined || share === 1
      ? html`${shown}`
      : html`${shown} <small class="change">(${formatChange(share)})</small>`;
  const ms = formatMs(row.cpuMs ?? 0);
  const time =
    row.cpuShare === undefined || row.network === "baseline"
      ? html`${ms}${row.unsteady && html`, <small class="change">not reliable</small>`}`
      : html`${ms} <small class="change">(${formatChange(row.cpuShare)})</small>`;
  return {
    strong: row.network === "pruned" && row.variant === "",
    cells: [
      textCell(row.task),
      textCell(row.variant === "" ? nameOf(row) : `${nameOf(row)} (${shortVariant(row.variant)})`),
      row.gamma === undefined ? textCell("–", "") : textCell(formatGamma(row.gamma), row.gamma),
      textCell(n),
      accuracyOf(row),
      ...(withError ? [errorCell(row, n)] : []),
      ...(withKept
        ? [
            row.network === "baseline" || !row.kept
              ? textCell("–", "")
              : spreadCell(row.kept, n, row.testError?.kept),
          ]
        : []),
      textCell(changed(formatSi(2 * row.macs), row.macsShare), 2 * row.macs),
      textCell(changed(formatBytes(row.bytes), row.bytesShare), row.bytes),
      row.cpuMs === undefined ? textCell("–", "") : textCell(time, row.cpuMs),
    ],
  };
}

/** A title without the gamma of the run it was first seen in. */
function nameOf(row: SweepRow): string {
  return row.network === "pruned" ? "ETL" : row.title;
}

interface Axes {
  readonly x: (row: SweepRow) => number | undefined;
  readonly y: (row: SweepRow) => ScoreSpread | undefined;
  readonly xaxis: Record<string, unknown>;
  readonly yaxis: Record<string, unknown>;
}

const palette = ["--c1", "--c2", "--c3", "--c4", "--c6", "--c5"];

/** One line for each task and network over the gammas. */
function lines(rows: readonly SweepRow[], axes: Axes): Figure {
  const touched = rows.filter(({ gamma }) => gamma !== undefined);
  const tasks = [...new Set(rows.map(({ task }) => task))];
  const kinds = [...new Set(touched.map(({ network, variant }) => `${network} ${variant}`))];
  const looks = looksOf(["pruned", ...kinds]);
  const data = tasks.flatMap((task, t) =>
    kinds.flatMap((kind) => {
      const own = touched
        .filter((row) => row.task === task && `${row.network} ${row.variant}` === kind)
        .flatMap((row) => {
          const [x, y] = [axes.x(row), axes.y(row)];
          return x === undefined || y === undefined ? [] : [{ row, x, y }];
        })
        .sort((a, b) => a.x - b.x);
      if (own.length === 0) return [];
      const look = looks.get(kind === "pruned " ? "pruned" : kind);
      const color = tasks.length > 1 ? palette[t % palette.length] : look?.color;
      const [{ row }] = own;
      const name = row.variant === "" ? nameOf(row) : `${nameOf(row)}, ${shortVariant(row.variant)}`;
      return [
        {
          type: "scatter",
          mode: "lines+markers",
          name: plotText(tasks.length > 1 ? `${task}: ${name}` : name),
          x: own.map((point) => short(point.x)),
          y: own.map((point) => short(point.y.mean)),
          error_y: {
            type: "data",
            array: own.map((point) => short(point.y.sd)),
            color,
            thickness: 1.2,
            width: 4,
          },
          text: own.map((point) => `gamma ${formatGamma(point.row.gamma ?? 0)}`),
          line: { color, width: 2, dash: look?.dash },
          marker: { color, size: 8, symbol: look?.symbol },
          hovertemplate: "%{text}: %{y}<extra>%{fullData.name}</extra>",
        },
      ];
    }),
  );
  return { data, layout: plotLayout(400, { xaxis: axes.xaxis, yaxis: axes.yaxis }) };
}

const only = (value: number | undefined): ScoreSpread | undefined =>
  value === undefined ? undefined : { mean: value, sd: 0 };
const smaller = ({ bytesShare }: SweepRow): number | undefined =>
  bytesShare === undefined ? undefined : 1 - bytesShare;
const gammaAxis = plotAxis("gamma");

function figures(scope: Scope, rows: readonly SweepRow[]): Markup[] {
  // A single point would be given room on both sides: no share lies below 0 or above 1.
  const bounds = { autorangeoptions: { minallowed: 0, maxallowed: 1.02 } };
  const share = (title: string): Record<string, unknown> => plotAxis(title, { tickformat: ".0%", ...bounds });
  const kept = plotAxis("accuracy over the baseline’s", { tickformat: shareTicks });
  const errors = plotAxis("mean error over the baseline’s", { tickformat: shareTicks });
  const bars = rows.some(({ seeds }) => seeds.length > 1) ? " Bars: one standard deviation over seeds." : "";
  const made: readonly (readonly [string, string, string, Axes])[] = [
    [
      "error-macs",
      "Mean error against the MACs that are left",
      `For labels that are numbers. Down and to the left is better; 100 % is the baseline’s mean absolute error.${bars}`,
      { x: (row) => row.macsShare, y: (row) => row.errorShare, xaxis: share("MACs left"), yaxis: errors },
    ],
    [
      "kept-macs",
      "Accuracy kept against the MACs that are left",
      `Up and to the left is better. A control has exactly the widths of the ETL network at the same gamma: only the choice of filters (or the start) differs.${bars}`,
      { x: (row) => row.macsShare, y: (row) => row.kept, xaxis: share("MACs left"), yaxis: kept },
    ],
    [
      "kept-size",
      "Accuracy kept against size reduction (the paper’s figure 6)",
      "How much smaller the stored parameters became.",
      { x: smaller, y: (row) => row.kept, xaxis: share("size reduction"), yaxis: kept },
    ],
    [
      "macs-size",
      "MACs against size reduction (the paper’s figure 6)",
      "Size and computation do not shrink together: early layers compute much and store little.",
      {
        x: smaller,
        y: (row) => only(row.macsShare),
        xaxis: share("size reduction"),
        yaxis: share("MACs left"),
      },
    ],
    [
      "cpu-gamma",
      "CPU inference time against gamma (the paper’s figure 5)",
      "Median time of one image in each run; machines and loads may differ between runs.",
      {
        x: (row) => row.gamma,
        y: (row) => only(row.cpuMs),
        xaxis: gammaAxis,
        yaxis: plotAxis("ms per image"),
      },
    ],
    [
      "epoch-gamma",
      "Training time of an epoch against gamma (the paper’s figure 4)",
      "Median over the epochs of a run.",
      {
        x: (row) => row.gamma,
        y: (row) => only(row.epochSeconds),
        xaxis: gammaAxis,
        yaxis: plotAxis("seconds"),
      },
    ],
  ];
  return made.flatMap(([name, title, words, axes]) => {
    const figure = lines(rows, axes);
    if (figure.data.length === 0) return [];
    return plot(scope, name, figure, {
      title,
      text: words,
      label: `${title}, by task and network. The table above holds the numbers.`,
    });
  });
}
