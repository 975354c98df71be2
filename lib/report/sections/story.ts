/** The story first: one sentence with numbers and their uncertainty, four tiles, and what follows from them. */
import { baselineOf, controlsOf, isTraining, prunedOf } from "../../record/models.ts";
import type { ModelRecord, RunRecord } from "../../record/record.ts";
import { kneeAt } from "../client/knee.ts";
import { html, type Markup } from "../escape.ts";
import { pageCurves } from "./curves.ts";
import { wilson } from "../../math/statistics.ts";
import {
  accuracyDifference,
  accuracyKept,
  accuracyMeaning,
  accuracyText,
  distils,
  errorDifference,
  isNotTrained,
  plural,
  rmseKindOf,
  sentenceCase,
  timeShare,
  toldNotes,
  type Difference,
} from "./facts.ts";
import {
  decimalsFor,
  formatBytes,
  formatChange,
  formatCount,
  formatDigits,
  formatMs,
  formatPercent,
  formatPercentError,
  formatPoints,
  formatRange,
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
    return html`The pruned network is right on <strong>${accuracyText(pruned.test)}</strong> of ${faces}, with
      ${formatSi(pruned.cost.total.macs)} MACs and ${formatSi(pruned.cost.total.params)} parameters. No
      baseline was trained, so nothing can be said about what pruning cost.`;
  }
  const share = timeShare(pruned, baseline);
  const time =
    share === undefined || share.doubt !== undefined
      ? undefined
      : html` and <strong>${formatShare(share.value)}</strong> of the CPU time`;
  const params = formatShare(pruned.cost.total.params / baseline.cost.total.params);
  const cost = html`with <strong>${formatShare(pruned.cost.total.macs / baseline.cost.total.macs)}</strong> of
    the MACs${time ? "," : " and"} <strong>${params}</strong> of the parameters${time}.`;
  const error = errorDifference(pruned, baseline);
  if (record.task.kind === "regression" && error !== undefined) {
    const unit = record.task.unit ?? "";
    return html`The pruned network is off by
      <strong>${formatDigits(pruned.test.mae ?? 0, 3)} ${unit}</strong> on average (mean absolute error; the
      baseline by ${formatDigits(baseline.test.mae ?? 0, 3)} ${unit}, on ${faces}), ${cost}`;
  }
  const kept = accuracyKept(pruned, baseline);
  const left = kept.error > 0 ? formatPercentError(kept.value, kept.error) : formatPercent(kept.value);
  return html`The pruned network keeps <strong>${left}</strong> of the baseline’s accuracy
    (${formatPercent(pruned.test.accuracy, pruned.test.accuracyError)} against
    ${formatPercent(baseline.test.accuracy, baseline.test.accuracyError)} on ${faces}) ${cost}`;
}

function withoutPruning(record: RunRecord): Markup {
  const best = record.models.reduce<ModelRecord | undefined>(
    (found, model) => (found && found.test.accuracy >= model.test.accuracy ? found : model),
    undefined,
  );
  if (!best) return html`This run measured no network.`;
  return html`${best.title} is right on <strong>${accuracyText(best.test)}</strong> of
    ${formatCount(best.test.n)} test faces, with ${formatSi(best.cost.total.macs)} MACs and
    ${formatSi(best.cost.total.params)} parameters.`;
}

/** Conclusions that the numbers allow, and no others. */
export function findings(record: RunRecord): readonly Markup[] {
  const baseline = baselineOf(record);
  const pruned = prunedOf(record);
  const list: Markup[] = [];
  if (pruned && baseline) {
    list.push(changeFinding(record, pruned, baseline));
    const slower = timeFinding(pruned, baseline);
    if (slower) list.push(slower);
  }
  for (const model of [baseline, pruned]) {
    if (model && isNotTrained(model)) {
      list.push(
        html`${model.title} was not fine-tuned: no epoch was better on the validation part than the start.
        Training did not help here; a smaller learning rate, more epochs or more training faces may.`,
      );
    }
  }
  const probe = record.models.find((model) => model.name === "probe");
  if (probe && baseline) {
    list.push(
      html`A linear head on the frozen, unpruned network (the probe) reaches ${accuracyText(probe.test)};
      ${probeText(probe, baseline)}.`,
    );
  }
  if (pruned) {
    for (const control of controlsOf(record)) list.push(controlFinding(pruned, control));
  }
  const unequal = pruned && baseline && unequalTraining(record, pruned, baseline);
  if (unequal) list.push(unequal);
  const heldOut = heldOutFinding(record);
  if (heldOut) list.push(heldOut);
  const losing = record.curves.filter((curve) => curve.gap > 1e-6).length;
  if (losing > 0) {
    list.push(
      html`On ${plural(losing, "tap")} the LASSO stopped above the promised accuracy (relative duality gap
      10⁻⁶): read their curves with care.`,
    );
  }
  return list;
}

/** A difference between two networks is also one of their training, where that was not the same. */
function unequalTraining(record: RunRecord, pruned: ModelRecord, baseline: ModelRecord): Markup | undefined {
  const epochs = ({ history }: ModelRecord): number => history.filter(({ epoch }) => epoch > 0).length;
  const [own, others] = [epochs(pruned), epochs(baseline)];
  const parts = [
    ...(own !== others
      ? [html`${plural(own, "epoch")} against ${plural(others, "epoch")} of the baseline`]
      : []),
    ...(distils(record, pruned) && own > 0
      ? [html`it also learnt from the full network’s answers or features`]
      : []),
  ];
  if (parts.length === 0 || (isNotTrained(pruned) && isNotTrained(baseline))) return undefined;
  const [first, second] = parts;
  return html`The pruned network was not trained as the baseline was:
  ${second === undefined ? first : html`${first}, and ${second}`}. Part of the difference between them may
  come from that.`;
}

/** How many filters held-out error would keep where the knees were found on the training rows. */
function heldOutFinding(record: RunRecord): Markup | undefined {
  if (rmseKindOf(record) !== "train" || record.gamma <= 0) return undefined;
  const set = pageCurves(record, "");
  if (set.curves.length === 0 || set.curves.some(({ held }) => held === undefined)) return undefined;
  const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);
  const total = sum(set.curves.map((curve) => curve.total));
  const own = sum(set.curves.map((curve) => curve.chosen));
  const held = sum(
    set.curves.map((curve) => {
      const index = kneeAt(curve, "heldout", set.gamma, set.minFilters);
      return index < 0 ? curve.total : curve.filters[index];
    }),
  );
  return html`On held-out folds the knees would keep ${formatCount(held)} of ${formatCount(total)} filters;
    found on the training rows they keep ${formatCount(own)}. <code>--rmse heldout</code> takes the former.`;
}

/** What pruning did to the quality of the answers. */
function changeFinding(record: RunRecord, pruned: ModelRecord, baseline: ModelRecord): Markup {
  const error = record.task.kind === "regression" ? errorDifference(pruned, baseline) : undefined;
  if (error !== undefined) {
    const unit = record.task.unit ?? "";
    const change =
      pruned.test.mae === undefined ? 1 : pruned.test.mae / (baseline.test.mae ?? pruned.test.mae);
    const size =
      error.value === 0
        ? html`did not change`
        : html`changed by ${signed(error, unit)} (${formatChange(change)})`;
    return html`The mean absolute error ${size}${verdictOf({ ...error, value: -error.value })}.`;
  }
  const difference = accuracyDifference(pruned, baseline);
  if (difference.disagree === 0)
    return html`Accuracy did not change: both networks gave the same answers on all
    ${formatCount(pruned.test.n)} test faces.`;
  const how = difference.paired
    ? "The error comes from the faces on which the two networks disagree."
    : "The two errors are treated as independent, although both networks saw the same faces, so the uncertainty is stated rather too large.";
  const size =
    difference.value === 0
      ? "did not change"
      : `changed by ${formatPoints(difference.value, difference.error)}`;
  return html`Accuracy ${size}${verdictOf(difference)}. ${how}`;
}

/** "+14.9 ± 1.2 years". */
function signed({ value, error }: Difference, unit: string): string {
  const sign = value < 0 ? "\u2212" : "+";
  const uncertain = error > 0 ? `\u00a0±\u00a0${formatDigits(error, 2)}` : "";
  return `${sign}${formatDigits(Math.abs(value), 3)}${uncertain} ${unit}`.trim();
}

/** @param difference positive where the pruned network is the better one */
function verdictOf({ value, sure }: Difference): string {
  if (!sure) return ", within the uncertainty of this test set: the run does not show a loss or a gain";
  return value < 0
    ? ", more than chance explains: pruning cost quality here"
    : ", more than chance explains: the pruned network is the better one here";
}

/** A pruned network that is not faster is said to be so, with the reason and the way out; so are times of a busy machine. */
function timeFinding(pruned: ModelRecord, baseline: ModelRecord): Markup | undefined {
  const share = timeShare(pruned, baseline);
  if (share === undefined) return undefined;
  if (share.doubt !== undefined)
    return html`The ${share.doubt}. <code>etl profile RUN RUN/baseline.onnx</code> measures again on a quiet
      machine.`;
  const { value, range = { low: value, high: value } } = share;
  if (range.high < 1 && value < 0.97) return undefined;
  const macs = formatShare(pruned.cost.total.macs / baseline.cost.total.macs);
  return html`The pruned network is <strong>not faster</strong> here: ${formatShare(value)} of the CPU time
    ${range.high > range.low ? `(${formatShare(range.low)} to ${formatShare(range.high)}) ` : ""}with ${macs}
    of the MACs. Kernels compute channels in blocks, so time follows widths in multiples of a block (<code
      >--round-to auto</code
    >) and networks that are small already gain little; a larger gamma, or <code>--target-ms</code>, asks for
    the time itself.`;
}

function probeText(probe: ModelRecord, baseline: ModelRecord): string {
  if (isNotTrained(baseline))
    return "fine-tuning all layers did not help: no epoch was better than the start";
  const difference = accuracyDifference(baseline, probe);
  if (difference.sure && difference.value > 0)
    return "fine-tuning all layers gained more than chance explains";
  if (difference.sure) return "fine-tuning all layers made it worse, more than chance explains";
  return "fine-tuning all layers did not gain more than chance explains";
}

function controlFinding(pruned: ModelRecord, control: ModelRecord): Markup {
  const difference = accuracyDifference(pruned, control);
  const text = !difference.sure
    ? "within its uncertainty: this run alone does not show that the choice of filters matters"
    : difference.value > 0
      ? "ETL is better by more than chance explains"
      : "the control is better by more than chance explains";
  return html`Control “${control.title}” at ${formatShare(control.cost.total.macs / pruned.cost.total.macs)}
  times the MACs of the pruned network: ETL minus control is
  ${formatPoints(difference.value, difference.error)}, ${text}.`;
}

interface Tile {
  readonly name: string;
  readonly value: Markup;
  readonly from: string;
}

/** How good the answers are, by the task's own measure. */
function qualityTile(record: RunRecord, pruned: ModelRecord, baseline: ModelRecord): Tile {
  const { mae } = pruned.test;
  if (record.task.kind === "regression" && mae !== undefined && baseline.test.mae !== undefined) {
    const unit = record.task.unit ?? "";
    return {
      name: "Mean absolute error",
      value: html`${formatDigits(mae, 3)} <small>${unit}</small>`,
      from: `baseline ${formatDigits(baseline.test.mae, 3)} ${unit}`,
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
    from: `baseline ${formatPercent(baseline.test.accuracy, baseline.test.accuracyError)}`,
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
    list.push({
      name: "CPU time per image",
      value: html`${share.doubt === undefined ? formatChange(share.value) : "–"}`,
      from: share.doubt === undefined ? instead : `not reliable: ${instead}`,
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
  const list = [...findings(record), ...toldNotes(record).map((note) => html`${sentenceCase(note)}`)];
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
