import { allocationOf } from "../record/models.ts";
import type { RunRecord } from "../record/record.ts";
import { formatGamma } from "./format.ts";

/** How a run has chosen what stays: "gamma 0.1", or what stands in its place. */
export function formatChoice({ gamma, config }: Pick<RunRecord, "gamma" | "config">): string {
  return allocationOf(config) ?? `gamma ${formatGamma(gamma)}`;
}
