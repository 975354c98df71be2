/** Anderson extrapolation of a fixed-point sequence: the affine combination of iterates with the smallest residual. */
import { createFactor } from "./cholesky.ts";

export interface Extrapolation {
  /** Starts a new sequence. */
  reset(first: Float64Array): void;
  push(next: Float64Array): void;
  /** The extrapolated point, a new array; undefined where the system cannot be solved. */
  solve(): Float64Array | undefined;
}

/**
 * @param length of a point
 * @param depth number of differences of a sequence
 */
export function createExtrapolation(length: number, depth: number): Extrapolation {
  const points = Array.from({ length: depth + 1 }, () => new Float64Array(length));
  let count = 0;
  return {
    reset: (first) => {
      points[0].set(first);
      count = 1;
    },
    push: (next) => {
      points[count].set(next);
      count++;
    },
    solve: () => {
      const m = count - 1;
      const gram = new Float64Array(m * m);
      let trace = 0;
      for (let i = 0; i < m; i++) {
        for (let j = i; j < m; j++) {
          let sum = 0;
          for (let t = 0; t < length; t++) {
            sum += (points[i + 1][t] - points[i][t]) * (points[j + 1][t] - points[j][t]);
          }
          gram[i * m + j] = gram[j * m + i] = sum;
        }
        trace += gram[i * m + i];
      }
      if (!(trace > 0)) return undefined;
      const factor = createFactor(m);
      for (let i = 0; i < m; i++) {
        factor.append(gram.subarray(i * m, i * m + i), gram[i * m + i] + 1e-12 * trace);
      }
      const weights = new Float64Array(m).fill(1);
      factor.solve(weights);
      const total = weights.reduce((sum, w) => sum + w, 0);
      if (!Number.isFinite(total) || total === 0) return undefined;
      const point = new Float64Array(length);
      for (let i = 0; i < m; i++) {
        const w = weights[i] / total;
        for (let t = 0; t < length; t++) point[t] += w * points[i + 1][t];
      }
      return point;
    },
  };
}
