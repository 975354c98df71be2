import { EtlError } from "../core/errors.ts";
import { analyseCoupling } from "../network/coupling/analyse.ts";
import type { Network } from "../network/network.ts";
import { cutNetwork } from "./cut.ts";
import type { Plan } from "./plan.ts";

/**
 * Cuts a network down to a plan: the only code that copies weights. A keep-all plan changes nothing, bit for bit.
 * Scaling and reconstruction come before, on the whole network with the same plan.
 */
export function applySurgery(network: Network, plan: Plan): Network {
  const coupling = analyseCoupling(network);
  if (coupling.classes !== plan.keep.length) {
    throw new EtlError(
      "usage",
      `surgery: the plan speaks of ${plan.keep.length} coupled classes, ${network.name} has ${coupling.classes}`,
      { hint: "Plan on the network that is cut." },
    );
  }
  return cutNetwork(network, coupling, plan.keep, "weights");
}
