/** A model without its origin. */
import type { Network } from "../../network/network.ts";

/** Keys of the metadata that say where a model comes from, not how it is used. */
const origin = ["etl.provenance", "etl.cut"];

export function stripped(network: Network): Network {
  const metadata = Object.entries(network.metadata).filter(([key]) => !origin.includes(key));
  return { ...network, metadata: Object.fromEntries(metadata) };
}
