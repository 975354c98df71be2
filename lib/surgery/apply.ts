import { EtlError } from "../core/errors.ts";
import { analyseCoupling } from "../network/coupling/analyse.ts";
import type { Coupling } from "../network/coupling/types.ts";
import type { Network } from "../network/network.ts";
import { cutNetwork } from "./cut.ts";
import type { Plan } from "./plan.ts";

/**
 * Cuts a network down to a plan: the only code that copies weights. A keep-all plan changes nothing, bit for bit.
 * Scaling and reconstruction come before, on the whole network with the same plan.
 *
 * @param coupling the analysis of this very network, where the caller has it: reconstruction may have added biases
 */
export function applySurgery(
  network: Network,
  plan: Plan,
  coupling: Coupling = analyseCoupling(network),
): Network {
  if (coupling.classes !== plan.keep.length) {
    throw new EtlError(
      "usage",
      `surgery: the plan speaks of ${plan.keep.length} coupled classes, ${network.name} has ${coupling.classes}`,
      { hint: "Plan on the network that is cut." },
    );
  }
  return cutNetwork(network, coupling, plan.keep, "weights");
}
