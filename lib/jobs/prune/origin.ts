/** What the cut takes its weights from: the backbone as it came, or as the baseline has fine-tuned it. */
import type { Network } from "../../network/network.ts";
import type { RunContext } from "./context.ts";
import type { Trained } from "./tune.ts";

/**
 * The context with the backbone that is cut, refitted to and distilled from. The filters are chosen on the backbone as it
 * came in any case. Where the baseline's best epoch is the closed-form head, the two are the same network.
 */
export function originOf<Context extends Pick<RunContext, "backbone" | "config">>(
  context: Context,
  baseline: Pick<Trained, "network" | "bestEpoch">,
): Context {
  const { backbone, config } = context;
  if (config.start === "backbone" || baseline.bestEpoch === 0) return context;
  return {
    ...context,
    backbone: { ...backbone, network: withWeightsOf(backbone.network, baseline.network) },
  };
}

/** What the cut depends on beside the plan; undefined where that is the backbone alone. */
export function startsFrom({ config, folder }: Pick<RunContext, "config" | "folder">): string | undefined {
  return config.start === "baseline" ? folder.state().stages["baseline"]?.key : undefined;
}

/** The network with the parameters of another that have the same names and shapes. */
function withWeightsOf(network: Network, other: Network): Network {
  const parameters = new Map(network.parameters);
  for (const [name, parameter] of network.parameters) {
    const found = other.parameters.get(name);
    if (found?.shape.join() === parameter.shape.join()) parameters.set(name, found);
  }
  return { ...network, parameters };
}
