import { createRandom } from "../../lib/core/random.ts";

/** Made-up pooled responses and targets, row-major. */
export interface Responses {
  readonly n: number;
  readonly p: number;
  readonly q: number;
  readonly x: Float32Array;
  readonly y: Float64Array;
}

/**
 * Non-negative, correlated responses of p filters to n images, and q targets that some of them explain. Filter j is
 * dead where j % 11 = 5.
 */
export function makeResponses(
  shape: { readonly n: number; readonly p: number; readonly q?: number },
  options: { readonly seed: number | string; readonly scale?: number; readonly binary?: boolean },
): Responses {
  const { n, p, q = 1 } = shape;
  const { scale = 1, binary = false } = options;
  const random = createRandom(options.seed);
  const hidden = Math.max(2, Math.floor(p / 5));
  const mix = Float64Array.from({ length: hidden * p }, () => random.normal());
  const x = new Float32Array(n * p);
  const y = new Float64Array(n * q);
  for (let i = 0; i < n; i++) {
    const h = Array.from({ length: hidden }, () => random.normal());
    for (let j = 0; j < p; j++) {
      const value = h.reduce((sum, v, k) => sum + v * mix[k * p + j], 0.5 + 0.3 * random.normal());
      x[i * p + j] = j % 11 === 5 ? 0 : scale * Math.max(0, value);
    }
    for (let k = 0; k < q; k++) {
      const value = h[k % hidden] + 0.5 * random.normal();
      y[i * q + k] = binary ? Number(value > 0) : value;
    }
  }
  return { n, p, q, x, y };
}
