/** Cholesky factors: one that grows and shrinks with an active set, and a dense solve. Rows packed, float64. */

/** L with L L' = G_AA for an ordered set A of at most `capacity` columns. */
export interface Factor {
  readonly size: number;
  /**
   * Appends a column.
   *
   * @param column G_Aj, [size], in the order of A
   * @param diagonal G_jj
   */
  append(column: Float64Array, diagonal: number): void;
  /** Removes the column at a position of A; the later ones move up. */
  remove(position: number): void;
  /** rhs <- (L L')^-1 rhs, in place, [size]. */
  solve(rhs: Float64Array): void;
  clear(): void;
}

/** Smallest squared pivot, as a share of the diagonal: a column closer to the span of the others is floored to it. */
const pivotShare = 1e-13;

export function createFactor(capacity: number): Factor {
  let rows = new Float64Array(Math.min(capacity, 64) * 66);
  let size = 0;
  const start = (row: number): number => (row * (row + 1)) / 2;

  const reserve = (count: number): void => {
    if (start(count) <= rows.length) return;
    const larger = new Float64Array(start(Math.min(capacity, count * 2)));
    larger.set(rows.subarray(0, start(size)));
    rows = larger;
  };

  return {
    get size() {
      return size;
    },
    append: (column, diagonal) => {
      reserve(size + 1);
      const to = start(size);
      let pivot = diagonal;
      for (let i = 0; i < size; i++) {
        const row = start(i);
        const value = (column[i] - dot(rows, row, rows, to, i)) / rows[row + i];
        rows[to + i] = value;
        pivot -= value * value;
      }
      rows[to + size] = Math.sqrt(Math.max(pivot, pivotShare * diagonal));
      size++;
    },
    remove: (position) => {
      // Rows below lose an entry and become Hessenberg; one rotation per row makes them triangular again.
      const turns = new Float64Array(2 * (size - position));
      for (let i = position + 1; i < size; i++) {
        const from = start(i);
        const to = start(i - 1);
        for (let j = 0; j < position; j++) rows[to + j] = rows[from + j];
        let carried = rows[from + position];
        for (let j = position; j < i - 1; j++) {
          const [c, s] = [turns[2 * (j - position)], turns[2 * (j - position) + 1]];
          const right = rows[from + j + 1];
          rows[to + j] = c * carried + s * right;
          carried = c * right - s * carried;
        }
        const last = rows[from + i];
        const length = Math.sqrt(carried * carried + last * last);
        turns[2 * (i - 1 - position)] = carried / length;
        turns[2 * (i - 1 - position) + 1] = last / length;
        rows[to + i - 1] = length;
      }
      size--;
    },
    solve: (rhs) => {
      for (let i = 0; i < size; i++) {
        const row = start(i);
        rhs[i] = (rhs[i] - dot(rows, row, rhs, 0, i)) / rows[row + i];
      }
      for (let i = size - 1; i >= 0; i--) {
        const row = start(i);
        const value = (rhs[i] /= rows[row + i]);
        for (let j = 0; j < i; j++) rhs[j] -= value * rows[row + j];
      }
    },
    clear: () => {
      size = 0;
    },
  };
}

/** Inner product of `count` numbers, four partial sums. */
export function dot(a: Float64Array, ai: number, b: Float64Array, bi: number, count: number): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  let i = 0;
  for (; i + 4 <= count; i += 4) {
    s0 += a[ai + i] * b[bi + i];
    s1 += a[ai + i + 1] * b[bi + i + 1];
    s2 += a[ai + i + 2] * b[bi + i + 2];
    s3 += a[ai + i + 3] * b[bi + i + 3];
  }
  for (; i < count; i++) s0 += a[ai + i] * b[bi + i];
  return s0 + s1 + s2 + s3;
}
