/** A training run's checkpoint as one file: parameters, optimiser state, history. */
import { existsSync } from "node:fs";
import { EtlError } from "../../core/errors.ts";
import { parseJson } from "../../core/parse-json.ts";
import type { Progress } from "../../core/progress.ts";
import { readSealed, writeSealed } from "../../core/seal.ts";
import type { Checkpoint } from "../../finetune/options.ts";
import { readSafetensors, writeSafetensors } from "../../formats/safetensors.ts";
import { needStored } from "./stored.ts";
import { float32, type Parameter, type Tensor } from "../../network/network.ts";

/** Loads and saves the checkpoint at `path`. A damaged one is none: what it was for starts over, and `progress` is told. */
export function checkpointFile(
  path: string,
  progress: Pick<Progress, "warn">,
): {
  load: () => Promise<Checkpoint | undefined>;
  save: (checkpoint: Checkpoint) => Promise<void>;
} {
  return {
    load: async () => {
      const bytes = await readCheckpoint(path, progress);
      return bytes && decode(bytes, path);
    },
    save: (checkpoint) => writeSealed(path, encode(checkpoint)),
  };
}

/** What a stopped stage has left at `path`; undefined, with a warning, where it is damaged. */
export async function readCheckpoint(
  path: string,
  progress: Pick<Progress, "warn">,
): Promise<Uint8Array | undefined> {
  if (!existsSync(path)) return undefined;
  const bytes = await readSealed(path);
  if (bytes === undefined) progress.warn(`${path}: not what was written, it is not used and made again`);
  return bytes;
}

function encode({ learningRate, trials, history, state, best, average }: Checkpoint): Uint8Array {
  const tensors = new Map<string, Parameter>();
  for (const [name, { shape, data }] of Object.entries(state.tensors))
    tensors.set(`state:${name}`, float32(shape, data));
  for (const [name, { shape, data }] of best) tensors.set(`best:${name}`, float32(shape, data));
  for (const [name, { shape, data }] of average ?? []) tensors.set(`average:${name}`, float32(shape, data));
  const finite = trials.map((trial) => ({
    ...trial,
    valLoss: Number.isFinite(trial.valLoss) ? trial.valLoss : 1e30,
  }));
  return writeSafetensors(tensors, {
    etl: JSON.stringify({ learningRate, trials: finite, history, step: state.step }),
  });
}

function decode(bytes: Uint8Array, path: string): Checkpoint {
  const { tensors, metadata } = readSafetensors(bytes, path);
  const text = metadata["etl"];
  if (text === undefined)
    throw new EtlError("format", `${path}: no training record, a checkpoint of etl was needed`);
  const record = parseJson(text, path) as Omit<Checkpoint, "state" | "best"> & { step: number };
  needStored(record, path, "checkpoint");
  const part = (prefix: string): [string, Tensor][] =>
    [...tensors]
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, { shape, data }]) => [name.slice(prefix.length), { shape, data: data as Float32Array }]);
  const average = part("average:");
  return {
    learningRate: record.learningRate,
    trials: record.trials,
    history: record.history,
    state: { step: record.step, tensors: Object.fromEntries(part("state:")) },
    best: new Map(part("best:")),
    ...(average.length > 0 ? { average: new Map(average) } : {}),
  };
}
