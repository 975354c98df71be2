/** Scores of many yes/no labels together, as the thesis on efficient networks has them. */
import { SimpleLinearRegression } from "ml-regression";
import { accuracyOf, classScores, confusionOf } from "./classification.ts";

/** One label. Fractions in 0..1. */
export interface LabelScore {
  readonly name: string;
  readonly accuracy: number;
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  readonly positives: number;
  readonly n: number;
}

/** All labels. Fractions in 0..1. */
export interface LabelWise {
  /** Share of right answers among all answers. */
  readonly accuracy: number;
  /** Means over the labels, weighted by their number of positives. */
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  /** Mean accuracy of a label that always gets its commoner answer. */
  readonly majority: number;
  /** Least-squares line of a label's accuracy over its share of positives; absent for a single label. */
  readonly line?: { readonly slope: number; readonly intercept: number };
  readonly labels: readonly LabelScore[];
}

/**
 * Scores of every label and of all together. A label without known rows is left out.
 *
 * @param logits [n, q] row-major; above 0 means yes
 * @param targets [n, q], 0 and 1
 * @param mask [n, q], 0 = label missing
 */
export function labelWise(
  names: readonly string[],
  {
    logits,
    targets,
    mask,
  }: {
    readonly logits: ArrayLike<number>;
    readonly targets: ArrayLike<number>;
    readonly mask?: ArrayLike<number> | undefined;
  },
): LabelWise {
  const q = names.length;
  const labels = names.flatMap((name, j): LabelScore[] => {
    const [truth, said]: [number[], number[]] = [[], []];
    for (let i = j; i < targets.length; i += q) {
      if (mask !== undefined && !(mask[i] > 0)) continue;
      truth.push(targets[i] > 0.5 ? 1 : 0);
      said.push(logits[i] > 0 ? 1 : 0);
    }
    if (truth.length === 0) return [];
    const confusion = confusionOf(truth, said, 2);
    const { precision, recall, f1, actual } = classScores(confusion)[1];
    return [
      { name, accuracy: accuracyOf(confusion), precision, recall, f1, positives: actual, n: truth.length },
    ];
  });
  const answers = sum(labels, ({ n }) => n);
  const support = sum(labels, ({ positives }) => positives);
  const weighted = (read: (label: LabelScore) => number): number =>
    support === 0 ? 0 : sum(labels, (label) => label.positives * read(label)) / support;
  const line = lineOf(labels);
  return {
    accuracy: sum(labels, ({ accuracy, n }) => accuracy * n) / Math.max(1, answers),
    precision: weighted(({ precision }) => precision),
    recall: weighted(({ recall }) => recall),
    f1: weighted(({ f1 }) => f1),
    majority: sum(labels, majorityOf) / Math.max(1, labels.length),
    ...(line === undefined ? {} : { line }),
    labels,
  };
}

function sum(labels: readonly LabelScore[], read: (label: LabelScore) => number): number {
  return labels.reduce((total, label) => total + read(label), 0);
}

function majorityOf({ positives, n }: LabelScore): number {
  return Math.max(positives, n - positives) / n;
}

function lineOf(labels: readonly LabelScore[]): LabelWise["line"] {
  const shares = labels.map(({ positives, n }) => positives / n);
  if (new Set(shares).size < 2) return undefined;
  const { slope, intercept } = new SimpleLinearRegression(
    shares,
    labels.map(({ accuracy }) => accuracy),
  );
  return { slope, intercept };
}
