/** The closed-form head: what the pooled features predict without any training. */
import type { Moments, Task, TapMoments } from "../../core/artifacts.ts";
import { withHeads } from "../../backbones/head.ts";
import { mergeMoments } from "../../math/moments.ts";
import { leastSquares, type LeastSquares } from "../../lasso/least-squares.ts";
import type { Network } from "../../network/network.ts";
import { momentsByTask, type Labelling, type RunTask } from "../run/tasks.ts";

/** A linear head, logits or target units = weight features + bias. */
export interface Head {
  /** Row-major [outputs, features]. */
  readonly weight: Float32Array;
  /** [outputs] */
  readonly bias: Float32Array;
  /** Held-out root mean squared error of the least-squares fit, target units. */
  readonly rmse: number;
  readonly ridge: number;
}

const ridges = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1];

/**
 * Ridge regression on the features, its strength chosen on held-out folds, both from moments alone. For classes the
 * least-squares direction is that of linear discriminant analysis; turning scores into logits needs one scale and one
 * offset per output, which the moments give too: with p the share of positives and s^2 the residual variance of the
 * fit, the class means of the score lie R^2 apart and its variance inside a class is R^2 s^2, so that
 * logit = (score - middle) / s^2 + log(p / (1 - p)).
 */
function solveHead(features: TapMoments, task: Task): Head {
  const folds = features.folds.filter((fold) => fold.n > 0);
  const all = mergeMoments(folds);
  const { ridge, errors } = chooseRidge(folds, all.q);
  const fit = leastSquares(all, { ridge });
  const { p, q } = all;
  const weight = new Float32Array(q * p);
  const bias = new Float32Array(q);
  for (let k = 0; k < q; k++) {
    const { scale, offset } =
      task.kind === "regression" ? { scale: 1, offset: 0 } : logitScale(all.sumY[k] / all.n, errors[k]);
    for (let j = 0; j < p; j++) weight[k * p + j] = scale * fit.beta[j * q + k];
    bias[k] = scale * fit.intercept[k] + offset;
  }
  const rmse = Math.sqrt(errors.reduce((sum, error) => sum + error, 0) / q);
  return { weight, bias, rmse, ridge };
}

/** The closed-form head of every task. @param features moments of all tasks together */
export function solveHeads(labelling: Labelling, features: TapMoments): Head[] {
  return momentsByTask(features, labelling).map((own, t) => solveHead(own, labelling.tasks[t].task));
}

/** Scale and offset that turn a 0/1 least-squares score into a logit. */
function logitScale(share: number, residual: number): { scale: number; offset: number } {
  const p = Math.min(1 - 1e-3, Math.max(1e-3, share));
  const variance = p * (1 - p);
  const explained = Math.min(0.999, Math.max(0, 1 - residual / variance));
  const scale = 1 / Math.max(residual, 1e-3 * variance);
  const middle = p + (explained * (1 - 2 * p)) / 2;
  return { scale, offset: Math.log(p / (1 - p)) - scale * middle };
}

/** The ridge with the lowest held-out error, and that error per output (mean squared). */
function chooseRidge(folds: readonly Moments[], q: number): { ridge: number; errors: Float64Array } {
  let best: { ridge: number; errors: Float64Array; total: number } | undefined;
  for (const ridge of ridges) {
    const errors = heldOutErrors(folds, ridge, q);
    const total = errors.reduce((sum, error) => sum + error, 0);
    if (best === undefined || total < best.total) best = { ridge, errors, total };
  }
  return best ?? { ridge: 1e-3, errors: new Float64Array(q) };
}

function heldOutErrors(folds: readonly Moments[], ridge: number, q: number): Float64Array {
  const sums = new Float64Array(q);
  let rows = 0;
  folds.forEach((fold, i) => {
    const others = folds.length > 1 ? folds.filter((_, j) => j !== i) : folds;
    const fit = leastSquares(mergeMoments(others), { ridge });
    const errors = squaredErrors(fit, fold);
    errors.forEach((error, k) => (sums[k] += error));
    rows += fold.n;
  });
  return sums.map((sum) => sum / Math.max(1, rows));
}

/** Sum over the rows of the moments of (y - b0 - x'b)^2, per output. */
function squaredErrors({ beta, intercept }: LeastSquares, moments: Moments): Float64Array {
  const { n, p, q, sumX, sumY, xx, xy, yy } = moments;
  const errors = new Float64Array(q);
  for (let k = 0; k < q; k++) {
    const b0 = intercept[k];
    let sum = yy[k * q + k] - 2 * b0 * sumY[k] + n * b0 * b0;
    for (let i = 0; i < p; i++) {
      const b = beta[i * q + k];
      if (b === 0) continue;
      let inner = 0;
      for (let j = 0; j < p; j++) inner += xx[i * p + j] * beta[j * q + k];
      sum += b * (inner - 2 * xy[i * q + k] + 2 * b0 * sumX[i]);
    }
    errors[k] = Math.max(0, sum);
  }
  return errors;
}

/** A network with a linear head for each task on `features`, labelled with them. @param heads beside `tasks` */
export function headed(
  network: Network,
  features: string,
  heads: readonly Pick<Head, "weight" | "bias">[],
  tasks: readonly RunTask[],
): Network {
  return withHeads(
    network,
    features,
    tasks.map(({ task, output }, t) => {
      const { weight, bias } = heads[t];
      return { name: output, outputs: task.outputs, weight, bias, task };
    }),
  );
}
