/** Several runs side by side: one table, one plot, every point with its uncertainty. */
import { plural } from "../../core/printable.ts";
import { absentNotes, shownMetrics } from "../../record/absent.ts";
import { measureOf, valueOf } from "../../record/measure.ts";
import { baselineOf, orderedModels, testedOn } from "../../record/models.ts";
import { shortVariant, sweepRows, type SweepRow } from "../../record/sweep.ts";
import type { ScoreSpread } from "../../math/statistics.ts";
import type { ModelRecord, RunRecord } from "../../record/record.ts";
import { html, type Markup } from "../escape.ts";
import { accuracyCell, formatError, networkTitle, NO_NUMBERS, timeDoubt, timeShare } from "./facts.ts";
import { taskNames, tradeOffs } from "./tradeoff.ts";
import { accuracyKept } from "./judge.ts";
import {
  formatBytes,
  formatChange,
  formatCount,
  formatGamma,
  formatMs,
  formatPercentError,
  formatShare,
  formatShareOf,
  formatSi,
  formatUncertain,
} from "../format.ts";
import { renderTable, textCell, type Cell, type Row } from "../tables.ts";
import { type Scope } from "../section.ts";

function shareOf(
  model: ModelRecord,
  baseline: ModelRecord | undefined,
  read: (model: ModelRecord) => number | undefined,
): number | undefined {
  const value = read(model);
  const reference = baseline && read(baseline);
  return value === undefined || !reference ? undefined : value / reference;
}

interface RowOptions {
  readonly name: string;
  readonly withBalance: boolean;
  readonly withError: boolean;
  readonly onlyErrors: boolean;
  /** Whether any run of the table has a baseline. */
  readonly withBaseline: boolean;
  /** Whether any run of the table was pruned by a gamma. */
  readonly withGamma: boolean;
}

/** Mean absolute error with its change against the baseline of the same run. */
function errorCell({ task }: RunRecord, model: ModelRecord, reference: ModelRecord | undefined): Cell {
  if (measureOf(task).name !== "mae") return textCell("–", "");
  const value = valueOf(task, model.test);
  if (value === undefined) return textCell(NO_NUMBERS, "");
  const whole = reference && valueOf(task, reference.test);
  const change = whole ? html` <small class="change">(${formatChange(value / whole)})</small>` : undefined;
  return textCell(html`${formatError(value, task.unit ?? "")}${change}`, value);
}

/** Median time, with the change that rounds in turns say; none where times are not reliable. */
function timeCell(model: ModelRecord, baseline: ModelRecord | undefined): Cell {
  const ms = model.latency?.medianMs;
  if (ms === undefined) return textCell("–", "");
  if (baseline && timeDoubt(baseline) !== undefined)
    return textCell(html`${formatMs(ms)}, <small class="change">not reliable</small>`, ms);
  const share = baseline && baseline !== model ? timeShare(model, baseline) : undefined;
  const said = share?.open ? "no clear change" : share && formatChange(share.value);
  const change = said && html` <small class="change">(${said})</small>`;
  return textCell(html`${formatMs(ms)}${change}`, ms);
}

function comparisonRow(
  record: RunRecord,
  model: ModelRecord,
  { name, withBalance, withError, onlyErrors, withBaseline, withGamma }: RowOptions,
): Row {
  const baseline = baselineOf(record);
  const reference = model === baseline ? undefined : baseline;
  const kept =
    reference && measureOf(record.task).name === "accuracy" ? accuracyKept(model, reference) : undefined;
  const bracket = (show: string, share: number | undefined): Markup =>
    share === undefined || share === 1 || !reference
      ? html`${show}`
      : html`${show} <small class="change">(${formatChange(share)})</small>`;
  const { macs, params, bytes } = model.cost.total;
  const { accuracy, balancedAccuracy, n } = shownMetrics(model.test);
  return {
    strong: model.name === "pruned",
    cells: [
      textCell(name),
      textCell(record.task.name),
      ...(withGamma
        ? [record.curves.length === 0 ? textCell("–", "") : textCell(formatGamma(record.gamma), record.gamma)]
        : []),
      textCell(networkTitle(model)),
      // Of labels that are numbers the mean error speaks; a share within a tolerance is no accuracy beside those of classes.
      onlyErrors || measureOf(record.task).name === "accuracy"
        ? { ...accuracyCell(model.test), csv: accuracy }
        : textCell("–", ""),
      ...(withError ? [errorCell(record, model, reference)] : []),
      ...(withBalance
        ? [
            textCell(
              balancedAccuracy === undefined ? "–" : formatShareOf(balancedAccuracy, n),
              balancedAccuracy ?? "",
            ),
          ]
        : []),
      textCell(formatCount(n), n),
      ...(onlyErrors || !withBaseline
        ? []
        : [
            kept
              ? { show: formatPercentError(kept.value, kept.error), csv: kept.value, error: kept.error }
              : textCell("–", ""),
          ]),
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
      timeCell(model, baseline),
    ],
  };
}

/** The sentences over a comparison: one for each pruned network of the table of means, with its deviation over seeds. */
export function comparisonSentence(records: readonly RunRecord[]): Markup {
  const tasks = taskNames(records);
  const head = html`${plural(records.length, "run")} on
  ${tasks.length === 1 ? "one task" : `${tasks.length} tasks`} (${tasks.join(", ")}).`;
  const rows = sweepRows(records);
  const pruned = rows.filter(
    ({ network, kept, mae }) => network === "pruned" && (kept !== undefined || mae !== undefined),
  );
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
  const name = [several ? row.task : "", within, shortVariant(row.variant)]
    .filter((word) => word !== "")
    .join(", ");
  const single = row.mae === undefined ? row.testError?.kept : row.testError?.mae;
  const over =
    n > 1
      ? `, mean and standard deviation over ${n} seeds`
      : `, one seed${(single ?? 0) > 0 ? " (±: standard error of its test part)" : ""}`;
  const macs = row.macsShare === undefined ? "" : ` at ${formatShare(row.macsShare)} of the MACs`;
  if (row.mae !== undefined) {
    const baseline = rows.find(
      (other) => other.network === "baseline" && other.task === row.task && other.backbone === row.backbone,
    );
    const error = ({ mean, sd }: ScoreSpread, of: SweepRow): string =>
      formatUncertain(mean, n > 1 ? sd : of.testError?.mae);
    const unit = row.unit === undefined || row.unit === "" ? "" : ` ${row.unit}`;
    const reference = baseline?.mae ? ` (the baseline by ${error(baseline.mae, baseline)}${unit})` : "";
    return html`${name}: off by <strong>${error(row.mae, row)}${unit}</strong> on
      average${reference}${macs}${over}.`;
  }
  const { mean, sd } = row.kept ?? { mean: NaN, sd: 0 };
  const kept = formatPercentError(mean, n > 1 ? sd : (single ?? 0));
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
  const withError = records.some(({ task }) => measureOf(task).name === "mae");
  const onlyErrors = records.every(({ task }) => measureOf(task).name === "mae");
  const withBaseline = records.some((record) => baselineOf(record) !== undefined);
  const withGamma = records.some(({ curves }) => curves.length > 0);
  const rows = records.flatMap((record, i) =>
    orderedModels(record).map((model) =>
      comparisonRow(record, model, {
        name: record.title ?? `run ${i + 1}`,
        withBalance,
        withError,
        onlyErrors,
        withBaseline,
        withGamma,
      }),
    ),
  );
  const figures = tradeOffs(scope, records);
  const differing = differingTests(records);
  const absent = absentNotes(records).map((note) => ` ${note}.`);
  return html`${differing}
  ${renderTable({
    id: "comparison",
    caption: html`Every network of every run
    ${withBaseline ? html`<span>In brackets: the change against the baseline of the same run.</span>` : undefined}`,
    tall: records.length > 6,
    columns: [
      { label: "Run" },
      { label: "Task", fileOnly: taskNames(records).length === 1 },
      ...(withGamma ? [{ label: "Gamma", numeric: true, fileOnly: true }] : []),
      { label: "Network", wide: true },
      { label: onlyErrors ? "Within tolerance" : "Accuracy", numeric: true },
      ...(withError ? [{ label: "Mean error", numeric: true, csv: "mae" }] : []),
      ...(withBalance ? [{ label: "Balanced accuracy", numeric: true }] : []),
      { label: "Test pictures", numeric: true, csv: "n", fileOnly: differing === undefined },
      ...(onlyErrors || !withBaseline
        ? []
        : [{ label: "Kept of baseline", numeric: true, csv: "accuracy over baseline" }]),
      { label: "MACs", numeric: true },
      { label: "Parameters", numeric: true, fileOnly: true },
      { label: "Size", numeric: true, csv: "bytes" },
      { label: "CPU time per image", numeric: true, csv: "cpu median (ms)" },
    ],
    rows,
    note:
      "± is one standard error of the test set. FLOPs are twice the MACs. Times compare only within one run: machines and loads may differ between runs." +
      absent.join(""),
  })}
  ${figures}`;
}
