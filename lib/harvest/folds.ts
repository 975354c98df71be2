/** Which fold an image belongs to: by person where persons are known, so that held-out error is honest. */
import { createRandom } from "../core/random.ts";

/**
 * Deals rows into `k` folds of about equal size. Rows with the same identity share a fold.
 *
 * @param identities one entry per row; undefined where the person is not known
 * @returns fold of each row, 0..k-1
 */
export function dealFolds(identities: readonly (string | undefined)[], k: number, seed: number): Uint32Array {
  const groups = new Map<string, number[]>();
  identities.forEach((identity, row) => {
    const key = identity === undefined ? `row ${row}` : `id ${identity}`;
    const rows = groups.get(key);
    if (rows) rows.push(row);
    else groups.set(key, [row]);
  });
  const order = createRandom(seed)
    .fork("folds")
    .shuffle([...groups.values()]);
  // Large groups first into the emptiest fold; the shuffle decides among equals.
  order.sort((a, b) => b.length - a.length);
  const sizes = new Array<number>(k).fill(0);
  const folds = new Uint32Array(identities.length);
  for (const rows of order) {
    const fold = sizes.indexOf(Math.min(...sizes));
    for (const row of rows) folds[row] = fold;
    sizes[fold] = (sizes[fold] ?? 0) + rows.length;
  }
  return folds;
}
