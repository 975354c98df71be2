/** The story first: one sentence with numbers and their uncertainty, and four tiles. */
import { isAsGood, measureOf, valueOf } from "../../record/measure.ts";
import { baselineOf, formName, prunedOf } from "../../record/models.ts";
import type { ModelRecord, RunRecord } from "../../record/record.ts";
import { html, type Markup } from "../escape.ts";
import { wilson } from "../../math/statistics.ts";
import { accuracyKept } from "./judge.ts";
import {
  accuracyText,
  formatError,
  networkTitle,
  NO_NUMBERS,
  qualityText,
  testFaces,
  timeShare,
} from "./facts.ts";
import {
  decimalsFor,
  formatBytes,
  formatChange,
  formatDigits,
  formatMs,
  formatPercent,
  formatPercentError,
  formatRange,
  formatShare,
  formatSi,
} from "../format.ts";

/** The headline sentence of one run. */
export function storySentence(record: RunRecord): Markup {
  const baseline = baselineOf(record);
  const pruned = prunedOf(record);
  if (!pruned) return withoutPruning(record);
  if (!baseline) {
    return html`The pruned network ${qualitySentence(record, pruned)}, with
    ${formatSi(pruned.cost.total.macs)} MACs and ${formatSi(pruned.cost.total.params)} parameters. No baseline
    was trained, so nothing can be said about what pruning cost.`;
  }
  const share = clearShare(pruned, baseline);
  const time = share && html` and <strong>${share}</strong> of the CPU time`;
  const params = formatShare(pruned.cost.total.params / baseline.cost.total.params);
  const cost = html`with <strong>${formatShare(pruned.cost.total.macs / baseline.cost.total.macs)}</strong> of
    the MACs${time ? "," : " and"} <strong>${params}</strong> of the parameters${time}.`;
  const kept = accuracyKept(pruned, baseline);
  if (measureOf(record.task).name === "mae" || kept === undefined) {
    return html`The pruned network ${qualitySentence(record, pruned, baseline)}, ${cost}`;
  }
  const left = kept.error > 0 ? formatPercentError(kept.value, kept.error) : formatPercent(kept.value);
  return html`The pruned network keeps <strong>${left}</strong> of the baseline’s accuracy
    (${formatPercent(pruned.test.accuracy, pruned.test.accuracyError)} against
    ${formatPercent(baseline.test.accuracy, baseline.test.accuracyError)} on ${testFaces(pruned)}) ${cost}`;
}

/** A share of the baseline's time as text; undefined where the run does not tell it for sure. */
function clearShare(model: ModelRecord, baseline: ModelRecord): string | undefined {
  const share = timeShare(model, baseline);
  if (share === undefined || share.doubt !== undefined || share.open) return undefined;
  return formatShare(share.value);
}

/** What the pruned network is in bytes, where there is one; undefined without a baseline beside it. */
function int8Sentence(record: RunRecord): Markup | undefined {
  const baseline = baselineOf(record);
  const pruned = prunedOf(record);
  const bytes = pruned && record.models.find(({ name }) => name === formName(pruned.name, "int8"));
  if (!baseline || !bytes) return undefined;
  const share = clearShare(bytes, baseline);
  const time = share && html` and <strong>${share}</strong> of its CPU time`;
  return html`In int8: <strong>${qualityText(record.task, bytes.test)}</strong>, with
    <strong>${formatShare(bytes.cost.total.bytes / baseline.cost.total.bytes)}</strong> of the baseline’s
    size${time}.`;
}

/** "is right on 97.6 % ± 0.4 of 1,250 test faces": what kind of task it is decides what a number is a share of. */
function qualitySentence({ task }: RunRecord, model: ModelRecord, baseline?: ModelRecord): Markup {
  const beside = baseline && html`; the baseline: ${qualityText(task, baseline.test)}`;
  const value = valueOf(task, model.test);
  if (measureOf(task).name === "mae") {
    return value === undefined
      ? html`gives <strong>${NO_NUMBERS}</strong> on ${testFaces(model)} (its training diverged${beside})`
      : html`is off by <strong>${formatError(value, task.unit ?? "")}</strong> on average (mean absolute error
          on ${testFaces(model)}${beside})`;
  }
  const text = accuracyText(model.test);
  return task.kind === "multi-label"
    ? html`gives <strong>${text}</strong> right answers, averaged over the attributes, on
        ${testFaces(model)}${beside}`
    : html`is right on <strong>${text}</strong> of ${testFaces(model)}${beside}`;
}

function withoutPruning(record: RunRecord): Markup {
  const measure = measureOf(record.task);
  const best = record.models.reduce<ModelRecord | undefined>(
    (found, model) =>
      found && isAsGood(measure, valueOf(record.task, found.test), valueOf(record.task, model.test))
        ? found
        : model,
    undefined,
  );
  if (!best) return html`This run measured no network.`;
  return html`${networkTitle(best)} ${qualitySentence(record, best)}, with ${formatSi(best.cost.total.macs)}
  MACs and ${formatSi(best.cost.total.params)} parameters.`;
}

interface Tile {
  readonly name: string;
  readonly value: Markup;
  readonly from: string;
}

/** How good the answers are, by the task's own measure. */
function qualityTile({ task }: RunRecord, pruned: ModelRecord, baseline: ModelRecord): Tile {
  if (measureOf(task).name === "mae") {
    const unit = task.unit ?? "";
    const [own, whole] = [pruned, baseline].map(({ test }) => valueOf(task, test));
    return {
      name: "Mean absolute error",
      value: own === undefined ? html`–` : html`${formatDigits(own, 3)} <small>${unit}</small>`,
      from: `baseline ${whole === undefined ? NO_NUMBERS : formatError(whole, unit)}`,
    };
  }
  const { accuracy, accuracyError, n } = pruned.test;
  const sure =
    accuracyError > 0
      ? `± ${(100 * accuracyError).toFixed(decimalsFor(100 * accuracyError))}`
      : `(${formatRange(accuracy, wilson(accuracy, n)).split("(")[1] ?? ")"}`;
  return {
    name: "Accuracy",
    value: html`${formatPercent(accuracy, accuracyError)} <small>${sure}</small>`,
    from: `baseline ${accuracyText(baseline.test)}`,
  };
}

/** Four numbers to remember: accuracy, MACs, size, time. */
function tiles(record: RunRecord): Markup | undefined {
  const baseline = baselineOf(record);
  const pruned = prunedOf(record);
  if (!baseline || !pruned) return undefined;
  const list: Tile[] = [
    qualityTile(record, pruned, baseline),
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
  const share = timeShare(pruned, baseline);
  if (share !== undefined && pruned.latency && baseline.latency) {
    const instead = `${formatMs(pruned.latency.medianMs)} instead of ${formatMs(baseline.latency.medianMs)}`;
    const why = share.doubt !== undefined ? "not reliable: " : share.open ? "no clear change: " : "";
    list.push({
      name: "CPU time per image",
      value: html`${why === "" ? formatChange(share.value) : "–"}`,
      from: why + instead,
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

/** The first paragraphs of a run. @param title in front of what is said of several runs */
export function storyLead(record: RunRecord, title = ""): Markup {
  const bytes = int8Sentence(record);
  const of = title === "" ? "" : `${title}: `;
  return html`<p class="lead">${of}${storySentence(record)}</p>
    ${bytes && html`<p class="lead">${of}${bytes}</p>`}`;
}

/** Sentences and tiles: the first screen, with the table below them. */
export function storyBlock(record: RunRecord): Markup {
  return html`${storyLead(record)} ${tiles(record)}`;
}
