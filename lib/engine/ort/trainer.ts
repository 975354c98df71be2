/** Training inside the worker: parameters and optimiser state live here and alternate between two buffers. */
import { EtlError } from "../../core/errors.ts";
import { writeOnnx } from "../../formats/onnx.ts";
import { type Network, sizeOf, type Tensor } from "../../network/network.ts";
import type { Shape } from "../../network/shapes-context.ts";
import type { Tensors } from "../engine.ts";
import { dropoutMask, runningStatistics, slotKey, stateValues } from "../training.ts";
import type { TrainingSetup } from "../worker/messages.ts";
import type { RunningTrainer } from "../worker/serve.ts";
import { planOptimizer } from "./gradients/optimizers.ts";
import { pack, unpack, type WeightForm, weightForms } from "./gradients/packing.ts";
import { blockSize } from "./block-size.ts";
import { createInPlaceSession, type InPlaceSession } from "./in-place.ts";
import { OrtTensor, toOrt } from "./session.ts";
import { buildTrainingGraph, NORM, TERMS, type TrainingGraph } from "./training-graph.ts";

interface Compiled {
  readonly graph: TrainingGraph;
  readonly session: InPlaceSession;
}

type Mode = "step" | "gradients";

/** Compiles a training step; a graph is built for each batch size when it first comes. */
export async function createTrainer(network: Network, setup: TrainingSetup): Promise<RunningTrainer> {
  const plan = planOptimizer(setup.options.optimizer);
  const block = await blockSize();
  const forms = weightForms(network, setup.trainable, block);
  const trained = [...setup.trainable, ...runningStatistics(network, new Set(setup.trainable))];
  if (setup.trainable.length === 0) {
    throw new EtlError("usage", `${network.name}: no parameter is trained, at least one was needed`);
  }
  let current = new Map<string, OrtTensor>();
  let spare = new Map<string, OrtTensor>();
  let steps = 0;
  // tensors of the state: parameters, running statistics, optimiser slots; with the form in which each is kept
  const kept = new Map<string, { readonly shape: Shape; readonly form: WeightForm | undefined }>();
  for (const name of trained) {
    const parameter = network.parameters.get(name);
    if (parameter === undefined) throw new EtlError("usage", `${name}: no such parameter, one was needed`);
    const entry = { shape: parameter.shape, form: forms.get(name) };
    kept.set(name, entry);
    if (setup.trainable.includes(name)) for (const slot of plan.slots) kept.set(slotKey(slot, name), entry);
  }
  for (const [name, { shape, form }] of kept) {
    const data = network.parameters.get(name)?.data as Float32Array | undefined;
    const tensor = data === undefined ? empty(form?.packedShape ?? shape) : toKept(data, shape, form);
    current.set(name, tensor);
    spare.set(name, toKept(tensor.data as Float32Array, tensor.dims, undefined));
  }

  const sessions = new Map<string, Promise<Compiled>>();
  const compile = async (mode: Mode, inputShapes: Readonly<Record<string, Shape>>): Promise<Compiled> => {
    const graph = buildTrainingGraph({ network, setup, inputShapes, mode, block });
    const session = await createInPlaceSession(writeOnnx(graph.network), {
      threads: setup.threads,
      // in the blocked layout there is nothing left to fuse, and looking for it takes most of the compile time
      optimization: block > 0 ? "disabled" : "all",
      fixedShapes: true,
    });
    return { graph, session };
  };
  const compiled = (mode: Mode, inputs: Tensors): Promise<Compiled> => {
    const inputShapes = Object.fromEntries(network.inputs.map(({ name }) => [name, inputs[name].shape]));
    const key = `${mode} ${JSON.stringify(inputShapes)}`;
    let found = sessions.get(key);
    if (found === undefined) {
      found = compile(mode, inputShapes);
      sessions.set(key, found);
      found.catch(() => sessions.delete(key));
    }
    return found;
  };

  const feedsFor = ({ network: { inputs: needed }, feeds, dropout }: TrainingGraph, inputs: Tensors) => {
    const result: Record<string, OrtTensor> = {};
    const given = toOrt(Object.fromEntries(network.inputs.map(({ name }) => [name, inputs[name]])));
    for (const [name, shape] of feeds) {
      if (!(name in inputs)) {
        throw new EtlError(
          "usage",
          `${name}: not among the inputs, a target or mask of [${shape.join(", ")}] was needed`,
        );
      }
      const { data } = inputs[name];
      if (data.length !== sizeOf(shape)) {
        throw new EtlError(
          "usage",
          `${name}: ${data.length} values, ${sizeOf(shape)} for the shape [${shape.join(", ")}] were needed`,
        );
      }
      given[name] = new OrtTensor("float32", data, shape);
    }
    const { seed = 0 } = setup.options;
    for (const { name, shape, node, ratio } of dropout) {
      given[name] = new OrtTensor("float32", dropoutMask(shape, { seed, step: steps, node, ratio }), shape);
    }
    for (const { name } of needed) {
      const tensor = given[name] ?? current.get(name);
      if (tensor !== undefined) result[name] = tensor;
    }
    return result;
  };

  const lossOf = (terms: readonly number[]): number =>
    setup.options.losses.reduce((sum, { weight }, i) => sum + weight * terms[i], 0);

  const copies = (names: Iterable<string>): Record<string, Tensor> =>
    Object.fromEntries(
      [...names].map((name) => {
        const tensor = current.get(name);
        const entry = kept.get(name);
        if (tensor === undefined || entry === undefined) {
          throw new EtlError("engine", `${name}: unknown tensor, a trained one was needed`);
        }
        return [name, fromKept(tensor, entry.shape, entry.form)];
      }),
    );

  // an operator without a rule, a shape that does not fit: say so now, not at the first step
  buildTrainingGraph({
    network,
    setup,
    inputShapes: Object.fromEntries(
      network.inputs.map(({ name, shape }) => [
        name,
        shape.map((dim) => (typeof dim === "number" ? dim : 1)),
      ]),
    ),
    mode: "step",
    block,
  });

  return {
    step: async (inputs, learningRate) => {
      const { graph, session } = await compiled("step", inputs);
      const feeds = feedsFor(graph, inputs);
      plan.values(learningRate, steps + 1).forEach((value, i) => {
        feeds[graph.scalars[i]] = new OrtTensor("float32", Float32Array.of(value), []);
      });
      const [terms, norm] = [empty([setup.options.losses.length]), empty([1])];
      const into: Record<string, OrtTensor> = { [TERMS]: terms, [NORM]: norm };
      for (const [name, { output }] of graph.tensors) {
        const place = spare.get(name);
        if (place !== undefined) into[output] = place;
      }
      await session.run(feeds, into);
      [current, spare] = [spare, current];
      steps++;
      const values = Array.from(terms.data as Float32Array);
      return { loss: lossOf(values), terms: values, gradientNorm: norm.data[0] as number };
    },
    gradients: async (inputs) => {
      const { graph, session } = await compiled("gradients", inputs);
      const into: Record<string, OrtTensor> = { [TERMS]: empty([setup.options.losses.length]) };
      for (const [name, output] of graph.gradients) into[output] = empty(current.get(name)?.dims ?? []);
      await session.run(feedsFor(graph, inputs), into);
      const gradients = Object.fromEntries(
        [...graph.gradients].map(([name, output]) => [
          name,
          fromKept(into[output], network.parameters.get(name)?.shape ?? [], forms.get(name)),
        ]),
      );
      return { loss: lossOf(Array.from(into[TERMS].data as Float32Array)), gradients };
    },
    parameters: () => Promise.resolve(copies(trained)),
    state: () => Promise.resolve({ step: steps, tensors: copies(current.keys()) }),
    restore: (state) => {
      for (const [name, { shape, form }] of kept) {
        current.set(name, toKept(stateValues(state, name, shape), shape, form));
      }
      steps = state.step;
      return Promise.resolve();
    },
    dispose: async () => {
      for (const entry of sessions.values()) await (await entry).session.release();
      sessions.clear();
    },
  };
}

/** A tensor to be filled. */
function empty(shape: Shape): OrtTensor {
  return new OrtTensor("float32", new Float32Array(sizeOf(shape)), shape);
}

/** A copy in the form in which the graph keeps it. */
function toKept(data: Float32Array, shape: Shape, form: WeightForm | undefined): OrtTensor {
  return form === undefined
    ? new OrtTensor("float32", data.slice(), shape)
    : new OrtTensor("float32", pack(data, form), form.packedShape);
}

/** A row-major copy. */
function fromKept(tensor: OrtTensor, shape: Shape, form: WeightForm | undefined): Tensor {
  const data = tensor.data as Float32Array;
  return { shape: [...shape], data: form === undefined ? data.slice() : unpack(data, form) };
}
