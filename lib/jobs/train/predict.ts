/** Predictions of a network in training: all its outputs at once, from whole pictures, their middle or ten parts of them. */
import { centreView, partViews, readAt, type SeenParts } from "../../data/images/views.ts";
import type { Network } from "../../network/network.ts";
import { mayMirror } from "../run/options.ts";
import { passOver } from "../run/passes.ts";
import type { TrainedHead } from "./heads.ts";
import type { TrainSetup } from "./setup.ts";

/** Which parts of a picture answer in the test; undefined where the network sees whole pictures. */
export function partsInTest(
  { config, data, preprocessing }: Pick<TrainSetup, "config" | "data" | "preprocessing">,
  heads: readonly TrainedHead[],
): SeenParts | undefined {
  const side = data.store.width;
  if (side === preprocessing.width) return undefined;
  // Where left and right mean something, a mirrored part has another answer.
  return { side, mirrored: mayMirror(config) && heads.every(({ table }) => table.task.mirror === "keep") };
}

/**
 * Outputs of every head, beside `heads`, [rows, q] in the network's units.
 *
 * @param what.parts where the network sees less than the stored picture: the middle, or the mean score of ten parts
 * @param what.thresholds of the main head, taken off the scores of parts before these are averaged
 */
export async function predictHeads(
  setup: Pick<TrainSetup, "config" | "data" | "engine" | "preprocessing" | "recycler" | "signal">,
  network: Network,
  what: {
    readonly rows: Uint32Array;
    readonly heads: readonly TrainedHead[];
    readonly parts: "centre" | "ten";
    readonly thresholds?: readonly number[] | undefined;
  },
): Promise<Float32Array[]> {
  const { data, preprocessing } = setup;
  const { rows, heads, thresholds } = what;
  const seen = partsInTest(setup, heads);
  const headOf = new Map(heads.map((head) => [head.output, head]));
  const taskOf = (output: string): TrainedHead["table"]["task"] | undefined => {
    const head = headOf.get(output);
    return head?.labels === "plain" ? head.table.task : undefined;
  };
  const side = preprocessing.width;
  const offsetOf = (output: string): readonly number[] | undefined =>
    output === heads[0].output ? thresholds : undefined;
  const views = (parts: SeenParts): ReturnType<typeof partViews> =>
    what.parts === "ten" ? partViews(parts, side, taskOf, offsetOf) : centreView(parts.side, side);
  const collected = await passOver({ ...setup, store: data.store }, network, rows, {
    outputs: [...headOf.keys()],
    preprocessing: readAt(preprocessing, seen),
    views: seen && views(seen),
  });
  return heads.map(({ output }) => collected[output].data);
}
