/**
 * The exact solver for one output: on a set A of filters with known signs the LASSO is a linear system,
 * beta_A = G_AA^-1 (c_A - lambda s_A). Its Cholesky factor is kept from one lambda to the next, columns enter and leave.
 * Where coordinate descent needs thousands of passes on correlated filters, this needs a few solves.
 *
 * Lee, Battle, Raina, Ng: Efficient sparse coding algorithms (feature-sign search), 2006.
 */
import { createFactor } from "./cholesky.ts";
import type { Iterate, Quadratic } from "./problem.ts";
import { refreshCorrelations } from "./problem.ts";

export interface ActiveSet {
  /**
   * Moves `iterate` to the solution at `lambda`.
   *
   * @returns false where rounding (a singular set) kept it from the optimality conditions; the iterate is then valid,
   *   but not optimal
   */
  solve(iterate: Iterate, lambda: number): boolean;
  /** Takes the support of `iterate` as the set, after another solver moved it. */
  restart(iterate: Iterate): void;
}

/** Largest violation of the optimality conditions, as a share of lambda. */
const accuracy = 1e-9;

export function createActiveSet(problem: Quadratic): ActiveSet {
  const { p, gram } = problem;
  const factor = createFactor(p);
  const members: number[] = [];
  const signs: number[] = [];
  const inside = new Uint8Array(p);

  const enter = (j: number, sign: number): void => {
    const column = new Float64Array(members.length);
    for (let i = 0; i < members.length; i++) column[i] = gram[j * p + members[i]];
    factor.append(column, gram[j * p + j]);
    members.push(j);
    signs.push(sign);
    inside[j] = 1;
  };
  const leave = (position: number): void => {
    inside[members[position]] = 0;
    factor.remove(position);
    members.splice(position, 1);
    signs.splice(position, 1);
  };

  /** Newton steps on the set, each as far as the first sign change; filters that reach zero leave. */
  const descendOnSet = ({ beta, corr }: Iterate, lambda: number): void => {
    let rest = Float64Array.from(members, (j, i) => corr[j] - lambda * signs[i]);
    for (;;) {
      const step = rest.slice();
      factor.solve(step);
      let length = 1;
      let blocking = -1;
      for (let i = 0; i < members.length; i++) {
        const now = beta[members[i]];
        if ((now + step[i]) * signs[i] > 0) continue;
        const reach = now === 0 ? 0 : -now / step[i];
        if (reach < length) {
          length = reach;
          blocking = i;
        }
      }
      for (let i = 0; i < members.length; i++) beta[members[i]] += length * step[i];
      if (blocking < 0) return;
      beta[members[blocking]] = 0;
      leave(blocking);
      const shorter = new Float64Array(members.length);
      for (let i = 0; i < members.length; i++) {
        shorter[i] = (1 - length) * rest[i < blocking ? i : i + 1];
      }
      rest = shorter;
    }
  };

  return {
    solve: (iterate, lambda) => {
      const { corr } = iterate;
      const limit = lambda * (1 + accuracy);
      const maxRounds = 60 + 2 * p;
      let cautious = false;
      let refinements = 0;
      for (let round = 0; round < maxRounds; round++) {
        const before = members.length;
        const entered: number[] = [];
        descendOnSet(iterate, lambda);
        refreshCorrelations(problem, iterate);
        let worst = 0;
        for (let i = 0; i < members.length; i++) {
          worst = Math.max(worst, Math.abs(corr[members[i]] - lambda * signs[i]));
        }
        if (worst > accuracy * lambda && refinements < 20) {
          refinements++;
          continue;
        }
        let strongest = -1;
        for (let j = 0; j < p; j++) {
          if (inside[j] === 1 || !(Math.abs(corr[j]) > limit)) continue;
          entered.push(j);
          if (strongest < 0 || Math.abs(corr[j]) > Math.abs(corr[strongest])) strongest = j;
        }
        if (strongest < 0) return worst <= accuracy * lambda;
        // Many at once is fast; one at a time is sure to descend. Change over where the set stopped growing.
        if (round > 20 && members.length <= before) cautious = true;
        for (const j of cautious ? [strongest] : entered) enter(j, Math.sign(corr[j]));
        refinements = 0;
      }
      return false;
    },
    restart: ({ beta, corr }) => {
      factor.clear();
      members.length = 0;
      signs.length = 0;
      inside.fill(0);
      for (let j = 0; j < p; j++) if (beta[j] !== 0) enter(j, Math.sign(beta[j] || corr[j]));
    },
  };
}
