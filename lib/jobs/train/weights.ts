/** Weights that a training begins with: of a weight file, of a model file, or of a run. */
import { existsSync, statSync } from "node:fs";
import type { Task } from "../../core/artifacts.ts";
import { outputTasksOf } from "../../backbones/metadata.ts";
import { isModelFile, readModel } from "../../backbones/read-model.ts";
import {
  assignWeights,
  readWeights,
  torchNames,
  withPlainNames,
  type Weights,
} from "../../backbones/weights.ts";
import { sizeOf, type Network } from "../../network/network.ts";
import { subnetwork } from "../../network/subnetwork.ts";
import { modelFileIn } from "../run/model.ts";

/** What a file brings: weights, and the tasks that its heads were trained for. */
interface Source {
  readonly path: string;
  readonly weights: Weights;
  readonly tasks: readonly Task[];
}

/**
 * The network with weights of a file: everything up to the trunk has to be there. Of a network that `train` made for the same
 * tasks the heads go on too, save those of numbers, which stand in the units of its own data.
 */
export async function withWeights(
  network: Network,
  path: string,
  { trunk, tasks }: { readonly trunk: string; readonly tasks: readonly Task[] },
): Promise<{ network: Network; note: string }> {
  const source = await readSource(path);
  const part = subnetwork(network, [trunk]);
  const wanted = new Set([...part.parameters.keys()].flatMap((name) => [name, ...torchNames(name)]));
  const own = new Map([...source.weights].filter(([name]) => wanted.has(name)));
  const filled = assignWeights(part, own, source.path);
  const parameters = new Map([...network.parameters, ...filled.parameters]);
  const heads = answersTheSame(tasks, source.tasks)
    ? [...network.parameters].flatMap(([name, { type, shape }]) => {
        const found = source.weights.get(name);
        const fits = found?.type === type && found.shape.join() === shape.join() && sizeOf(shape) > 1;
        return fits && type === "float32" && !part.parameters.has(name) ? [[name, found] as const] : [];
      })
    : [];
  for (const [name, parameter] of heads) parameters.set(name, parameter);
  const left = source.weights.size - own.size - heads.length;
  const note = `weights: ${own.size} tensors of ${source.path} fill everything up to ${trunk}, ${left} are not used; ${
    heads.length > 0 ? `${heads.length} go on behind it, trained for the same tasks` : "the head is fresh"
  }`;
  return { network: { ...network, parameters }, note };
}

async function readSource(path: string): Promise<Source> {
  const folder = existsSync(path) && statSync(path).isDirectory();
  const file = folder ? modelFileIn(path) : path;
  if (!isModelFile(file) || !file.endsWith(".onnx"))
    return { path: file, weights: withPlainNames(await readWeights(file)), tasks: [] };
  // As it is stored: batch norm is not folded away.
  const model = await readModel(file);
  const weights = new Map([...model.parameters].filter(([, { type }]) => type === "float32"));
  return { path: file, weights, tasks: outputTasksOf(model).map(({ task }) => task) };
}

/** Whether a network trained for some tasks answers these with the same outputs in the same units. */
function answersTheSame(tasks: readonly Task[], trained: readonly Task[]): boolean {
  return tasks.every(({ name, classes, outputs, kind, unit }) => {
    const same = trained.find((task) => task.name === name);
    const units = kind !== "regression" || unit === "crop";
    return units && same?.outputs === outputs && same.classes.join() === classes.join();
  });
}
