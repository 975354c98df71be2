/**
 * A Newton step on the filters whose coefficients are not zero, where the objective with the group penalty is smooth.
 * Coordinate descent finds the support; on correlated filters this step does what would take it hundreds of passes.
 *
 * Hessian: G (x) I_q + blockdiag_j (lambda / ||B_j||) (I - u_j u_j'), u_j = B_j / ||B_j||. Solved by conjugate gradients,
 * preconditioned by the Cholesky factor of G + diag(lambda / ||B_j||), the same for every output.
 */
import { createFactor, dot, type Factor } from "./cholesky.ts";
import { rowNorm } from "./penalty.ts";
import type { Iterate, Quadratic } from "./problem.ts";

/** Residual of the linear system, relative, at which conjugate gradients stop, and their largest number. */
const forcing = 0.1;
const maxIterations = 60;

/** The problem on the support, output-major: vectors are [q, size]. */
interface System {
  readonly size: number;
  readonly q: number;
  /** G_AA, [size, size] */
  readonly gram: Float64Array;
  /** lambda / ||B_j||, [size] */
  readonly weight: Float64Array;
  /** u_j, [q, size] */
  readonly direction: Float64Array;
}

/**
 * @returns the full Newton step, [p, q] row-major, zero outside the support; undefined where there is no support
 */
export function newtonStep(problem: Quadratic, iterate: Iterate, lambda: number): Float64Array | undefined {
  const { p, q } = problem;
  const support: number[] = [];
  for (let j = 0; j < p; j++) if (rowNorm(iterate.beta, j * q, q) > 0) support.push(j);
  const size = support.length;
  if (size === 0) return undefined;

  const gram = new Float64Array(size * size);
  const weight = new Float64Array(size);
  const direction = new Float64Array(size * q);
  const descent = new Float64Array(size * q);
  support.forEach((j, i) => {
    const norm = rowNorm(iterate.beta, j * q, q);
    weight[i] = lambda / norm;
    for (let k = 0; k < q; k++) {
      direction[k * size + i] = iterate.beta[j * q + k] / norm;
      descent[k * size + i] = iterate.corr[j * q + k] - lambda * direction[k * size + i];
    }
    for (let other = 0; other < size; other++) gram[i * size + other] = problem.gram[j * p + support[other]];
  });
  const solution = conjugateGradients({ size, q, gram, weight, direction }, descent);
  const step = new Float64Array(p * q);
  support.forEach((j, i) => {
    for (let k = 0; k < q; k++) step[j * q + k] = solution[k * size + i];
  });
  return step;
}

function conjugateGradients(system: System, rhs: Float64Array): Float64Array {
  const { size, q } = system;
  const length = size * q;
  const factor = preconditioner(system);
  const x = new Float64Array(length);
  const r = rhs.slice();
  const z = r.slice();
  for (let k = 0; k < q; k++) factor.solve(z.subarray(k * size, (k + 1) * size));
  const d = z.slice();
  const hd = new Float64Array(length);
  let rz = dot(r, 0, z, 0, length);
  const stop = rz * forcing * forcing;
  for (let i = 0; i < maxIterations && rz > stop; i++) {
    applyHessian(system, d, hd);
    const curvature = dot(d, 0, hd, 0, length);
    if (!(curvature > 0)) break;
    const alpha = rz / curvature;
    for (let t = 0; t < length; t++) {
      x[t] += alpha * d[t];
      r[t] -= alpha * hd[t];
    }
    z.set(r);
    for (let k = 0; k < q; k++) factor.solve(z.subarray(k * size, (k + 1) * size));
    const next = dot(r, 0, z, 0, length);
    const ratio = next / rz;
    for (let t = 0; t < length; t++) d[t] = z[t] + ratio * d[t];
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

function applyHessian(
  { size, q, gram, weight, direction }: System,
  v: Float64Array,
  out: Float64Array,
): void {
  for (let i = 0; i < size; i++) {
    let along = 0;
    for (let k = 0; k < q; k++) along += direction[k * size + i] * v[k * size + i];
    for (let k = 0; k < q; k++) {
      const at = k * size + i;
      out[at] = dot(gram, i * size, v, k * size, size) + weight[i] * (v[at] - along * direction[at]);
    }
  }
}
