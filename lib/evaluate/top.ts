/** Classification quality of ordered guesses. */

/**
 * Share of rows whose class is among the `k` largest scores; of equal scores the first counts as larger.
 *
 * @param scores [n, q] row-major
 * @param targets [n, q], one-hot
 */
export function topAccuracy(
  scores: ArrayLike<number>,
  targets: ArrayLike<number>,
  { q, k }: { readonly q: number; readonly k: number },
): number {
  const rows = targets.length / q;
  let right = 0;
  for (let i = 0; i < rows; i++) {
    let truth = 0;
    for (let c = 1; c < q; c++) if (targets[i * q + c] > targets[i * q + truth]) truth = c;
    const own = scores[i * q + truth];
    let before = 0;
    for (let c = 0; c < q; c++) {
      const other = scores[i * q + c];
      if (other > own || (other === own && c < truth)) before++;
    }
    if (Number.isFinite(own) && before < k) right++;
  }
  return rows === 0 ? 0 : right / rows;
}
