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
  const columns = Math.floor(rhs.length / size);
  const column = (k: number): Float64Array => rhs.subarray(k * size, (k + 1) * size);
  let k = 0;
  for (; k + 4 <= columns; k += 4)
    solveFour(gram, size, [column(k), column(k + 1), column(k + 2), column(k + 3)]);
  for (; k < columns; k++) solveFactored(gram, size, column(k));
}

/** G = L L', in place in the lower half, [size, size] row-major. Four rows at a time: large factors outgrow the cache. */
export function choleskyFactor(matrix: Float64Array, size: number): void {
  for (let i = 0; i < size; i += 4) {
    const end = Math.min(i + 4, size);
    for (let j = 0; j < i; j += 2) eliminate(matrix, size, i, j);
    for (let r = i; r < end; r++) {
      for (let c = i; c < r; c++) {
        const at = r * size + c;
        matrix[at] = (matrix[at] - dot(matrix, r * size, c * size, c)) / matrix[c * size + c];
      }
      pivot(matrix, size, r);
    }
  }
}

/** Entries of rows i to i + 3 (as far as there are) in columns j and j + 1 of the factor; j + 1 < i. */
function eliminate(m: Float64Array, size: number, i: number, j: number): void {
  const last = size - 1;
  const a = i * size;
  const b = Math.min(i + 1, last) * size;
  const c = Math.min(i + 2, last) * size;
  const d = Math.min(i + 3, last) * size;
  const [u, v] = [j * size, (j + 1) * size];
  let [au, bu, cu, du] = [m[a + j], m[b + j], m[c + j], m[d + j]];
  let [av, bv, cv, dv] = [m[a + j + 1], m[b + j + 1], m[c + j + 1], m[d + j + 1]];
  for (let k = 0; k < j; k++) {
    const x = m[u + k];
    const y = m[v + k];
    au -= m[a + k] * x;
    av -= m[a + k] * y;
    bu -= m[b + k] * x;
    bv -= m[b + k] * y;
    cu -= m[c + k] * x;
    cv -= m[c + k] * y;
    du -= m[d + k] * x;
    dv -= m[d + k] * y;
  }
  const [uj, vj, vv] = [m[u + j], m[v + j], m[v + j + 1]];
  m[a + j] = au /= uj;
  m[b + j] = bu /= uj;
  m[c + j] = cu /= uj;
  m[d + j] = du /= uj;
  m[a + j + 1] = (av - au * vj) / vv;
  m[b + j + 1] = (bv - bu * vj) / vv;
  m[c + j + 1] = (cv - cu * vj) / vv;
  m[d + j + 1] = (dv - du * vj) / vv;
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

/** Four right-hand sides at once, so that the factor is read a quarter as often. */
function solveFour(
  factor: Float64Array,
  size: number,
  [x, y, z, w]: readonly [Float64Array, Float64Array, Float64Array, Float64Array],
): void {
  for (let i = 0; i < size; i++) {
    const row = i * size;
    let [a, b, c, d] = [x[i], y[i], z[i], w[i]];
    for (let k = 0; k < i; k++) {
      const f = factor[row + k];
      a -= f * x[k];
      b -= f * y[k];
      c -= f * z[k];
      d -= f * w[k];
    }
    const diagonal = factor[row + i];
    x[i] = a / diagonal;
    y[i] = b / diagonal;
    z[i] = c / diagonal;
    w[i] = d / diagonal;
  }
  for (let i = size - 1; i >= 0; i--) {
    const row = i * size;
    const diagonal = factor[row + i];
    const [a, b, c, d] = [x[i] / diagonal, y[i] / diagonal, z[i] / diagonal, w[i] / diagonal];
    x[i] = a;
    y[i] = b;
    z[i] = c;
    w[i] = d;
    for (let k = 0; k < i; k++) {
      const f = factor[row + k];
      x[k] -= a * f;
      y[k] -= b * f;
      z[k] -= c * f;
      w[k] -= d * f;
    }
  }
}
