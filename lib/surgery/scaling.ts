/** Kept filters scaled by their LASSO coefficients (ETL, eq. 5, Algorithm 1), on the whole network before it is cut. */
import { refuseUnknown } from "../core/options.ts";
import type { Knee, Scaling } from "../core/artifacts.ts";
import { withoutAliases } from "../network/coupling/aliases.ts";
import { analyseCoupling } from "../network/coupling/analyse.ts";
import type { Coupling } from "../network/coupling/types.ts";
import type { Network } from "../network/network.ts";
import { compensate } from "./compensate.ts";
import { scaleLiterally } from "./literal.ts";
import type { ScaledNetwork } from "./scaled.ts";

export interface ScalingOptions {
  readonly scaling: Scaling;
  readonly coupling?: Coupling;
}

/**
 * - `none`: the network as it is.
 * - `paper`: W' = beta W, signs included, biases as they are: to the letter. The filters of a tap are those of the
 *   convolutions that end in it. With several outputs the factor is the norm of the filter's row of coefficients, which has
 *   no sign.
 * - `paper-bias`: the bias too, so that a filter's whole response is scaled; of convolutions with a normalisation behind
 *   them, that one's scale and shift.
 * - `compensated`: each coupled class by one positive factor, its consumers by the inverse: the function stays. The
 *   factor is |beta| over the tap's mean |beta|, the largest of the class's taps, held within 1/16..16. Needs positive
 *   homogeneity (Relu, pooling, Add ...) from producer to consumer; refused elsewhere.
 *
 * Channels without a coefficient (kept for another tap's sake) are not scaled.
 *
 * @param knees coefficients of the kept channels of each tap
 */
export function scaleFilters(
  original: Network,
  knees: readonly Pick<Knee, "tap" | "keep" | "beta" | "q">[],
  options: ScalingOptions,
): ScaledNetwork {
  refuseUnknown("scaleFilters", options, { scaling: true, coupling: true });
  if (options.scaling === "none") return { network: original, refused: [], notes: [] };
  const network = withoutAliases(original);
  const coupling = options.coupling ?? analyseCoupling(network);
  const factors = new Map(knees.map((knee) => [knee.tap, factorsOf(knee, coupling)]));
  if (options.scaling === "compensated") return compensate(network, coupling, factors);
  const literal = new Map(
    Array.from(factors, ([tap, own]) => [tap, own.map((f) => (Number.isNaN(f) ? 1 : f))]),
  );
  const scaled = scaleLiterally(network, coupling, {
    factors: literal,
    biases: options.scaling === "paper-bias",
  });
  const several = knees.some(({ q }) => q > 1);
  const notes = several
    ? ["several outputs: filters are scaled by the norm of their row of coefficients"]
    : [];
  return { ...scaled, notes };
}

/**
 * The factor of each channel of a tap: beta for one output, the row's norm for several, NaN where there is none.
 *
 * @returns [channels of the tap]
 */
function factorsOf(
  { tap, keep, beta, q }: Pick<Knee, "tap" | "keep" | "beta" | "q">,
  coupling: Coupling,
): Float64Array {
  const channels = coupling.layouts.get(tap)?.atoms.length ?? 0;
  const factors = new Float64Array(channels).fill(NaN);
  for (const [i, channel] of keep.entries()) {
    const row = beta.subarray(i * q, (i + 1) * q);
    const factor = q === 1 ? row[0] : Math.hypot(...row);
    if (factor !== 0 && Number.isFinite(factor) && channel < channels) factors[channel] = factor;
  }
  return factors;
}
