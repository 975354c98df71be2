/** What the tfjs worker takes and gives beyond what all engines share. */
import type { Network } from "../../network/network.ts";
import type { Methods } from "../worker/messages.ts";

export interface TfjsCompilation {
  readonly network: Network;
  readonly outputs: readonly string[];
}

/** The backend that was found; see backend.ts. */
export interface Hello {
  readonly description: string;
  readonly isGpu: boolean;
  readonly threads: number;
}

export type TfjsMethods = Methods<TfjsCompilation, Hello>;
