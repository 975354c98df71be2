/** Programs and trainers that live in a worker, as the calling thread sees them. */
import { EtlError, nearest } from "../../core/errors.ts";
import { createRecycler, type Recycler } from "../../core/recycler.ts";
import { type Network, producersOf, sizeOf, type Tensor } from "../../network/network.ts";
import type { Program, Tensors, Trainer, TrainingOptions } from "../engine.ts";
import { trainableParameters } from "../training.ts";
import type { Client } from "./client.ts";
import { buffersOf, type Methods, type Returning, type TrainingSetup } from "./messages.ts";

/** How an engine's errors of a run are made readable; default: as they are. */
type Explain = <T>(result: Promise<T>) => Promise<T>;

/** The compiled program `id` of a worker. */
export function remoteProgram<Compile, Hello>(
  client: Client<Methods<Compile, Hello>>,
  network: Network,
  id: number,
  explain: Explain = (result) => result,
): Program {
  const spare = createRecycler();
  return {
    lanes: 1,
    run: async (inputs, { give = false } = {}) => {
      checkInputs(network, inputs);
      const { sent, lent, buffers, owner } = sending(inputs, give, spare);
      return takenBack(await explain(client.call("run", { id, inputs: sent, lent }, buffers)), owner);
    },
    time: async (inputs, { warmup, runs }) => {
      checkInputs(network, inputs);
      const sent = copiedInto(spare, inputs);
      return explain(client.call("time", { id, inputs: sent, warmup, runs }, buffersOf(sent)));
    },
    dispose: async () => {
      await client.call("dispose", { id });
    },
  };
}

/** Compiles a training step in a worker. */
export async function remoteTrainer<Compile, Hello>(
  client: Client<Methods<Compile, Hello>>,
  network: Network,
  training: TrainingOptions,
  threads: number,
): Promise<Trainer> {
  const setup = {
    options: withoutFunctions(training),
    trainable: trainableParameters(network, training),
    threads,
  };
  const { id } = await client.call("train", { network, setup });
  const spare = createRecycler();
  return {
    step: async (inputs, { learningRate, give = false }) => {
      checkInputs(network, inputs);
      const { sent, lent, buffers, owner } = sending(inputs, give, spare);
      return takenBack(await client.call("step", { id, inputs: sent, lent, learningRate }, buffers), owner);
    },
    gradients: async (inputs) => {
      checkInputs(network, inputs);
      const sent = copiedInto(spare, inputs);
      return client.call("gradients", { id, inputs: sent }, buffersOf(sent));
    },
    parameters: async () => new Map<string, Tensor>(Object.entries(await client.call("parameters", { id }))),
    restore: async ({ step, tensors }) => {
      const sent = copiedInto(spare, tensors);
      await client.call("restore", { id, state: { step, tensors: sent } }, buffersOf(sent));
    },
    state: () => client.call("state", { id }),
    dispose: async () => {
      await client.call("dispose", { id });
    },
  };
}

/** What travels to the compute thread, and who gets which of it back. */
interface Sent {
  readonly sent: Tensors;
  readonly lent: readonly string[];
  readonly buffers: ArrayBuffer[];
  readonly owner: Recycler;
}

/** Inputs as they travel: given away, those that a recycler lent on loan; or copied into arrays of `spare`. */
function sending(inputs: Tensors, give: boolean | Recycler, spare: Recycler): Sent {
  const owner = typeof give === "object" ? give : spare;
  const sent = give === false ? copiedInto(spare, inputs) : inputs;
  const lent = Object.keys(sent).filter((name) => owner.lent(sent[name].data));
  return { sent, lent, buffers: buffersOf(sent), owner };
}

/** Copies of tensors in arrays of a recycler; the caller's arrays stay his. */
function copiedInto(recycler: Recycler, inputs: Tensors): Tensors {
  const copy = ({ shape, data }: Tensor): Tensor => {
    const own = recycler.take(data.length);
    own.set(data);
    return { shape: [...shape], data: own };
  };
  return Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, copy(tensor)]));
}

/** The result, once the lent arrays are back with their owner. */
function takenBack<T>({ result, returned }: Returning<T>, owner: Recycler): T {
  returned.forEach(owner.giveBack);
  return result;
}

/** Inputs must be there and as long as their shape says. */
export function checkInputs(network: Network, inputs: Tensors): void {
  for (const { name } of network.inputs) {
    if (!Object.hasOwn(inputs, name)) {
      throw new EtlError(
        "usage",
        `${name}: not among the inputs (${Object.keys(inputs).join(", ")}), a tensor was needed`,
      );
    }
  }
  for (const [name, { shape, data }] of Object.entries(inputs)) {
    const size = sizeOf(shape);
    if (data.length !== size) {
      throw new EtlError(
        "usage",
        `${name}: ${data.length} values, ${size} for the shape [${shape.join(", ")}] were needed`,
      );
    }
  }
}

/** Values that are asked for must be made by a node, or be among the network's inputs and outputs. */
export function checkOutputNames(network: Network, outputs: readonly string[]): void {
  const producers = producersOf(network);
  const known = new Set([...network.outputs, ...network.inputs].map(({ name }) => name));
  for (const name of outputs) {
    if (producers.has(name) || known.has(name)) continue;
    const near = nearest(name, producers.keys());
    throw new EtlError(
      "usage",
      `${name}: no node of the network makes this value, a value of the graph was needed`,
      { hint: near === undefined ? undefined : `did you mean ${near}?` },
    );
  }
}

/** Training options that can travel to the worker. */
function withoutFunctions(training: TrainingOptions): TrainingSetup["options"] {
  const options: { trainable?: unknown } & TrainingOptions = { ...training };
  delete options.trainable;
  return options;
}
