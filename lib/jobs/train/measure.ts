/** Quality of every task of a trained network. */
import type { Metrics } from "../../record/record.ts";
import { labelWise, type LabelWise } from "../../evaluate/label-wise.ts";
import { computeMetrics } from "../../evaluate/metrics.ts";
import type { Network } from "../../network/network.ts";
import { unstandardise } from "../run/units.ts";
import { labelsAt } from "./data.ts";
import { answeredTask, type TrainedHead } from "./heads.ts";
import { thresholdsOf, type EpochState } from "./loop.ts";
import { partsInTest, predictHeads } from "./predict.ts";
import type { TrainSetup } from "./setup.ts";

/** One task's quality on some rows. */
export interface HeadQuality {
  readonly task: string;
  readonly metrics: Metrics;
  readonly labels?: LabelWise;
  /** The same outputs decided at 0, where thresholds were taken off. */
  readonly atZero?: Metrics;
  /** Target units, thresholds taken off, [rows, q]. */
  readonly predictions: Float32Array;
  readonly targets: Float32Array;
}

/** Quality of every judged head, from ten parts of each picture where the network sees parts. */
export async function measureHeads(
  setup: TrainSetup,
  network: Network,
  what: {
    readonly rows: Uint32Array;
    readonly heads: readonly TrainedHead[];
    readonly state: EpochState | undefined;
  },
): Promise<HeadQuality[]> {
  const { rows, heads, state } = what;
  const raw = await predictHeads(setup, network, { rows, heads, parts: "ten" });
  const thresholds = thresholdsOf(heads[0], state);
  const moved = thresholds?.some((tau) => tau !== 0) === true;
  // As the finished network is asked, whose outputs have their thresholds taken off already.
  const judged =
    moved && partsInTest(setup, heads) !== undefined
      ? (await predictHeads(setup, network, { rows, heads, parts: "ten", thresholds }))[0]
      : thresholds === undefined
        ? raw[0]
        : raw[0].map((z, i) => z - thresholds[i % thresholds.length]);
  return heads.flatMap((head, k): HeadQuality[] => {
    if (head.auxiliary) return [];
    const task = answeredTask(head);
    const { targets, mask } = labelsAt(head.table, rows);
    const units = head.labels === "standard" ? unstandardise(raw[k], head.units) : raw[k];
    // Only yes/no labels have thresholds, and they are in no other units.
    const predictions = k === 0 && thresholds !== undefined ? judged : units;
    const masked = mask === undefined ? {} : { mask };
    const metrics = computeMetrics(task, predictions, targets, masked);
    const atZero = k === 0 && moved ? { atZero: computeMetrics(task, units, targets, masked) } : {};
    const yesNo = task.kind === "multi-label" || task.kind === "binary";
    const names = task.kind === "binary" ? [task.name] : task.classes;
    const labels = yesNo ? labelWise(names, { logits: predictions, targets, mask }) : undefined;
    const tables = labels === undefined ? {} : { labels };
    return [{ task: task.name, metrics, predictions, targets, ...tables, ...atZero }];
  });
}
