/** What multiplications of each layer cost in time, beside those of the whole network. */
import { usualWork } from "../../latency/usual.ts";
import { costOf } from "../../network/cost.ts";
import type { Network } from "../../network/network.ts";
import { blocksOf } from "../../surgery/choose.ts";
import { cutNetwork } from "../../surgery/cut.ts";
import type { CuttableModel } from "./model.ts";

/** Prices beyond these count as these: a layer keeps from two thirds to three halves of the share that others keep. */
const [LOW, HIGH] = [2 / 3, 3 / 2];

/**
 * The time that leaves with a block of channels against the multiplications that leave with it, 1 for the network's mean: small maps
 * are dear, as their weights are read for few places.
 *
 * @param roundTo channels of a block
 * @returns one for every coupling class, [classes]
 */
export function blockPrices(
  { network, coupling }: Pick<CuttableModel, "network" | "coupling">,
  roundTo: number,
): Float64Array {
  const prices = new Float64Array(coupling.classes).fill(1);
  const known = { onUnknown: "skip" } as const;
  const taken = (one: Network): { macs: number; time: number } => ({
    macs: costOf(one, known).total.macs,
    time: usualWork(one),
  });
  const whole = taken(network);
  for (const { classes, unit } of blocksOf(coupling, roundTo)) {
    const mayGo = classes.filter((id) => !coupling.frozen.has(id)).slice(0, unit);
    if (mayGo.length < unit || unit >= classes.length) continue;
    const keep = new Uint8Array(coupling.classes).fill(1);
    for (const id of mayGo) keep[id] = 0;
    const rest = taken(cutNetwork(network, coupling, keep, "shapes"));
    if (rest.macs >= whole.macs) continue;
    const price = (whole.time - rest.time) / (whole.macs - rest.macs) / (whole.time / whole.macs);
    for (const id of classes) prices[id] = Math.min(HIGH, Math.max(LOW, price));
  }
  return prices;
}
