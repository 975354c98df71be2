/** What follows from the numbers of a run: no more than they allow. */
import { plural } from "../../core/printable.ts";
import { measureOf, valueOf } from "../../record/measure.ts";
import {
  allocationOf,
  baselineOf,
  controlsOf,
  isTraining,
  isUnsteady,
  plainOf,
  prunedOf,
} from "../../record/models.ts";
import type { ModelRecord, RunRecord } from "../../record/record.ts";
import { kneeAt } from "../client/knee.ts";
import { html, type Markup } from "../escape.ts";
import { pageCurves } from "./curves.ts";
import {
  accuracyDifference,
  errorDifference,
  formatSigned,
  gainOver,
  sayDifference,
  type Difference,
} from "./judge.ts";
import {
  accuracyMeaning,
  distils,
  isNotTrained,
  isTrained,
  LEAST_ROUNDS,
  networkTitle,
  qualityText,
  rmseKindOf,
  sentenceCase,
  testFaces,
  timeShare,
  toldNotes,
} from "./facts.ts";
import { formatChange, formatCount, formatMs, formatPoints, formatShare, formatShareOf } from "../format.ts";
import { formatChoice } from "../choice.ts";

/** Conclusions that the numbers allow, and no others. */
export function findings(record: RunRecord): readonly Markup[] {
  const baseline = baselineOf(record);
  const pruned = prunedOf(record);
  const list: Markup[] = [];
  if (pruned && baseline) {
    list.push(changeFinding(record, pruned, baseline));
    const slower = timeFinding(record, pruned, baseline);
    if (slower) list.push(slower);
  }
  for (const model of [baseline, pruned]) {
    if (model && isNotTrained(model)) {
      list.push(
        html`${networkTitle(model)} was not fine-tuned: no epoch was better on the validation part than the
        start. Training did not help here; a smaller learning rate, more epochs or more training faces may.`,
      );
    }
  }
  for (const model of pruned ? [pruned] : isTraining(record) ? record.models : []) {
    const constant = constantFinding(record, model);
    if (constant) list.push(constant);
  }
  const probe = record.models.find((model) => model.name === "probe");
  if (probe && baseline) {
    list.push(
      html`A linear head on the frozen, unpruned network (the probe): ${qualityText(record.task, probe.test)};
      ${probeText(record, probe, baseline)}.`,
    );
  }
  if (pruned) {
    for (const control of controlsOf(record)) list.push(controlFinding(record, pruned, control));
  }
  for (const model of record.models) {
    const other = plainOf(record, model);
    if (other?.form === "int8") list.push(int8Finding(record, model, other.model));
    if (other?.form === "onnxruntime") list.push(graphFinding(record, model, other.model));
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

/** Where always giving the commonest answer would be right about as often: nothing that was learnt is seen then. */
function constantFinding({ task }: RunRecord, model: ModelRecord): Markup | undefined {
  const { accuracy, accuracyError, confusion, perOutput, n } = model.test;
  const counts = confusion?.map((row) => row.reduce((sum, count) => sum + count, 0)) ?? [];
  const most = Math.max(...counts);
  const commoner = perOutput?.map((one) => Math.max(one.positives, one.n - one.positives) / one.n) ?? [];
  const constant = confusion ? most / n : commoner.reduce((sum, share) => sum + share, 0) / commoner.length;
  if (!(accuracy - 2 * accuracyError <= constant)) return undefined;
  const answer = confusion ? `“${task.classes[counts.indexOf(most)] ?? ""}”` : "the commoner of yes and no";
  const verdict = accuracy <= constant ? "is no better than that" : "is not clearly better than that";
  return html`Always answering ${answer} would be right on ${formatShareOf(constant, n)}:
  ${networkTitle(model)} (${qualityText(task, model.test)}) ${verdict}.`;
}

/** A difference between two networks is also one of their training, where that was not the same. */
function unequalTraining(record: RunRecord, pruned: ModelRecord, baseline: ModelRecord): Markup | undefined {
  const parts = trainingParts(record, pruned, baseline);
  if (parts.length === 0) return undefined;
  return html`The pruned network was not trained as the baseline was: ${parts.join(", and ")}. Part of the
  difference between them may come from that.`;
}

/** What differs. A network that kept its start has learnt nothing in any epoch, whatever its training was to teach it. */
function trainingParts(record: RunRecord, pruned: ModelRecord, baseline: ModelRecord): string[] {
  const learnt = (model: ModelRecord): boolean => isTrained(model) && !isNotTrained(model);
  const [own, others] = [learnt(pruned), learnt(baseline)];
  if (!own && !others) return [];
  if (!own) return ["it is as it was before the first epoch, the baseline was fine-tuned"];
  const taught = distils(record, pruned)
    ? ["it also learnt from the full network’s answers or features"]
    : [];
  if (!others) return ["the baseline was not fine-tuned", ...taught];
  const epochs = ({ history }: ModelRecord): number => history.filter(({ epoch }) => epoch > 0).length;
  const [more, fewer] = [epochs(pruned), epochs(baseline)];
  const counts =
    more === fewer ? [] : [`${plural(more, "epoch")} against ${plural(fewer, "epoch")} of the baseline`];
  return [...counts, ...taught];
}

/** How many filters held-out error would keep where the knees were found on the training rows. */
function heldOutFinding(record: RunRecord): Markup | undefined {
  if (rmseKindOf(record) !== "train" || record.gamma <= 0) return undefined;
  // Widths that a target has chosen without gamma are no knees.
  if (allocationOf(record.config) !== undefined) return undefined;
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
  if (held === own) return undefined;
  return html`On held-out folds the knees would keep ${formatCount(held)} of ${formatCount(total)} filters;
    found on the training rows they keep ${formatCount(own)}. <code>--rmse heldout</code> takes the former.`;
}

/** What pruning did to the quality of the answers. */
function changeFinding(record: RunRecord, pruned: ModelRecord, baseline: ModelRecord): Markup {
  const { task } = record;
  const faces = testFaces(pruned);
  if (measureOf(task).name === "mae") {
    const error = errorDifference(pruned, baseline);
    const whole = valueOf(task, baseline.test);
    if (error === undefined || whole === undefined)
      return html`The answers of
      ${valueOf(task, pruned.test) === undefined ? "the pruned network" : "the baseline"} are no finite
      numbers: the two cannot be compared.`;
    const share = whole > 0 ? ` (${formatChange((whole + error.value) / whole)})` : "";
    const size =
      error.value === 0
        ? "did not change"
        : `changed by ${formatSigned(error.value, error.error, task.unit ?? "")}${share}`;
    const how =
      error.paired && error.value !== 0 ? " The error comes from the same faces, answer by answer." : "";
    return html`The mean absolute error ${size}${verdictOf({ ...error, value: -error.value })}.${how}`;
  }
  const difference = accuracyDifference(pruned, baseline);
  if (difference.disagree === 0) {
    const answers =
      task.kind === "binary" || pruned.test.accuracy === 1
        ? "both networks gave the same answers on all"
        : task.kind === "multi-label"
          ? "both networks gave as many right answers on every single one of"
          : "both networks are right and wrong on the same of all";
    return html`Accuracy did not change: ${answers} ${faces}.`;
  }
  const how = difference.paired
    ? difference.disagree === undefined
      ? "The error comes from the faces on which the two networks disagree."
      : `The error comes from the ${plural(difference.disagree, "face")} of ${formatCount(pruned.test.n)} on which the two networks disagree.`
    : "The two errors are treated as independent, although both networks saw the same faces, so the uncertainty is stated rather too large.";
  const points = formatPoints(difference.value, difference.error);
  const size = difference.value === 0 ? `did not change (${points})` : `changed by ${points}`;
  return html`Accuracy ${size}${verdictOf(difference)}. ${how}`;
}

/** @param difference positive where the pruned network is the better one */
function verdictOf({ value, sure }: Difference): string {
  if (!sure) return ", within the uncertainty of this test set: the run does not show a loss or a gain";
  return value < 0
    ? ", more than chance explains: pruning cost quality here"
    : ", more than chance explains: the pruned network is the better one here";
}

/** A pruned network that is not faster is said to be so, with the reason and the way out; so are times of a busy machine. */
function timeFinding(record: RunRecord, pruned: ModelRecord, baseline: ModelRecord): Markup | undefined {
  const share = timeShare(pruned, baseline);
  if (share === undefined) return undefined;
  if (share.doubt !== undefined)
    return html`The ${share.doubt}. <code>etl profile RUN RUN/baseline.onnx</code> measures again on a quiet
      machine.`;
  const { value, range = { low: value, high: value } } = share;
  if (range.high < 1 && value < 0.97) return tooFewRuns(pruned);
  const left = pruned.cost.total.macs / baseline.cost.total.macs;
  const size = `${formatShare(value)} of the CPU time ${range.high > range.low ? `(${formatShare(range.low)} to ${formatShare(range.high)}) ` : ""}with ${formatShare(left)} of the MACs.`;
  const reason =
    left > 0.97
      ? html`Hardly anything was cut (${formatChoice(record)}); a larger gamma, or <code>--target-ms</code>,
          cuts more.`
      : html`Kernels compute channels in blocks, so time follows widths in multiples of a block (<code
            >--round-to auto</code
          >) and networks that are small already gain little; a larger gamma, or <code>--target-ms</code>,
          asks for the time itself.`;
  return html`The pruned network is
    <strong>not faster</strong> here${range.high > range.low && range.low > 1 ? ", it is slower" : ""}:
    ${size} ${reason}`;
}

function tooFewRuns({ latency }: ModelRecord): Markup | undefined {
  if (latency?.ofBaseline === undefined || latency.runs >= LEAST_ROUNDS) return undefined;
  return html`CPU times rest on ${plural(latency.runs, "run")} of each network, too few to say how sure they
    are: <code>--runs 50</code> is the default.`;
}

function probeText(record: RunRecord, probe: ModelRecord, baseline: ModelRecord): string {
  if (isNotTrained(baseline))
    return "fine-tuning all layers did not help: no epoch was better than the start";
  if (!isTrained(baseline)) return "the baseline was not fine-tuned";
  const gain = gainOver(record.task, baseline, probe);
  if (gain === undefined)
    return "it cannot be compared with the baseline, whose answers are no finite numbers";
  if (gain.sure && gain.value > 0) return "fine-tuning all layers gained more than chance explains";
  if (gain.sure) return "fine-tuning all layers made it worse, more than chance explains";
  return "fine-tuning all layers did not gain more than chance explains";
}

/** What is said of a network beside another one of the same run. */
function controlFinding(record: RunRecord, pruned: ModelRecord, control: ModelRecord): Markup {
  const gain = gainOver(record.task, pruned, control);
  const head = html`Control “${control.title.replace(/^Control: /, "")}” at
  ${formatShare(control.cost.total.macs / pruned.cost.total.macs)} times the MACs of the pruned network`;
  if (gain === undefined) return html`${head}: its answers, or those of ETL, are no finite numbers.`;
  const text = !gain.sure
    ? "within its uncertainty: this run alone does not show that the choice of filters matters"
    : gain.value > 0
      ? "ETL is better by more than chance explains"
      : "the control is better by more than chance explains";
  const measure = measureOf(record.task).name === "mae" ? "mean absolute error of ETL" : "accuracy of ETL";
  return html`${head}: ${measure} minus that of the control is ${rawDifference(record, gain)}, ${text}.`;
}

/** A gain in the direction in which the measure itself counts. */
function rawDifference({ task }: RunRecord, gain: Difference): string {
  const lower = measureOf(task).better === "lower";
  return sayDifference(task, { ...gain, value: lower ? 0 - gain.value : gain.value });
}

/** Times of two networks side by side; undefined where they were not measured, or are not to be relied on. */
function timesOf(
  record: RunRecord,
  one: ModelRecord,
  other: ModelRecord,
): { readonly own: number; readonly others: number } | undefined {
  const baseline = baselineOf(record);
  if (one.latency === undefined || other.latency === undefined) return undefined;
  if (baseline !== undefined && isUnsteady(baseline)) return undefined;
  return { own: one.latency.medianMs, others: other.latency.medianMs };
}

/** A network as the graph that onnxruntime runs faster, beside the plain file. */
function graphFinding(record: RunRecord, model: ModelRecord, plain: ModelRecord): Markup {
  const times = timesOf(record, model, plain);
  const time =
    times === undefined
      ? "how much faster it is cannot be told from this run"
      : times.own < times.others
        ? `an image takes ${formatMs(times.own)} instead of ${formatMs(times.others)} (a share of ${formatShare(times.own / times.others)})`
        : `it was not faster at the end: ${formatMs(times.own)} an image, the plain file ${formatMs(times.others)}`;
  return html`“${networkTitle(plain)}” is there a second time, with the same function, as a graph for
  onnxruntime (<code>${model.name}.onnx</code>): ${time}.`;
}

/** A network in bytes beside itself in floats. */
function int8Finding(record: RunRecord, model: ModelRecord, float: ModelRecord): Markup {
  const size = formatShare(model.fileBytes / float.fileBytes);
  const times = timesOf(record, model, float);
  const time = times ? `, ${formatMs(times.own)} an image instead of ${formatMs(times.others)}` : "";
  const head = html`In int8, “${networkTitle(float)}” takes ${size} of its file${time}`;
  const gain = gainOver(record.task, model, float);
  if (gain === undefined) return html`${head}; its quality cannot be compared: no finite answers.`;
  if (gain.disagree === 0) return html`${head}; its accuracy is the same, face by face.`;
  const verdict = !gain.sure
    ? "within the uncertainty of this test set"
    : gain.value < 0
      ? "more than chance explains: bytes cost quality here"
      : "better by more than chance explains";
  const what = measureOf(record.task).name === "mae" ? "its mean absolute error" : "its accuracy";
  return html`${head}; ${what} differs by ${rawDifference(record, gain)}, ${verdict}.`;
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
      ${measureNote(record)} ± is one standard error that comes from the number of test faces; it does not
      contain the spread over seeds.${baselineNote(record)}
    </p>`;
}

function measureNote(record: RunRecord): string {
  return measureOf(record.task).name === "mae"
    ? "Mean absolute error: how far the answers are from the labels, averaged over the test faces."
    : `Accuracy: ${accuracyMeaning(record)}.`;
}

function baselineNote(record: RunRecord): string {
  const baseline = baselineOf(record);
  if (isTraining(record) || !baseline) return "";
  if (!isTrained(baseline)) return " The baseline is the unpruned network, which was not fine-tuned.";
  return isNotTrained(baseline)
    ? " The baseline is the unpruned network; its fine-tuning was no better than its start, which was kept."
    : " The baseline is the unpruned network, fine-tuned on the same data.";
}
