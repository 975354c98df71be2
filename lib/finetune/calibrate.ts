/**
 * Calibration of logits on held-out pictures (Platt 1999; Guo et al. 2017). A closed-form head is far too sure of
 * itself; training from there would follow the few pictures it gets wrong.
 */
import type { TaskKind } from "../core/artifacts.ts";
import { lossValue } from "./losses.ts";

/** calibrated = scale * logit + offset, per output. */
export interface Calibration {
  readonly scale: Float64Array;
  readonly offset: Float64Array;
}

const newtonSteps = 50;

/**
 * Scale and offset of each output that minimise the loss: Platt's for yes/no outputs, one temperature for classes.
 * Numbers (regression) stay as they are.
 *
 * @param logits [n, q] row-major
 * @param targets [n, q]
 */
export function calibrateLogits(
  kind: TaskKind,
  { logits, targets, mask }: { logits: Float32Array; targets: Float32Array; mask?: Float32Array | undefined },
  q: number,
): Calibration {
  const scale = new Float64Array(q).fill(1);
  const offset = new Float64Array(q);
  if (kind === "categorical") scale.fill(temperature(logits, targets, q));
  if (kind === "binary" || kind === "multi-label") {
    for (let k = 0; k < q; k++) {
      const rows: number[] = [];
      for (let i = k; i < logits.length; i += q) if ((mask?.[i] ?? 1) > 0) rows.push(i);
      const z = Float64Array.from(rows, (i) => logits[i]);
      const y = Float64Array.from(rows, (i) => targets[i]);
      [scale[k], offset[k]] = platt(z, y);
    }
  }
  return { scale, offset };
}

/** Logistic regression on one variable by Newton's method, targets smoothed as Platt does. */
function platt(z: Float64Array, y: Float64Array): [number, number] {
  const positives = y.reduce((sum, value) => sum + value, 0);
  const negatives = y.length - positives;
  if (positives === 0 || negatives === 0) return [1, 0];
  const high = (positives + 1) / (positives + 2);
  const low = 1 / (negatives + 2);
  // Standardised, so that both unknowns are of order one.
  const spread = Math.sqrt(z.reduce((sum, value) => sum + value * value, 0) / z.length) || 1;
  let [a, b] = [1, 0];
  for (let step = 0; step < newtonSteps; step++) {
    let [ga, gb, haa, hab, hbb] = [1e-6 * a, 0, 1e-6, 0, 1e-9];
    for (let i = 0; i < z.length; i++) {
      const x = z[i] / spread;
      const p = 1 / (1 + Math.exp(-(a * x + b)));
      const residual = p - (y[i] > 0.5 ? high : low);
      const weight = Math.max(p * (1 - p), 1e-9);
      ga += residual * x;
      gb += residual;
      haa += weight * x * x;
      hab += weight * x;
      hbb += weight;
    }
    const determinant = haa * hbb - hab * hab;
    const [da, db] = [(hbb * ga - hab * gb) / determinant, (haa * gb - hab * ga) / determinant];
    const damp = Math.min(1, 2 / Math.max(Math.abs(da), Math.abs(db), 1e-12));
    a -= damp * da;
    b -= damp * db;
    if (Math.abs(da) + Math.abs(db) < 1e-9) break;
  }
  return a > 0 ? [a / spread, b] : [1, 0];
}

/** The factor between 1/100 and 10 with the lowest cross-entropy, by golden-section search on its logarithm. */
function temperature(logits: Float32Array, targets: Float32Array, q: number): number {
  const loss = (log: number): number => {
    const factor = Math.exp(log);
    return lossValue("categorical", { predictions: logits.map((z) => z * factor), targets }, q);
  };
  const golden = (Math.sqrt(5) - 1) / 2;
  let [low, high] = [Math.log(0.01), Math.log(10)];
  let [left, right] = [high - golden * (high - low), low + golden * (high - low)];
  let [atLeft, atRight] = [loss(left), loss(right)];
  for (let step = 0; step < 40; step++) {
    if (atLeft <= atRight) {
      [high, right, atRight] = [right, left, atLeft];
      left = high - golden * (high - low);
      atLeft = loss(left);
    } else {
      [low, left, atLeft] = [left, right, atRight];
      right = low + golden * (high - low);
      atRight = loss(right);
    }
  }
  return Math.exp((low + high) / 2);
}
