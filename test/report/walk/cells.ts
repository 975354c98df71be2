/** What a cell must show, and the numbers of networks that cells and sentences share. */
import { wilson } from "../../../lib/math/statistics.ts";
import type { Metrics, ModelRecord, RunRecord } from "../../../lib/record/record.ts";
import { misstated, type PageCell } from "./read.ts";

/** What a cell must show: words to the letter, or numbers; in brackets behind it more of them; and the number of its CSV file. */
export interface Expected {
  readonly words?: string;
  readonly numbers?: readonly (number | undefined)[];
  readonly bracket?: readonly (number | undefined)[];
  readonly csv?: number | "";
}
export const none: Expected = { words: "–" };
export const finite = (value: number | null | undefined): value is number =>
  typeof value === "number" && Number.isFinite(value);

export const shown = (value: number | null | undefined): Expected =>
  finite(value) ? { numbers: [value], csv: value } : none;

export const baselineOf = ({ models }: RunRecord): ModelRecord | undefined =>
  models.find(({ name }) => name === "baseline");
export const isNumber = ({ task }: RunRecord): boolean => task.kind === "regression";

/** An accuracy: with its standard error, or where that is nothing with Wilson's interval. */
export function accuracyNumbers({ accuracy, accuracyError, n }: Metrics): number[] {
  const { low, high } = wilson(accuracy, n);
  return accuracyError > 0 ? [accuracy, accuracyError] : [accuracy, low, high];
}

/** Whether an identical copy of the baseline took another time. */
export function isDoubtful(record: RunRecord): boolean {
  const copy = baselineOf(record)?.latency?.copy;
  return copy !== undefined && Math.abs(copy.median - 1) > 0.05;
}

/** CPU time over the baseline's: from rounds in turns where there are some, with their range where they are enough. */
export function timeOver(
  record: RunRecord,
  { latency }: ModelRecord,
): [number, number?, number?] | undefined {
  const whole = baselineOf(record)?.latency;
  if (!latency || !whole) return undefined;
  const { ofBaseline: of } = latency;
  if (of === undefined) return [latency.medianMs / whole.medianMs];
  return latency.runs >= 6 && of.high > of.low ? [of.median, of.low, of.high] : [of.median];
}

/** Model minus baseline in the measure of the task: paired where the record has that, else from both spreads. */
export function versusBaseline(record: RunRecord, model: ModelRecord): [number, number] | undefined {
  const baseline = baselineOf(record);
  if (!baseline || !isNumber(record)) return undefined;
  const [one, other] = [model.test.mae, baseline.test.mae];
  if (!finite(one) || !finite(other)) return undefined;
  const paired = model.versusBaseline?.mae;
  const variance = ({ test: { mae = 0, rmse = mae, n } }: ModelRecord): number => (rmse ** 2 - mae ** 2) / n;
  const found: [number, number] = paired
    ? [paired.difference, paired.error]
    : [one - other, Math.sqrt(variance(model) + variance(baseline))];
  return Math.abs(found[0]) < 1e-5 * other && found[1] < 1e-5 * other ? [0, 0] : found;
}

/** Networks whose mistakes are shown: baseline and pruned, or all where there is neither. */
export function shownOf({ models }: RunRecord): readonly ModelRecord[] {
  const main = models.filter(({ name }) => name === "baseline" || name === "pruned");
  return main.length > 0 ? main : models;
}

/** Seconds as people read them. */
export function timed(seconds: number): Expected {
  const whole = Math.round(seconds);
  if (seconds < 59.5) return { numbers: [seconds], csv: seconds };
  if (whole < 3600) return { numbers: [Math.floor(whole / 60), whole % 60], csv: seconds };
  const minutes = Math.round(seconds / 60);
  return { numbers: [Math.floor(minutes / 60), minutes % 60], csv: seconds };
}

export function cellFaults(where: string, cell: PageCell, expected: Expected): string[] {
  const faults: (string | undefined)[] = [];
  if (expected.words !== undefined)
    faults.push(cell.text === expected.words ? undefined : `“${cell.text}”, not “${expected.words}”`);
  if (expected.numbers) {
    const [, main, bracket] = (expected.bracket && /^(.*?) ?\((.*)\)$/.exec(cell.text)) ?? [
      "",
      cell.text,
      undefined,
    ];
    faults.push(misstated(main, expected.numbers));
    if (expected.bracket)
      faults.push(bracket === undefined ? "no change is given" : misstated(bracket, expected.bracket));
  }
  if (expected.csv !== undefined && (cell.csv ?? String(expected.csv)) !== String(expected.csv))
    faults.push(`the file has ${cell.csv}, the record ${expected.csv}`);
  if (/undefined|NaN|null|Infinity|± 0(?![.\d]*[1-9])/.test(cell.text)) faults.push(`“${cell.text}”`);
  return faults.flatMap((fault) => (fault === undefined ? [] : [`${where}: ${fault}`]));
}
