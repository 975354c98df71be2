/**
 * Arithmetic of moments: accumulate, merge, subtract, centre. Pure.
 *
 * Moments are stored as sums about zero, so that they add up and can be read by anybody. Sums about zero lose digits
 * where a column's mean is large beside its spread; therefore the accumulator sums about the first row it sees and
 * moves the result to zero once, at the end: a stored X'X carries one rounding (1e-16 of its own size), not n. What
 * centring then cannot tell from a constant column is a spread below `sqrt(constantShare)` = 3e-7 of the mean: the
 * resolution of the float32 responses themselves.
 */
import type { Moments } from "../core/artifacts.ts";
import { EtlError } from "../core/errors.ts";
import { createPanel, fillRows, panelRows, rankUpdate } from "./rank-update.ts";
import { indexOf, padded } from "./tiled.ts";

/** Share of a column's mean square (about zero) below which its variance counts as rounding noise. */
const constantShare = 1e-13;

/** Adds rows to moments. Not an artifact: hand on what `moments()` returns. */
export interface MomentsAccumulator {
  /**
   * Adds `rows` rows.
   *
   * @param x pooled responses, [rows, p] row-major
   * @param y targets, [rows, q] row-major
   * @param only positions of the rows that are added; default: all
   */
  add(
    x: Float32Array | Float64Array,
    y: Float32Array | Float64Array,
    rows: number,
    only?: readonly number[],
  ): void;
  /** The moments so far, about zero, a copy. */
  moments(): Moments;
  /** The moments so far, as summed: about `origin` (the first row, or what was given). */
  about(): { readonly origin: Origin; readonly moments: Moments };
}

/** A point about which moments are taken. */
export interface Origin {
  /** [p] */
  readonly x: Float64Array;
  /** [q] */
  readonly y: Float64Array;
}

/** Moments about the mean, divided by n: what the solvers work on. */
export interface CentredMoments {
  readonly n: number;
  readonly p: number;
  readonly q: number;
  /** [p] */
  readonly meanX: Float64Array;
  /** [q] */
  readonly meanY: Float64Array;
  /** (X - mean)'(X - mean) / n, [p, p], symmetric; rows and columns of constant filters are zero. */
  readonly gram: Float64Array;
  /** (X - mean)'(Y - mean) / n, [p, q] row-major; rows of constant filters are zero. */
  readonly cov: Float64Array;
  /** (Y - mean)'(Y - mean) / n, [q, q]; rows and columns of constant outputs are zero. */
  readonly yy: Float64Array;
  /** 1 where a filter's response does not vary (a dead filter), [p]. */
  readonly constantX: Uint8Array;
  /** 1 where an output does not vary, [q]. */
  readonly constantY: Uint8Array;
}

/** Moments of no rows. */
export function emptyMoments(p: number, q: number): Moments {
  checkWidth("moments", p, q);
  return {
    n: 0,
    p,
    q,
    sumX: new Float64Array(p),
    sumY: new Float64Array(q),
    xx: new Float64Array(p * p),
    xy: new Float64Array(p * q),
    yy: new Float64Array(q * q),
  };
}

/**
 * An accumulator for p filters and q outputs.
 *
 * @param options.origin sums are taken about this point instead of the first row (the mean, where it is known)
 */
export function createMomentsAccumulator(
  p: number,
  q: number,
  options: { readonly origin?: Origin } = {},
): MomentsAccumulator {
  checkWidth("moments", p, q);
  const width = padded(p + q);
  const panel = createPanel(p + q);
  const products = new Float64Array(width * width);
  const sums = new Float64Array(p + q);
  const shiftX = options.origin?.x.slice() ?? new Float64Array(p);
  const shiftY = options.origin?.y.slice() ?? new Float64Array(q);
  let fixed = options.origin !== undefined;
  let n = 0;
  let filled = 0;

  const flush = (): void => {
    if (filled === 0) return;
    rankUpdate(products, panel, filled);
    for (let j = 0; j < p + q; j++) {
      let sum = 0;
      let at = indexOf(panelRows, 0, j);
      for (let k = 0; k < filled; k++, at += 4) sum += panel[at];
      sums[j] += sum;
    }
    filled = 0;
  };

  /** The sums about the shift; of X'X the upper triangle alone. */
  const summed = (): Moments => {
    flush();
    const moments = emptyMoments(p, q);
    const entry = (i: number, j: number): number => products[Math.min(i, j) * width + Math.max(i, j)];
    moments.sumX.set(sums.subarray(0, p));
    moments.sumY.set(sums.subarray(p));
    for (let i = 0; i < p; i++) {
      moments.xx.set(products.subarray(i * width + i, i * width + p), i * p + i);
      for (let k = 0; k < q; k++) moments.xy[i * q + k] = products[i * width + p + k];
    }
    for (let i = 0; i < q; i++) {
      for (let j = 0; j < q; j++) moments.yy[i * q + j] = entry(p + i, p + j);
    }
    return { ...moments, n };
  };

  return {
    add: (x, y, rows, only) => {
      if (x.length !== rows * p || y.length !== rows * q) {
        throw new EtlError(
          "usage",
          `moments: ${x.length} responses and ${y.length} targets for ${rows} rows, ` +
            `${rows} x ${p} and ${rows} x ${q} were needed`,
        );
      }
      const all = only ?? Array.from({ length: rows }, (_, row) => row);
      const strange = all.find((row) => !(row >= 0 && row < rows));
      if (strange !== undefined) {
        throw new EtlError("usage", `moments: row ${strange} of ${rows}, one of 0 to ${rows - 1} was needed`);
      }
      if (all.length === 0) return;
      if (!fixed) {
        for (let j = 0; j < p; j++) shiftX[j] = x[all[0] * p + j];
        for (let k = 0; k < q; k++) shiftY[k] = y[all[0] * q + k];
        fixed = true;
      }
      for (let done = 0; done < all.length;) {
        const some = all.slice(done, done + panelRows - filled);
        fillRows(panel, filled, { values: x, rows: some, shift: shiftX, first: 0 });
        fillRows(panel, filled, { values: y, rows: some, shift: shiftY, first: p });
        done += some.length;
        filled += some.length;
        if (filled === panelRows) flush();
      }
      n += all.length;
    },
    moments: () => moveOrigin(summed(), { x: shiftX.map((v) => -v), y: shiftY.map((v) => -v) }),
    about: () => {
      const moments = summed();
      mirrorUpper(moments.xx, p);
      return { origin: { x: shiftX.slice(), y: shiftY.slice() }, moments };
    },
  };
}

/** The sum of moments of shards; at least one, all of the same widths. */
export function mergeMoments(list: readonly Moments[]): Moments {
  if (list.length === 0) {
    throw new EtlError("usage", "moments: nothing to merge, at least one shard was needed");
  }
  return list.reduce((sum, part) => combine(sum, part, 1));
}

/** The moments of some of the outputs alone: columns `start` to `start + count` of y. */
export function selectOutputs(moments: Moments, start: number, count: number): Moments {
  const { n, p, q, sumX, sumY, xx, xy, yy } = moments;
  if (start === 0 && count === q) return moments;
  const columns = (values: Float64Array, rows: number, first: number): Float64Array => {
    const own = new Float64Array(rows * count);
    for (let i = 0; i < rows; i++) {
      const at = (first + i) * q + start;
      own.set(values.subarray(at, at + count), i * count);
    }
    return own;
  };
  const own = {
    sumY: sumY.slice(start, start + count),
    xy: columns(xy, p, 0),
    yy: columns(yy, count, start),
  };
  return { n, p, q: count, sumX, xx, ...own };
}

/**
 * The same rows, with moments about another point: x -> x - origin.x, y -> y - origin.y. Of X'X the upper triangle is read.
 */
export function moveOrigin(moments: Moments, origin: Origin): Moments {
  const { n, p, q, sumX, sumY } = moments;
  const xx = moments.xx.slice();
  const xy = moments.xy.slice();
  const yy = moments.yy.slice();
  const [a, b] = [origin.x, origin.y];
  for (let i = 0; i < p; i++) {
    const [ai, si] = [a[i], sumX[i]];
    for (let j = i, at = i * p + i; j < p; j++, at++) xx[at] += n * ai * a[j] - ai * sumX[j] - si * a[j];
    for (let k = 0; k < q; k++) xy[i * q + k] += n * ai * b[k] - ai * sumY[k] - si * b[k];
  }
  mirrorUpper(xx, p);
  for (let i = 0; i < q; i++) {
    for (let k = 0; k < q; k++) yy[i * q + k] += n * b[i] * b[k] - b[i] * sumY[k] - sumY[i] * b[k];
  }
  return {
    n,
    p,
    q,
    sumX: sumX.map((v, i) => v - n * a[i]),
    sumY: sumY.map((v, k) => v - n * b[k]),
    xx,
    xy,
    yy,
  };
}

/**
 * Moments about the mean, divided by n. Constant columns are set to exactly zero and flagged. The Gram matrix is
 * positive semidefinite in spite of rounding.
 *
 * @param options.origin the point `moments` are about; default zero. Means come out about zero in any case
 * @param options.floor variances up to which a column counts as constant; at least {@link varianceFloor} of
 *   `moments`, more where they were moved to `origin` after rounding
 */
export function centre(
  moments: Moments,
  options: { readonly origin?: Origin; readonly floor?: Origin } = {},
): CentredMoments {
  const { n, p, q } = moments;
  if (n < 1) throw new EtlError("usage", "moments: no rows, at least one was needed");
  // A number that is not finite reaches the sum of squares of its own column at the least.
  for (const [square, width] of [
    [moments.xx, p],
    [moments.yy, q],
  ] as const) {
    for (let j = 0; j < width; j++) {
      if (Number.isFinite(square[j * width + j])) continue;
      const what = square === moments.xx ? "filter" : "output";
      throw new EtlError(
        "data",
        `moments: ${what} ${j} is not a finite number in some row, finite ones were needed`,
      );
    }
  }
  const dx = moments.sumX.map((sum) => sum / n);
  const dy = moments.sumY.map((sum) => sum / n);
  const gram = new Float64Array(p * p);
  const cov = new Float64Array(p * q);
  const yy = new Float64Array(q * q);
  const constantX = new Uint8Array(p);
  const constantY = new Uint8Array(q);
  const floor = varianceFloor(moments);
  // Rounding of the entries moves eigenvalues by about 2^-52 sqrt(p) of the mean squares; the diagonal is lifted by that.
  const lift = (2 ** -51 * (1 + Math.sqrt(p))) / constantShare;
  for (let i = 0; i < p; i++) {
    const variance = moments.xx[i * p + i] / n - dx[i] * dx[i];
    const limit = Math.max(floor.x[i], options.floor?.x[i] ?? 0);
    if (variance > limit) gram[i * p + i] = variance + limit * lift;
    else constantX[i] = 1;
  }
  for (let k = 0; k < q; k++) {
    const variance = moments.yy[k * q + k] / n - dy[k] * dy[k];
    const limit = Math.max(floor.y[k], options.floor?.y[k] ?? 0);
    if (!(variance > limit)) constantY[k] = 1;
  }
  for (let i = 0; i < p; i++) {
    if (constantX[i] === 1) continue;
    for (let j = i + 1; j < p; j++) {
      if (constantX[j] === 1) continue;
      gram[i * p + j] = gram[j * p + i] = moments.xx[i * p + j] / n - dx[i] * dx[j];
    }
    for (let k = 0; k < q; k++) {
      if (constantY[k] === 0) cov[i * q + k] = moments.xy[i * q + k] / n - dx[i] * dy[k];
    }
  }
  for (let i = 0; i < q; i++) {
    for (let k = 0; k < q; k++) {
      if (constantY[i] === 0 && constantY[k] === 0) yy[i * q + k] = moments.yy[i * q + k] / n - dy[i] * dy[k];
    }
  }
  const { origin } = options;
  return {
    n,
    p,
    q,
    meanX: origin ? dx.map((v, i) => v + origin.x[i]) : dx,
    meanY: origin ? dy.map((v, k) => v + origin.y[k]) : dy,
    gram,
    cov,
    yy,
    constantX,
    constantY,
  };
}

/** Variance of each column that rounding alone can produce, for moments as they are stored: [p] and [q]. */
export function varianceFloor(moments: Moments): Origin {
  const { n, p, q, xx, yy } = moments;
  return {
    x: Float64Array.from({ length: p }, (_, i) => (constantShare * xx[i * p + i]) / Math.max(n, 1)),
    y: Float64Array.from({ length: q }, (_, k) => (constantShare * yy[k * q + k]) / Math.max(n, 1)),
  };
}

/** a + sign * b. */
function combine(a: Moments, b: Moments, sign: 1 | -1): Moments {
  if (a.p !== b.p || a.q !== b.q) {
    throw new EtlError(
      "usage",
      `moments: ${b.p} filters and ${b.q} outputs beside ${a.p} and ${a.q}, the same widths were needed`,
    );
  }
  const add = (u: Float64Array, v: Float64Array): Float64Array => {
    const sum = new Float64Array(u.length);
    for (let i = 0; i < u.length; i++) sum[i] = u[i] + sign * v[i];
    return sum;
  };
  return {
    n: a.n + sign * b.n,
    p: a.p,
    q: a.q,
    sumX: add(a.sumX, b.sumX),
    sumY: add(a.sumY, b.sumY),
    xx: add(a.xx, b.xx),
    xy: add(a.xy, b.xy),
    yy: add(a.yy, b.yy),
  };
}

/** Copies the upper triangle of [p, p] to the lower one, in blocks that the cache holds. */
function mirrorUpper(matrix: Float64Array, p: number): void {
  const block = 32;
  for (let top = 0; top < p; top += block) {
    const bottom = Math.min(p, top + block);
    for (let left = top; left < p; left += block) {
      const right = Math.min(p, left + block);
      for (let i = top; i < bottom; i++) {
        for (let j = Math.max(left, i + 1); j < right; j++) matrix[j * p + i] = matrix[i * p + j];
      }
    }
  }
}

function checkWidth(where: string, p: number, q: number): void {
  if (!Number.isInteger(p) || !Number.isInteger(q) || p < 1 || q < 1) {
    throw new EtlError(
      "usage",
      `${where}: ${p} filters and ${q} outputs, positive whole numbers were needed`,
    );
  }
}
