/** What sentences say of MACs, parameters and time beside the baseline. */
import type { ModelRecord, RunRecord } from "../../../lib/record/record.ts";
import { baselineOf, isDoubtful, timeOver } from "./cells.ts";
import { misstated } from "./read.ts";

export type Faults = readonly (string | undefined)[];

export const prunedOf = ({ models }: RunRecord): ModelRecord =>
  models.find(({ name }) => name === "pruned") as ModelRecord;

/** A statement that must hold. */
export const holds = (is: boolean, what: string): string | undefined => (is ? undefined : what);

const share = "([\\d.,]+)";
export const costs = `with ${share} of the MACs(?: and|,) ${share} of the parameters(?: and ${share} of the CPU time)?`;

/** A share of the baseline's time that is told where it is clear, and only there. */
export function timeFault(
  time: string | undefined,
  record: RunRecord,
  model: ModelRecord,
): string | undefined {
  const over = timeOver(record, model);
  const isClear =
    over && !isDoubtful(record) && !(over[1] !== undefined && over[1] <= 1 && (over[2] ?? 1) >= 1);
  if (time === undefined) return holds(!isClear, "the CPU time is not told, though it is clear");
  return holds(isClear === true, "a CPU time is told that is not clear") ?? misstated(time, [over?.[0]]);
}

export function costFaults(found: readonly (string | undefined)[], record: RunRecord): Faults {
  const [pruned, baseline] = [prunedOf(record), baselineOf(record) as ModelRecord];
  const [macs, params, time] = found;
  return [
    misstated(macs ?? "", [pruned.cost.total.macs / baseline.cost.total.macs]),
    misstated(params ?? "", [pruned.cost.total.params / baseline.cost.total.params]),
    timeFault(time, record, pruned),
  ];
}
