/** The story first: one sentence with numbers and their uncertainty, four tiles, and what follows from them. */
import { baselineOf, controlsOf, prunedOf } from "../../record/models.ts";
import type { ModelRecord, RunRecord } from "../../record/record.ts";
import { html, type Markup } from "../escape.ts";
import { accuracyDifference, accuracyKept, accuracyMeaning, isTraining, plural } from "./facts.ts";
import {
  formatBytes,
  formatChange,
  formatCount,
  formatDigits,
  formatMs,
  formatPercent,
  formatPercentError,
  formatPoints,
  formatShare,
  formatSi,
} from "../format.ts";

/** The headline sentence of one run. */
export function storySentence(record: RunRecord): Markup {
  const baseline = baselineOf(record);
  const pruned = prunedOf(record);
  if (!pruned) return withoutPruning(record);
  const faces = html`${formatCount(pruned.test.n)} test faces`;
  if (!baseline) {
    return html`The pruned network is right on
      <strong>${formatPercentError(pruned.test.accuracy, pruned.test.accuracyError)}</strong> of ${faces},
      with ${formatSi(pruned.cost.total.macs)} MACs and ${formatSi(pruned.cost.total.params)} parameters. No
      baseline was trained, so nothing can be said about what pruning cost.`;
  }
  const kept = accuracyKept(pruned, baseline);
  const time =
    pruned.latency && baseline.latency
      ? html` and <strong>${formatShare(pruned.latency.medianMs / baseline.latency.medianMs)}</strong> of the
          CPU time`
      : undefined;
  const params = formatShare(pruned.cost.total.params / baseline.cost.total.params);
  return html`The pruned network keeps <strong>${formatPercentError(kept.value, kept.error)}</strong> of the
    baseline’s accuracy (${formatPercent(pruned.test.accuracy, pruned.test.accuracyError)} against
    ${formatPercent(baseline.test.accuracy, baseline.test.accuracyError)} on ${faces}) with
    <strong>${formatShare(pruned.cost.total.macs / baseline.cost.total.macs)}</strong> of the
    MACs${time ? "," : " and"} <strong>${params}</strong> of the parameters${time}.`;
}

function withoutPruning(record: RunRecord): Markup {
  const best = record.models.reduce<ModelRecord | undefined>(
    (found, model) => (found && found.test.accuracy >= model.test.accuracy ? found : model),
    undefined,
  );
  if (!best) return html`This run measured no network.`;
  return html`${best.title} is right on
    <strong>${formatPercentError(best.test.accuracy, best.test.accuracyError)}</strong> of
    ${formatCount(best.test.n)} test faces, with ${formatSi(best.cost.total.macs)} MACs and
    ${formatSi(best.cost.total.params)} parameters.`;
}

/** Conclusions that the numbers allow, and no others. */
export function findings(record: RunRecord): readonly Markup[] {
  const baseline = baselineOf(record);
  const pruned = prunedOf(record);
  const list: Markup[] = [];
  if (pruned && baseline) {
    const difference = accuracyDifference(pruned, baseline);
    const size = formatPoints(difference.value, difference.error);
    const sure = Math.abs(difference.value) >= 2 * difference.error;
    const verdict = !sure
      ? "within the uncertainty of this test set: the run does not show a loss or a gain"
      : difference.value < 0
        ? "larger than twice its uncertainty: pruning cost accuracy here"
        : "larger than twice its uncertainty: the pruned network is the better one here";
    const how = difference.paired
      ? "The error comes from the faces on which the two networks disagree."
      : "The two errors are treated as independent, although both networks saw the same faces, so the uncertainty is stated rather too large.";
    list.push(html`Accuracy changed by ${size}, ${verdict}. ${how}`);
    const error = regressionFinding(record, pruned, baseline);
    if (error) list.push(error);
  }
  const probe = record.models.find((model) => model.name === "probe");
  if (probe && baseline) {
    const difference = accuracyDifference(baseline, probe);
    const text =
      difference.value >= 2 * difference.error
        ? "fine-tuning all layers gained more than the uncertainty"
        : "fine-tuning all layers did not gain more than the uncertainty: the primary network already held what the task needs";
    list.push(
      html`A linear head on the frozen, unpruned network (the probe) reaches
      ${formatPercentError(probe.test.accuracy, probe.test.accuracyError)}; ${text}.`,
    );
  }
  if (pruned) {
    for (const control of controlsOf(record)) list.push(controlFinding(pruned, control));
  }
  const losing = record.curves.filter((curve) => curve.gap > 1e-6).length;
  if (losing > 0) {
    list.push(
      html`On ${plural(losing, "tap")} the LASSO stopped above the promised accuracy (relative duality gap
      10⁻⁶): read their curves with care.`,
    );
  }
  return list;
}

function controlFinding(pruned: ModelRecord, control: ModelRecord): Markup {
  const difference = accuracyDifference(pruned, control);
  const text =
    Math.abs(difference.value) < 2 * difference.error
      ? "less than twice its uncertainty: this run alone does not show that the choice of filters matters"
      : difference.value > 0
        ? "ETL is better by more than twice the uncertainty"
        : "the control is better by more than twice the uncertainty";
  return html`Control “${control.title}” at ${formatShare(control.cost.total.macs / pruned.cost.total.macs)}
  times the MACs of the pruned network: ETL minus control is
  ${formatPoints(difference.value, difference.error)}, ${text}.`;
}

function regressionFinding(
  record: RunRecord,
  pruned: ModelRecord,
  baseline: ModelRecord,
): Markup | undefined {
  if (pruned.test.mae === undefined || baseline.test.mae === undefined) return undefined;
  const unit = record.task.unit ?? "";
  return html`The mean absolute error is ${formatDigits(pruned.test.mae, 3)} ${unit}, against
  ${formatDigits(baseline.test.mae, 3)} ${unit} for the baseline
  (${formatChange(pruned.test.mae / baseline.test.mae)}).`;
}

interface Tile {
  readonly name: string;
  readonly value: Markup;
  readonly from: string;
}

/** Four numbers to remember: accuracy, MACs, size, time. */
export function tiles(record: RunRecord): Markup | undefined {
  const baseline = baselineOf(record);
  const pruned = prunedOf(record);
  if (!baseline || !pruned) return undefined;
  const list: Tile[] = [
    {
      name: "Accuracy",
      value: html`${formatPercent(pruned.test.accuracy, pruned.test.accuracyError)}
        <small
          >±
          ${formatPercentError(pruned.test.accuracy, pruned.test.accuracyError).split("±\u00a0")[1] ?? "0"}</small
        >`,
      from: `baseline ${formatPercent(baseline.test.accuracy, baseline.test.accuracyError)}`,
    },
    {
      name: "Computation",
      value: html`${formatChange(pruned.cost.total.macs / baseline.cost.total.macs)}`,
      from: `${formatSi(pruned.cost.total.macs)} of ${formatSi(baseline.cost.total.macs)} MACs`,
    },
    {
      name: "Size",
      value: html`${formatChange(pruned.cost.total.bytes / baseline.cost.total.bytes)}`,
      from: `${formatBytes(pruned.cost.total.bytes)} of ${formatBytes(baseline.cost.total.bytes)}`,
    },
  ];
  if (pruned.latency && baseline.latency) {
    list.push({
      name: "CPU time per image",
      value: html`${formatChange(pruned.latency.medianMs / baseline.latency.medianMs)}`,
      from: `${formatMs(pruned.latency.medianMs)} instead of ${formatMs(baseline.latency.medianMs)}`,
    });
  }
  return html`<ul class="tiles">
    ${list.map(
      (tile) =>
        html`<li>
          <span class="name">${tile.name}</span><span class="value">${tile.value}</span
          ><span class="from">${tile.from}</span>
        </li>`,
    )}
  </ul>`;
}

/** Sentence and tiles: the first screen, with the table below them. */
export function storyBlock(record: RunRecord): Markup {
  return html`<p class="lead">${storySentence(record)}</p>
    ${tiles(record)}`;
}

/** What follows from the numbers, and what the run has to say. */
export function findingsBlock(record: RunRecord): Markup {
  const list = [...findings(record), ...record.notes.map((note) => html`${note}`)];
  return html`${
      list.length > 0
        ? html`<ul class="findings">
            ${list.map((item) => html`<li>${item}</li>`)}
          </ul>`
        : undefined
    }
    <p class="note">
      Accuracy: ${accuracyMeaning(record)}. ± is one standard error of the test set (binomial); it does not
      contain the spread over
      seeds.${isTraining(record) ? "" : " The baseline is the unpruned network, fine-tuned on the same data."}
    </p>`;
}
