/**
 * Newton steps of several outputs on the support, inexact: conjugate gradients that stop early, for the system changes
 * with the next step anyway (Dembo, Eisenstat, Steihaug: Inexact Newton methods, 1982). Where more filters than images are in
 * use, the norms of small rows turn sharply and no share of a step may do: then the step is damped (Levenberg, Marquardt).
 */
import { indexOf } from "../../math/tiled.ts";
import { dot } from "../cholesky.ts";
import { addTiles, type GroupSpace } from "./space.ts";
import {
  applyHessian,
  invertSystem,
  precondition,
  leastDamping,
  systemAt,
  type GroupInverse,
  type GroupSystem,
} from "./system.ts";
import { dualityGap, objective, rowNorm } from "../penalty.ts";
import { subtractRow, type Iterate } from "../problem.ts";

/** Residual of the linear system, relative, at which conjugate gradients stop, and their largest number. */
const forcing = 0.1;
const maxIterations = 30;
/** Shortest share of a step before it is damped instead. */
const shortest = 0.2;
/** What damping is multiplied by after a refused step, and divided by after one that was taken. */
const [more, less] = [30, 10];

interface NewtonOptions {
  readonly lambda: number;
  /** Duality gap at which a step is good enough. */
  readonly target: number;
}

/**
 * Moves the iterate by one step on its support.
 *
 * @returns false where no step lowers the objective, however damped; the iterate is then where it was
 */
export type NewtonStep = (iterate: Iterate, options: NewtonOptions) => boolean;

/**
 * Steps along one path. The inverse is renewed when conjugate gradients have cost half as much as a new one does; how much
 * damping was needed is remembered from step to step.
 */
export function createNewton(space: GroupSpace): NewtonStep {
  let inverse: GroupInverse | undefined;
  let wasted = 0;
  let damping = leastDamping;

  const attempt = (system: GroupSystem, iterate: Iterate, { lambda, target }: NewtonOptions): boolean => {
    const { size } = system;
    if (inverse === undefined || wasted > size ** 3 / 2) {
      inverse = invertSystem(space, system);
      wasted = 0;
    }
    const search = conjugateGradients(space, system, {
      inverse,
      rhs: descentOf(space, system, iterate, lambda),
    });
    const before = objective(space.problem, iterate, lambda);
    let step: Step | undefined;
    let trial: Iterate = iterate;
    for (step of search) {
      if (step.count > 1) wasted += 3 * size * size * space.outputs;
      trial = moved(space, system, iterate, step);
      if (dualityGap(space.problem, trial, lambda) <= target) return accept(iterate, trial);
    }
    if (step === undefined) return false;
    for (let share = 1; share > shortest; share /= 2) {
      if (share < 1) trial = moved(space, system, iterate, { ...step, share });
      if (objective(space.problem, trial, lambda) < before) return accept(iterate, trial);
    }
    return false;
  };

  return (iterate, options) => {
    const system = systemAt(space, iterate, options.lambda);
    if (system.support.length === 0) return false;
    for (;;) {
      if (attempt({ ...system, damping }, iterate, options)) {
        damping = Math.max(leastDamping, damping / less);
        return true;
      }
      if (damping === 1) return false;
      damping = Math.min(1, damping * more);
    }
  };
}

/** A step before it is made. */
interface Step {
  /** Change of the rows of B on the support, [size, q] tiled. */
  readonly x: Float64Array;
  /** G_:A x, [p, q] tiled. */
  readonly gx: Float64Array;
  /** Iterations that made it. */
  readonly count: number;
  /** Share of it that counts, default 1. */
  readonly share?: number;
}

function accept(iterate: Iterate, trial: Iterate): true {
  iterate.beta.set(trial.beta);
  iterate.corr.set(trial.corr);
  return true;
}

/** Minus the gradient on the support: corr_j - lambda u_j, [size, q] tiled. */
function descentOf(
  { problem, outputs }: GroupSpace,
  { support, size, direction }: GroupSystem,
  { corr }: Iterate,
  lambda: number,
): Float64Array {
  const { q } = problem;
  const rhs = new Float64Array(size * outputs);
  for (let k = 0; k < q; k++) {
    for (let i = 0, at = indexOf(size, 0, k); i < support.length; i++, at += 4) {
      rhs[at] = corr[support[i] * q + k] - lambda * direction[at];
    }
  }
  return rhs;
}

/** Solves H x = rhs; yields after every iteration, in the same memory. */
function* conjugateGradients(
  space: GroupSpace,
  system: GroupSystem,
  { inverse, rhs }: { readonly inverse: GroupInverse; readonly rhs: Float64Array },
): Generator<Step> {
  const { length } = rhs;
  const [x, r, z, h] = [new Float64Array(length), rhs, new Float64Array(length), new Float64Array(length)];
  const gx = new Float64Array(space.rows * space.outputs);
  precondition(space, system, inverse, { v: r, out: z });
  const d = z.slice();
  let rz = dot(r, 0, z, 0, length);
  const stop = rz * forcing * forcing;
  for (let count = 1; count <= maxIterations && rz > stop; count++) {
    const gd = applyHessian(space, system, d, h);
    const curvature = dot(d, 0, h, 0, length);
    if (!(curvature > 0)) return;
    const alpha = rz / curvature;
    for (let t = 0; t < gx.length; t++) gx[t] += alpha * gd[t];
    for (let t = 0; t < length; t++) {
      x[t] += alpha * d[t];
      r[t] -= alpha * h[t];
    }
    yield { x, gx, count };
    precondition(space, system, inverse, { v: r, out: z });
    const next = dot(r, 0, z, 0, length);
    for (let t = 0; t < length; t++) d[t] = z[t] + (next / rz) * d[t];
    rz = next;
  }
}

/** The iterate a share of a step further. A row that would turn by a right angle or more becomes zero. */
function moved(
  { problem, rows }: GroupSpace,
  { support, size }: GroupSystem,
  iterate: Iterate,
  { x, gx, share = 1 }: Step,
): Iterate {
  const { q } = problem;
  const [beta, corr] = [iterate.beta.slice(), iterate.corr.slice()];
  for (let k = 0; k < q; k++) {
    for (let i = 0, at = indexOf(size, 0, k); i < support.length; i++, at += 4) {
      beta[support[i] * q + k] += share * x[at];
    }
  }
  addTiles(corr, gx, { rows, q, factor: -share });
  for (const j of support) {
    const at = j * q;
    if (dot(beta, at, iterate.beta, at, q) > 0 || rowNorm(beta, at, q) === 0) continue;
    const change = beta.slice(at, at + q).map((b) => -b);
    beta.fill(0, at, at + q);
    subtractRow(problem, corr, j, change);
  }
  return { beta, corr };
}
