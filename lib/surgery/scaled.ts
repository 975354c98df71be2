import type { Network } from "../network/network.ts";

/** Where scaling could not be done, and why. */
export interface RefusedScaling {
  readonly tap: string;
  readonly reason: string;
}

export interface ScaledNetwork {
  readonly network: Network;
  readonly refused: readonly RefusedScaling[];
  /** What else should be known, one sentence each. */
  readonly notes: readonly string[];
}
