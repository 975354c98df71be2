/** Time of a network that was cut, beside the original. */
import type { Engine } from "../../engine/engine.ts";
import { profileModels } from "../../evaluate/profile.ts";
import type { Network } from "../../network/network.ts";
import { asSingle } from "../../network/single.ts";
import type { Latency } from "../../record/record.ts";
import type { CuttableModel } from "./model.ts";
import type { CutOptions } from "./options.ts";

/** The network with the sizes that were assumed for open dimensions, so that it can be timed. */
function boundAs(model: CuttableModel, network: Network): Network {
  return asSingle({ ...network, inputs: model.network.inputs, outputs: model.network.outputs });
}

/** A file for a fixed batch is timed with it; the time is that of one run. */
export function fixedBatch(network: Network): number {
  const first = network.inputs[0]?.shape[0];
  return typeof first === "number" ? first : 1;
}

function scaled(latency: Latency, batch: number): Latency {
  return { ...latency, medianMs: latency.medianMs * batch, p95Ms: latency.p95Ms * batch };
}

/** Both networks, timed in turns. */
export async function measure(
  engine: Engine,
  model: CuttableModel,
  options: { readonly network: Network; readonly runs: number; readonly signal: AbortSignal | undefined },
): Promise<{ before: Latency; after: Latency }> {
  const batch = fixedBatch(model.network);
  const measured = await profileModels(
    engine,
    [
      { name: "before", network: boundAs(model, model.original) },
      { name: "after", network: boundAs(model, options.network) },
    ],
    { runs: options.runs, batch, signal: options.signal },
  );
  const [before, after] = ["before", "after"].map((name) => measured.get(name));
  if (before === undefined || after === undefined) throw new Error("a latency is missing");
  return { before: scaled(before, batch), after: scaled(after, batch) };
}

/** A target of time that the last measurement does not confirm. */
export function missed(
  { before, after }: { readonly before: Latency; readonly after: Latency },
  { targetMs, targetTime, table }: CutOptions,
): string[] {
  const limit = targetTime === undefined ? targetMs : targetTime * before.medianMs;
  if (limit === undefined || table !== undefined || after.medianMs <= 1.05 * limit) return [];
  return [
    `measured again at the end: ${after.medianMs.toFixed(3)} ms, ${limit.toPrecision(4)} ms were asked for`,
  ];
}

/** What an interrupted cut says. */
export const stopped = "cut: stopped, nothing was written";
