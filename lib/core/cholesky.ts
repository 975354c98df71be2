/** Dense Cholesky factorisation and solve, float64, for systems up to a few thousand unknowns. */

/** Smallest pivot as a share of its diagonal entry: what lies closer to the span of the others is floored to it. */
const pivotShare = 1e-12;

/**
 * Solves G X = B for a symmetric positive definite G.
 *
 * @param gram G, [size, size] row-major; its lower half is overwritten with the factor
 * @param rhs B transposed, [columns, size] row-major (each right-hand side contiguous); overwritten with X transposed
 */
export function choleskySolve(gram: Float64Array, size: number, rhs: Float64Array): void {
  choleskyFactor(gram, size);
  for (let start = 0; start + size <= rhs.length; start += size) {
    solveFactored(gram, size, rhs.subarray(start, start + size));
  }
}

/** G = L L', in place in the lower half, [size, size] row-major. Two by two entries at a time. */
export function choleskyFactor(matrix: Float64Array, size: number): void {
  for (let i = 0; i < size; i += 2) {
    const two = i + 1 < size;
    for (let j = 0; j < i; j += 2) eliminate(matrix, size, i, j, two);
    pivot(matrix, size, i);
    if (two) {
      const below = (i + 1) * size;
      matrix[below + i] = (matrix[below + i] - dot(matrix, below, i * size, i)) / matrix[i * size + i];
      pivot(matrix, size, i + 1);
    }
  }
}

/** Entries (i, j), (i, j+1), (i+1, j), (i+1, j+1) of the factor; j + 1 < i. */
function eliminate(m: Float64Array, size: number, i: number, j: number, two: boolean): void {
  const [a, b] = [i * size, two ? (i + 1) * size : i * size];
  const [c, d] = [j * size, (j + 1) * size];
  let [ac, ad, bc, bd] = [0, 0, 0, 0];
  for (let k = 0; k < j; k++) {
    const [x, y, u, v] = [m[a + k], m[b + k], m[c + k], m[d + k]];
    ac += x * u;
    ad += x * v;
    bc += y * u;
    bd += y * v;
  }
  const [cj, dj, dd] = [m[c + j], m[d + j], m[d + j + 1]];
  m[a + j] = (m[a + j] - ac) / cj;
  m[a + j + 1] = (m[a + j + 1] - ad - m[a + j] * dj) / dd;
  if (!two) return;
  m[b + j] = (m[b + j] - bc) / cj;
  m[b + j + 1] = (m[b + j + 1] - bd - m[b + j] * dj) / dd;
}

function pivot(m: Float64Array, size: number, i: number): void {
  const row = i * size;
  const diagonal = m[row + i];
  const left = diagonal - dot(m, row, row, i);
  m[row + i] = Math.sqrt(Math.max(left, pivotShare * Math.abs(diagonal), Number.MIN_VALUE));
}

function dot(m: Float64Array, a: number, b: number, length: number): number {
  let [even, odd] = [0, 0];
  let k = 0;
  for (; k + 1 < length; k += 2) {
    even += m[a + k] * m[b + k];
    odd += m[a + k + 1] * m[b + k + 1];
  }
  return k < length ? even + odd + m[a + k] * m[b + k] : even + odd;
}

/** x <- (L L')^-1 x, [size]. */
export function solveFactored(factor: Float64Array, size: number, x: Float64Array): void {
  for (let i = 0; i < size; i++) {
    const row = i * size;
    let sum = x[i];
    for (let k = 0; k < i; k++) sum -= factor[row + k] * x[k];
    x[i] = sum / factor[row + i];
  }
  for (let i = size - 1; i >= 0; i--) {
    const row = i * size;
    const value = x[i] / factor[row + i];
    x[i] = value;
    for (let k = 0; k < i; k++) x[k] -= value * factor[row + k];
  }
}
