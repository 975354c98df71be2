/**
 * One group LASSO over all taps of a coupled group: channels that must stay or go together get one penalty together.
 *
 * minimise over B_1 .. B_T  sum_t 1/(2N) ||Y - B0_t - X_t B_t||_F^2 + lambda sum_c w_c ||(rows of class c in all B_t)||_F
 *
 * Every tap predicts the target by itself, from its own moments; what they share is the support. Responses of a tap are
 * divided by their mean standard deviation, so that taps of different size count alike; w_c = sqrt(number of taps that
 * have class c) (Yuan and Lin 2006). Block coordinate descent, each block bounded by its largest curvature.
 */
import type { LassoPath, PathPoint } from "../core/artifacts.ts";
import type { CentredMoments } from "../math/moments.ts";

export interface JointTap {
  readonly moments: CentredMoments;
  /** Class of every filter, [p], from 0 to `classes` - 1. */
  readonly classOf: ArrayLike<number>;
}

export interface JointOptions {
  /** Default 100. */
  readonly lambdas?: number;
  /** Default 1e4. */
  readonly ratio?: number;
  /** Largest duality gap, as a share of the summed variance of y. Default 1e-4. */
  readonly tol?: number;
}

/** Passes over the blocks at one lambda before it is left with the gap it has. */
const maxPasses = 200;

/** One tap while it is solved, scaled. */
interface State {
  readonly p: number;
  readonly q: number;
  readonly gram: Float64Array;
  readonly beta: Float64Array;
  /** C - G B, [p, q]. */
  readonly corr: Float64Array;
  readonly cov: Float64Array;
  readonly yy: number;
}

interface Block {
  /** Tap and filter of every member. */
  readonly members: readonly (readonly [tap: number, filter: number])[];
  readonly weight: number;
  readonly curvature: number;
}

/**
 * @param classes number of classes
 * @returns a path over classes: `support` holds classes, `beta` the Frobenius norm of each one's coefficients, `rmse` the
 *   root of the mean squared error over all taps and outputs
 */
export function jointPath(taps: readonly JointTap[], classes: number, options: JointOptions = {}): LassoPath {
  const { lambdas: count = 100, ratio = 1e4, tol = 1e-4 } = options;
  const states = taps.map(({ moments }) => stateOf(moments));
  const blocks = blocksOf(taps, states, classes);
  const target = tol * states.reduce((sum, { yy }) => sum + yy, 0);
  const largest = Math.max(0, ...blocks.map((block) => corrNorm(states, block) / (block.weight || 1)));
  const lambdas = Float64Array.from({ length: count }, (_, i) => largest * ratio ** (-i / (count - 1)));
  const points: PathPoint[] = [];
  for (const lambda of lambdas) {
    if (lambda > 0) descend(states, blocks, { lambda, target });
    points.push(pointOf(states, blocks, lambda));
  }
  return { lambdas, points, p: classes, q: 1 };
}

function stateOf({ p, q, gram, cov, yy }: CentredMoments): State {
  let variance = 0;
  let alive = 0;
  for (let j = 0; j < p; j++) {
    variance += gram[j * p + j];
    if (gram[j * p + j] > 0) alive++;
  }
  const scale = variance > 0 ? Math.sqrt(alive / variance) : 1;
  let total = 0;
  for (let k = 0; k < q; k++) total += yy[k * q + k];
  const scaled = cov.map((value) => value * scale);
  return {
    p,
    q,
    gram: gram.map((value) => value * scale * scale),
    beta: new Float64Array(p * q),
    corr: scaled.slice(),
    cov: scaled,
    yy: total,
  };
}

/** The members of every class that can vary, its weight and a bound of its curvature. */
function blocksOf(taps: readonly JointTap[], states: readonly State[], classes: number): Block[] {
  const members = Array.from({ length: classes }, (): [number, number][] => []);
  taps.forEach(({ classOf }, t) => {
    const { p, gram } = states[t];
    for (let j = 0; j < p; j++) if (gram[j * p + j] > 0) members[classOf[j]].push([t, j]);
  });
  return members.map((own) => {
    const byTap = new Map<number, number>();
    for (const [t, j] of own) byTap.set(t, (byTap.get(t) ?? 0) + states[t].gram[j * states[t].p + j]);
    return { members: own, weight: Math.sqrt(byTap.size), curvature: Math.max(0, ...byTap.values()) };
  });
}

function corrNorm(states: readonly State[], { members }: Block): number {
  let sum = 0;
  for (const [t, j] of members) {
    const { q, corr } = states[t];
    for (let k = 0; k < q; k++) sum += corr[j * q + k] ** 2;
  }
  return Math.sqrt(sum);
}

function betaNorm(states: readonly State[], { members }: Block): number {
  let sum = 0;
  for (const [t, j] of members) {
    const { q, beta } = states[t];
    for (let k = 0; k < q; k++) sum += beta[j * q + k] ** 2;
  }
  return Math.sqrt(sum);
}

/** Passes over all blocks and, between them, over those in use, until the duality gap is reached. */
function descend(
  states: readonly State[],
  blocks: readonly Block[],
  { lambda, target }: { readonly lambda: number; readonly target: number },
): void {
  for (let passes = 0; passes < maxPasses;) {
    for (const block of blocks) move(states, block, lambda);
    passes++;
    const used = blocks.filter((block) => betaNorm(states, block) > 0);
    for (let i = 0; i < 9; i++, passes++) for (const block of used) move(states, block, lambda);
    if (gapOf(states, blocks, lambda) <= target) return;
  }
}

/** Block soft threshold: B <- S(L B + corr, lambda w) / L. */
function move(states: readonly State[], { members, weight, curvature }: Block, lambda: number): void {
  if (curvature === 0) return;
  let norm = 0;
  for (const [t, j] of members) {
    const { q, beta, corr } = states[t];
    for (let k = 0; k < q; k++) norm += (curvature * beta[j * q + k] + corr[j * q + k]) ** 2;
  }
  norm = Math.sqrt(norm);
  const limit = lambda * weight;
  const shrink = norm > limit ? (1 - limit / norm) / curvature : 0;
  for (const [t, j] of members) {
    const { p, q, gram, beta, corr } = states[t];
    for (let k = 0; k < q; k++) {
      const at = j * q + k;
      const next = (curvature * beta[at] + corr[at]) * shrink;
      const delta = next - beta[at];
      if (delta === 0) continue;
      beta[at] = next;
      for (let i = 0, row = j * p; i < p; i++) corr[i * q + k] -= delta * gram[row + i];
    }
  }
}

/** Sum over taps of ||Y - B0 - X B||_F^2 / N. */
function residualOf(states: readonly State[]): number {
  let sum = 0;
  for (const { yy, beta, cov, corr } of states) {
    let own = yy;
    for (let i = 0; i < beta.length; i++) if (beta[i] !== 0) own -= beta[i] * (cov[i] + corr[i]);
    sum += Math.max(0, own);
  }
  return sum;
}

/** Duality gap, in the units of the objective; see `penalty.ts`, with a weight for every group. */
function gapOf(states: readonly State[], blocks: readonly Block[], lambda: number): number {
  let largest = 0;
  for (const block of blocks)
    if (block.weight > 0) largest = Math.max(largest, corrNorm(states, block) / block.weight);
  const s = largest > lambda ? lambda / largest : 1;
  let gap = 0.5 * residualOf(states) * (1 - s) ** 2;
  for (const block of blocks) {
    let inner = 0;
    for (const [t, j] of block.members) {
      const { q, beta, corr } = states[t];
      for (let k = 0; k < q; k++) inner += beta[j * q + k] * corr[j * q + k];
    }
    gap += Math.max(0, lambda * block.weight * betaNorm(states, block) - s * inner);
  }
  return gap;
}

function pointOf(states: readonly State[], blocks: readonly Block[], lambda: number): PathPoint {
  const norms = blocks.map((block) => betaNorm(states, block));
  const support = Uint32Array.from(norms.keys()).filter((c) => norms[c] > 0);
  const outputs = states.reduce((sum, { q }) => sum + q, 0);
  return {
    lambda,
    support,
    beta: Float64Array.from(support, (c) => norms[c]),
    intercept: 0,
    gap: gapOf(states, blocks, lambda),
    rmse: Math.sqrt(residualOf(states) / outputs),
  };
}
