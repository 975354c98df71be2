/** The record of a training run, as reports and comparisons read it. */
import { type Latency, type Metrics, type RunRecord, type TaskRecord } from "../../record/record.ts";
import { networkFingerprint } from "../../backbones/backbone.ts";
import { recordFrame } from "../run/frame.ts";
import { labelCounts, modelRecord, type MadeModel } from "../run/models.ts";
import { gather } from "../run/units.ts";
import type { RunFolder } from "../run/folder.ts";
import type { PartRows } from "../run/parts.ts";
import type { TargetTable } from "./data.ts";
import type { StartingNetwork } from "./network.ts";
import type { TrainSetup } from "./setup.ts";

/** A training run: what it works with, what it begins with, where it is kept. */
export type TrainRun = TrainSetup & { readonly start: StartingNetwork; readonly folder: RunFolder };

/** The record of the run, as reports and comparisons read it: one network, no curves, nothing cut. */
export async function recordOf(
  run: TrainRun,
  trained: Pick<Required<MadeModel>, "network" | "history" | "bestEpoch" | "learningRate"> & {
    readonly stopped?: string;
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
  const title = titleOf(run);
  // Where the training part stands for the validation part, no picture was kept for validation.
  const counted = rows.val === rows.train ? { ...rows, val: new Uint32Array() } : rows;
  const others = measured.others.flatMap((other): TaskRecord[] => {
    const table = tables.find(({ task }) => task.name === other.task);
    if (table === undefined) return [];
    const { train, val, test: tested } = counted;
    const counts = { train: train.length, val: val.length, test: tested.length };
    const dataset = { ...counts, labels: countsOf(table, rows) };
    return [
      { task: table.task, dataset, curves: [], models: [{ test: other.test, validation: other.validation }] },
    ];
  });
  return {
    ...recordFrame({ folder, engine, dataset, store, rows: counted }, countsOf(tables[0], rows)),
    task: tables[0].task,
    backbone: { name: architecture.name, title, fingerprint: networkFingerprint(start.network) },
    gamma: 0,
    curves: [],
    layers: [],
    models: [
      await modelRecord(
        folder,
        { name: architecture.name, title, file: "model.onnx", ...trained },
        { test, validation, latency },
      ),
    ],
    ...(others.length > 0 ? { others } : {}),
    notes: [
      ...start.notes,
      ...(trained.stopped === undefined ? [] : [`training ended early: ${trained.stopped}`]),
    ],
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

function countsOf({ task, targets }: TargetTable, rows: PartRows): RunRecord["dataset"]["labels"] {
  const of = (part: Uint32Array): Float32Array => gather(targets, part, task.outputs);
  return labelCounts(task, of(rows.train), of(rows.test));
}
