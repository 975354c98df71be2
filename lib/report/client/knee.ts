/** The knee at any gamma, from the curves in the page. Runs here and, by its source text, in the browser. */
import type { PageCurve, PageCurves } from "./data.ts";

/** The error the knees are found on. */
export function errorsOf(curve: PageCurve, rmse: PageCurves["rmse"]): readonly number[] {
  return rmse === "heldout" && curve.held ? curve.held : curve.train;
}

/** The error that says what a tap holds: on held-out folds where there are some. */
export function shownErrors(curve: PageCurve): readonly number[] {
  return curve.held ?? curve.train;
}

/**
 * The path point that gamma chooses (ETL, eq. 4): the fewest filters with RMSE(i) - min r < gamma (max r - min r).
 * Among equals the smaller error. At least `minFilters` stay, where the path has that many.
 *
 * @returns index into the path; -1: everything is kept (gamma 0)
 */
export function kneeAt(
  curve: PageCurve,
  rmse: PageCurves["rmse"],
  gamma: number,
  minFilters: number,
): number {
  if (gamma <= 0) return -1;
  const errors = errorsOf(curve, rmse);
  const low = Math.min(...errors);
  const allowed = gamma * (Math.max(...errors) - low);
  const least = Math.min(minFilters, Math.max(...curve.filters));
  let best = -1;
  errors.forEach((error, i) => {
    if (error > low && error - low >= allowed) return;
    if (curve.filters[i] < least) return;
    const better =
      best < 0 ||
      curve.filters[i] < curve.filters[best] ||
      (curve.filters[i] === curve.filters[best] && error < errors[best]);
    if (better) best = i;
  });
  return best;
}

/** Knee and number of filters of one tap: the run's own choice at the run's gamma, the rule elsewhere. */
export function chosenAt(
  set: PageCurves,
  curve: PageCurve,
  gamma: number,
): { index: number; filters: number } {
  if (gamma === set.gamma) return { index: curve.knee, filters: curve.chosen };
  const index = kneeAt(curve, set.rmse, gamma, set.minFilters);
  return { index, filters: index < 0 ? curve.total : curve.filters[index] };
}

/** The error at a chosen point; where everything is kept, the error at the end of the path. */
export function errorAt(set: PageCurves, curve: PageCurve, index: number): number {
  const errors = errorsOf(curve, set.rmse);
  return errors[index < 0 ? errors.length - 1 : index];
}

/** The tap whose readout reaches the smallest error: shown first. */
export function bestTap(set: PageCurves): number {
  const lowest = set.curves.map((curve) => Math.min(...errorsOf(curve, set.rmse)));
  return Math.max(0, lowest.indexOf(Math.min(...lowest)));
}

/**
 * The shared vertical axis: smallest and largest error over all curves of a harvest, held-out where there is such. A tap whose
 * readout interpolates its own training rows does not set the scale, nor does one that is far worse than no filter at all: their
 * curves leave the drawing.
 */
export function errorRange(set: PageCurves): [number, number] {
  let [largest, start] = [-Infinity, -Infinity];
  const lows: number[] = [];
  for (const curve of set.curves) {
    const errors = shownErrors(curve);
    lows.push(Math.min(...errors));
    largest = Math.max(largest, ...errors);
    start = Math.max(start, errors[0]);
  }
  const high = Math.min(largest, 1.2 * start);
  lows.sort((a, b) => a - b);
  const low = lows.length > 1 && lows[0] < 0.5 * lows[1] ? 0.9 * lows[1] : (lows[0] ?? Infinity);
  return high > low ? [low, high] : [low - 0.5, low + 0.5];
}
