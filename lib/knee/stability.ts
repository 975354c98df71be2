/** How much a choice of filters depends on the pictures it was made from. */

/**
 * Stability of repeated selections (Nogueira, Sechidis and Brown 2018, "On the stability of feature selection
 * algorithms", definition 4): one minus the mean variance of each filter's being chosen, over that of a random choice of
 * as many filters. 1 = always the same filters, 0 = as by chance; below 0 = less than chance.
 *
 * @param supports one set of filters for each repetition, at least two
 * @param p number of filters
 * @returns undefined where nothing could vary: no filter or every filter chosen each time, fewer than two repetitions
 */
export function stabilityOf(supports: readonly ArrayLike<number>[], p: number): number | undefined {
  const m = supports.length;
  if (m < 2) return undefined;
  const counts = new Float64Array(p);
  for (const support of supports) for (let i = 0; i < support.length; i++) counts[support[i]] += 1;
  const share = counts.reduce((sum, count) => sum + count, 0) / m / p;
  const chance = share * (1 - share);
  if (chance === 0) return undefined;
  const variance = counts.reduce((sum, count) => sum + (m / (m - 1)) * (count / m) * (1 - count / m), 0) / p;
  return 1 - variance / chance;
}
