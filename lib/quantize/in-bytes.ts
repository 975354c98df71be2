/** A network in bytes, each layer as it is to be computed. */
import type { Network } from "../network/network.ts";
import { placesOf } from "./places.ts";
import { quantized, type RewriteOptions } from "./rewrite.ts";
import { inWholeNumbers } from "./whole.ts";

interface Layers extends RewriteOptions {
  /** Names of layers that stay in floats. */
  readonly inFloat?: readonly string[];
  /** Names of layers that compute on whole numbers in floats. */
  readonly whole?: readonly string[];
}

/** @returns it, and the names of its layers in bytes, those on whole numbers among them */
export function inBytes(
  network: Network,
  { inFloat = [], whole = [], ...options }: Layers,
): { readonly network: Network; readonly layers: readonly string[] } {
  const counted = whole.filter((name) => !inFloat.includes(name));
  const ready = inWholeNumbers(network, counted, options);
  const places = placesOf(ready, new Set([...inFloat, ...counted]));
  return {
    network: quantized(ready, places, options),
    layers: [...counted, ...places.layers.map(({ name }) => name)],
  };
}
