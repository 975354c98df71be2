/** Networks that compute on bytes (int8). */
import { EtlError } from "../core/errors.ts";
import type { Network } from "./network.ts";
import { factsOf } from "./operators/facts.ts";

/** Whether a network stores values as bytes. */
export function computesOnBytes({ nodes }: Network): boolean {
  return nodes.some(({ op, domain }) => domain === "" && factsOf(op).bytes === "write");
}

/** @throws EtlError `usage` for a network in bytes: it can be run, but not cut, trained or quantised again */
export function needFloats(network: Network, name: string): void {
  if (!computesOnBytes(network)) return;
  throw new EtlError("usage", `${name}: computes on bytes (int8) already, a float network was needed`, {
    hint: "give the model that it was made from",
  });
}
