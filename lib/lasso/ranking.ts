/** Filters by correlation (ETL, eq. 2): the control that picks every filter by itself. */
import type { Moments } from "../core/artifacts.ts";
import { centre } from "../math/moments.ts";

export interface Ranking {
  /** |correlation| of every filter with the target, [p]; several outputs: root mean square over them. 0 if constant. */
  readonly rho: Float64Array;
  /** Filters, most correlated first; equal ones by index. */
  readonly order: Uint32Array;
}

/** rho_c = |Cov(X_c, Y) / (sigma_c sigma_Y)|. */
export function correlationRanking(moments: Moments): Ranking {
  const { p, q, gram, cov, yy, constantY } = centre(moments);
  const varying = Array.from({ length: q }, (_, k) => k).filter((k) => constantY[k] === 0);
  const rho = new Float64Array(p);
  for (let j = 0; j < p; j++) {
    const variance = gram[j * p + j];
    if (variance === 0 || varying.length === 0) continue;
    let sum = 0;
    for (const k of varying) sum += cov[j * q + k] ** 2 / (variance * yy[k * q + k]);
    rho[j] = Math.min(1, Math.sqrt(sum / varying.length));
  }
  const order = Uint32Array.from({ length: p }, (_, j) => j).sort((a, b) => rho[b] - rho[a] || a - b);
  return { rho, order };
}
