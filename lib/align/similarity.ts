/** Turning, scaling and shifting the plane: the transform that brings landmarks onto a template. */
import { EtlError } from "../core/errors.ts";

/** Points as x0, y0, x1, y1, ... */
export type Points = ArrayLike<number>;

/** (x, y) -> (a x - b y + tx, b x + a y + ty), with a = s cos t and b = s sin t. */
export interface Similarity {
  readonly a: number;
  readonly b: number;
  readonly tx: number;
  readonly ty: number;
}

/**
 * The similarity transform (no reflection) that brings `from` nearest to `to` in least squares (Umeyama 1991, eqs.
 * 40-43). In the plane it has a closed form: with both sets centred and read as complex numbers, a + ib = sum(conj(f) t)
 * / sum |f|^2.
 *
 * @param from, to equally many points, at least two different ones in `from`
 */
export function fitSimilarity(from: Points, to: Points): Similarity {
  const n = from.length / 2;
  if (to.length !== from.length || n < 2) {
    throw new EtlError(
      "usage",
      `similarity: ${n} and ${to.length / 2} points, equally many (two or more) were needed`,
    );
  }
  const [fx, fy] = centre(from);
  const [tx, ty] = centre(to);
  let [real, imaginary, spread] = [0, 0, 0];
  for (let i = 0; i < from.length; i += 2) {
    const [x, y] = [from[i] - fx, from[i + 1] - fy];
    const [u, v] = [to[i] - tx, to[i + 1] - ty];
    real += x * u + y * v;
    imaginary += x * v - y * u;
    spread += x * x + y * y;
  }
  if (!(spread > 0)) {
    throw new EtlError("data", "similarity: all points in one place, two different ones were needed");
  }
  const [a, b] = [real / spread, imaginary / spread];
  return { a, b, tx: tx - (a * fx - b * fy), ty: ty - (b * fx + a * fy) };
}

/** Points through a transform. */
export function applySimilarity({ a, b, tx, ty }: Similarity, points: Points): Float64Array {
  const out = new Float64Array(points.length);
  for (let i = 0; i < points.length; i += 2) {
    out[i] = a * points[i] - b * points[i + 1] + tx;
    out[i + 1] = b * points[i] + a * points[i + 1] + ty;
  }
  return out;
}

/** The transform back. */
export function inverseSimilarity({ a, b, tx, ty }: Similarity): Similarity {
  const square = a * a + b * b;
  const [c, d] = [a / square, -b / square];
  return { a: c, b: d, tx: -(c * tx - d * ty), ty: -(d * tx + c * ty) };
}

/** Factor of lengths. */
export function scaleOf({ a, b }: Similarity): number {
  return Math.hypot(a, b);
}

/** Angle in degrees, in (-180, 180]; positive turns x towards y: clockwise on a picture. */
export function degreesOf({ a, b }: Similarity): number {
  return (Math.atan2(b, a) * 180) / Math.PI;
}

function centre(points: Points): [number, number] {
  let [x, y] = [0, 0];
  for (let i = 0; i < points.length; i += 2) {
    x += points[i];
    y += points[i + 1];
  }
  const n = points.length / 2;
  return [x / n, y / n];
}
