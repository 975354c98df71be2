/** The record of a training run, as reports and comparisons read it. */
import { stat } from "node:fs/promises";
import type { EpochRecord } from "../../core/artifacts.ts";
import { type Latency, type Metrics, type RunRecord, type TaskRecord } from "../../record/record.ts";
import { networkFingerprint } from "../../backbones/backbone.ts";
import { costOf } from "../../network/cost.ts";
import type { Network } from "../../network/network.ts";
import { recordFrame } from "../world/frame.ts";
import type { RunFolder } from "../run/folder.ts";
import type { PartRows } from "../world/parts.ts";
import type { TargetTable } from "./data.ts";
import type { StartingNetwork } from "./network.ts";
import type { TrainSetup } from "./setup.ts";

/** A training run: what it works with, what it begins with, where it is kept. */
export type TrainRun = TrainSetup & { readonly start: StartingNetwork; readonly folder: RunFolder };

/** The record of the run, as reports and comparisons read it: one network, no curves, nothing cut. */
export async function recordOf(
  run: TrainRun,
  trained: {
    readonly network: Network;
    readonly history: readonly EpochRecord[];
    readonly bestEpoch: number;
    readonly learningRate: number;
  },
  measured: {
    readonly test: Metrics;
    readonly validation: Metrics;
    readonly latency: Latency;
    readonly others: readonly {
      readonly task: string;
      readonly test: Metrics;
      readonly validation: Metrics;
    }[];
  },
): Promise<RunRecord> {
  const { test, validation, latency } = measured;
  const { folder, data, engine, architecture, start } = run;
  const { dataset, store, rows, tables } = data;
  const { total, trunk, head } = costOf(trained.network);
  const { bestEpoch, learningRate, history } = trained;
  const title = titleOf(run);
  // Where the training part stands for the validation part, no picture was kept for validation.
  const counted = rows.val === rows.train ? { ...rows, val: new Uint32Array() } : rows;
  const others = measured.others.flatMap((other): TaskRecord[] => {
    const table = tables.find(({ task }) => task.name === other.task);
    if (table === undefined) return [];
    const { train, val, test: tested } = counted;
    const counts = { train: train.length, val: val.length, test: tested.length };
    const dataset = { ...counts, labels: labelCounts(table, rows) };
    return [
      { task: table.task, dataset, curves: [], models: [{ test: other.test, validation: other.validation }] },
    ];
  });
  return {
    ...recordFrame({ folder, engine, dataset, store, rows: counted }, labelCounts(tables[0], rows)),
    task: tables[0].task,
    backbone: { name: architecture.name, title, fingerprint: networkFingerprint(start.network) },
    gamma: 0,
    curves: [],
    layers: [],
    models: [
      {
        name: architecture.name,
        title,
        cost: { total, trunk, head },
        fileBytes: (await stat(folder.file("model.onnx"))).size,
        latency,
        validation,
        test,
        history,
        bestEpoch,
        learningRate,
      },
    ],
    ...(others.length > 0 ? { others } : {}),
    notes: start.notes,
  };
}

/** For example "MobileNetV1, width 0.5, 128x128, from nothing". */
function titleOf({ architecture, config }: TrainSetup): string {
  const width = config.width === undefined ? [] : [`width ${config.width}`];
  const size = `${config.size}x${config.size}`;
  const from = config.weights === undefined ? "from nothing" : "from weights";
  const heads = config.heads === "forty" ? ["a head for each label"] : [];
  return [architecture.title, ...width, size, ...heads, from].join(", ");
}

function labelCounts({ task, targets }: TargetTable, rows: PartRows): RunRecord["dataset"]["labels"] {
  if (task.kind === "regression") return [];
  const q = task.outputs;
  const count = (part: Uint32Array, k: number, yes: boolean): number =>
    part.reduce((sum, row) => sum + (targets[row * q + k] > 0.5 === yes ? 1 : 0), 0);
  return task.classes.map((label, c) => {
    const [k, yes] = task.kind === "binary" ? [0, c === 1] : [c, true];
    return { label, train: count(rows.train, k, yes), test: count(rows.test, k, yes) };
  });
}
