/** Dense Cholesky factorisation and solve, float64, for systems of a few hundred unknowns; larger: cholesky-tiles.ts. */

/** Smallest pivot as a share of its diagonal entry: what lies closer to the span of the others is floored to it. */
const pivotShare = 1e-12;

/**
 * G = L L', in place in the lower half, [size, size] row-major. Four rows at a time: large factors outgrow the cache.
 *
 * @param diagonal what pivots are measured by, where it is not the diagonal of `matrix`
 */
export function choleskyFactor(
  matrix: Float64Array,
  size: number,
  diagonal: Float64Array = Float64Array.from({ length: size }, (_, i) => matrix[i * size + i]),
): void {
  for (let i = 0; i < size; i += 4) {
    const end = Math.min(i + 4, size);
    for (let j = 0; j < i; j += 2) eliminate(matrix, size, i, j);
    for (let r = i; r < end; r++) {
      for (let c = i; c < r; c++) {
        const at = r * size + c;
        matrix[at] = (matrix[at] - dot(matrix, r * size, c * size, c)) / matrix[c * size + c];
      }
      pivot(matrix, size, r, diagonal[r]);
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

function pivot(m: Float64Array, size: number, i: number, diagonal: number): void {
  const row = i * size;
  const left = m[row + i] - dot(m, row, row, i);
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
