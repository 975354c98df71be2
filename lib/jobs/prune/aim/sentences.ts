/** What was aimed at and what came of it, as sentences. */
import { plural } from "../../../core/printable.ts";
import type { TimeRecord } from "../../../record/record.ts";
import type { Hit, Widths } from "../config.ts";

/** "50 %", "92.9 %": three digits. */
const percent = (share: number): string => `${Number((100 * share).toPrecision(3))} %`;

/** What was asked for, and what gamma or the widths in its place give it, as one sentence. */
export function aimSentence(
  { target, gamma, value, reached, evaluations, time }: Hit,
  widths?: Pick<Widths, "allocate">,
): string {
  const [found, wanted] = {
    flops: [`${percent(value)} of the MACs`, `at most ${percent(target.value)}`],
    size: [`${value} bytes`, `at most ${target.value}`],
    ms: [timeSentence(time), `at most ${target.value} ms`],
    time: [
      `${percent(value)} of the unpruned network's time (${timeSentence(time)})`,
      `at most ${percent(target.value)} of the time`,
    ],
    accuracy: [
      `${percent(value)} validation accuracy before fine-tuning`,
      `at least ${percent(target.value)}`,
    ],
  }[target.kind];
  // What the end measures may be otherwise; MACs stay as they were chosen.
  const chosen = target.kind === "flops" ? "reached" : "reached when it was chosen,";
  const verdict = reached ? chosen : "not reached, the nearest is taken";
  const how = {
    none: `at gamma ${gamma}`,
    gamma: `at gamma ${gamma}, blocks of filters put back where there was room,`,
    uniform: "by equal shares of all layers",
    knapsack: "by blocks of filters, their error against their cost,",
  }[widths?.allocate ?? "none"];
  const looked = how === `at gamma ${gamma}` ? ` (${plural(evaluations, "network")} looked at)` : "";
  // Gamma and uniform widths end at one block everywhere.
  const isLeast = !reached && target.kind !== "accuracy" && widths?.allocate !== "knapsack";
  const further = isLeast
    ? "; --allocate knapsack can leave out whole residual branches, where there are some"
    : "";
  return `target ${wanted}: ${verdict} ${how} with ${found}${looked}${further}`;
}

/** "predicted 1.52 ms, measured 1.49 ms, the unpruned network takes 6.01 ms". */
function timeSentence(time: TimeRecord | undefined): string {
  if (time === undefined) return "";
  const { predictedMs, measuredMs, wholeMs } = time;
  const here = measuredMs === undefined ? "" : `, measured ${measuredMs.toFixed(3)} ms`;
  return `predicted ${predictedMs.toFixed(3)} ms${here}, the unpruned float network takes ${wholeMs.toFixed(3)} ms`;
}

/** A time that is so little above the target is the machine's mood. */
const TIME_TOLERANCE = 0.05;

/** How the finished network stands to the target; undefined where the plan has said it exactly already. */
export function outcomeSentence(
  { target }: Hit,
  pruned: {
    /** Of what is delivered: with int8 the network in bytes. */
    readonly medianMs: number | undefined;
    /** Of the unpruned float network's time, as the report says it. */
    readonly timeShare: number | undefined;
    /** Two copies of one network differed in time: nothing can be said. */
    readonly unsteady?: boolean;
    readonly fileBytes: number;
    readonly accuracy: number;
  },
): string | undefined {
  const verdict = (ok: boolean): string => (ok ? "reached" : "not reached");
  const ofTime = (found: number): string =>
    pruned.unsteady === true
      ? "the times of this run are not reliable"
      : found <= (1 + TIME_TOLERANCE) * target.value && found > target.value
        ? `reached within ${100 * TIME_TOLERANCE} %`
        : verdict(found <= target.value);
  switch (target.kind) {
    case "flops":
      return undefined;
    case "size":
      return `target at most ${target.value} bytes: ${verdict(pruned.fileBytes <= target.value)}, the file has ${pruned.fileBytes}`;
    case "ms": {
      if (pruned.medianMs === undefined) return undefined;
      const found = `${pruned.medianMs.toFixed(3)} ms measured at the end`;
      return `target at most ${target.value} ms: ${ofTime(pruned.medianMs)}, ${found}`;
    }
    case "time": {
      if (pruned.timeShare === undefined) return undefined;
      const found = `${percent(pruned.timeShare)} measured at the end`;
      return `target at most ${percent(target.value)} of the time: ${ofTime(pruned.timeShare)}, ${found}`;
    }
    case "accuracy": {
      const found = `${percent(pruned.accuracy)} on validation after fine-tuning`;
      return `target at least ${percent(target.value)}: ${verdict(pruned.accuracy >= target.value)}, ${found}`;
    }
  }
}
