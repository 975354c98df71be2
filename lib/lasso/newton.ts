/**
 * A Newton step of one output on the filters whose coefficients are not zero, where the objective is a quadratic.
 * Coordinate descent finds the support; on correlated filters this step does what would take it hundreds of passes.
 *
 * Solved by conjugate gradients, preconditioned by the Cholesky factor of G + diag(lambda / |beta_j|): G alone is singular
 * where this solver is needed.
 */
import { createFactor, dot, type Factor } from "./cholesky.ts";
import { supportOf } from "./penalty.ts";
import type { Iterate, Quadratic } from "./problem.ts";

/** Residual of the linear system, relative, at which conjugate gradients stop, and their largest number. */
const forcing = 0.1;
const maxIterations = 60;

/** The problem on the support. */
interface System {
  readonly size: number;
  /** G_AA, [size, size] */
  readonly gram: Float64Array;
  /** lambda / |beta_j|, [size] */
  readonly weight: Float64Array;
}

/** @returns the full Newton step, [p], zero outside the support; undefined where there is no support */
export function newtonStep(problem: Quadratic, iterate: Iterate, lambda: number): Float64Array | undefined {
  const { p } = problem;
  const { beta, corr } = iterate;
  const support = supportOf(beta, 1);
  const size = support.length;
  if (size === 0) return undefined;

  const gram = new Float64Array(size * size);
  support.forEach((j, i) => {
    for (let other = 0; other < size; other++) gram[i * size + other] = problem.gram[j * p + support[other]];
  });
  const weight = Float64Array.from(support, (j) => lambda / Math.abs(beta[j]));
  const descent = Float64Array.from(support, (j) => corr[j] - lambda * Math.sign(beta[j]));
  const solution = conjugateGradients({ size, gram, weight }, descent);
  const step = new Float64Array(p);
  support.forEach((j, i) => (step[j] = solution[i]));
  return step;
}

function conjugateGradients(system: System, rhs: Float64Array): Float64Array {
  const { size, gram } = system;
  const factor = preconditioner(system);
  const x = new Float64Array(size);
  const r = rhs.slice();
  const z = r.slice();
  factor.solve(z);
  const d = z.slice();
  const hd = new Float64Array(size);
  let rz = dot(r, 0, z, 0, size);
  const stop = rz * forcing * forcing;
  for (let i = 0; i < maxIterations && rz > stop; i++) {
    for (let row = 0; row < size; row++) hd[row] = dot(gram, row * size, d, 0, size);
    const curvature = dot(d, 0, hd, 0, size);
    if (!(curvature > 0)) break;
    const alpha = rz / curvature;
    for (let t = 0; t < size; t++) {
      x[t] += alpha * d[t];
      r[t] -= alpha * hd[t];
    }
    z.set(r);
    factor.solve(z);
    const next = dot(r, 0, z, 0, size);
    const ratio = next / rz;
    for (let t = 0; t < size; t++) d[t] = z[t] + ratio * d[t];
    rz = next;
  }
  return x;
}

function preconditioner({ size, gram, weight }: System): Factor {
  const factor = createFactor(size);
  for (let i = 0; i < size; i++) {
    factor.append(gram.subarray(i * size, i * size + i), gram[i * size + i] + weight[i]);
  }
  return factor;
}
