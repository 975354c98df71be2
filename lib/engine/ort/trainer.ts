/** Training inside the worker: parameters and optimiser state live here and alternate between two buffers. */
import { EtlError } from "../../core/errors.ts";
import { writeOnnx } from "../../formats/onnx/write.ts";
import type { Network } from "../../network/network.ts";
import type { Shape } from "../../network/shapes/context.ts";
import type { StepResult, Tensors } from "../engine.ts";
import { dropoutMask } from "../training.ts";
import type { TrainingSetup } from "../worker/messages.ts";
import type { RunningTrainer } from "../worker/serve.ts";
import { blockSize } from "./block-size.ts";
import { planOptimizer } from "../../gradients/optimizers.ts";
import { createHalves } from "./halves.ts";
import { createInPlaceSession, type InPlaceSession } from "./in-place.ts";
import { OrtTensor, toOrt } from "./session.ts";
import { fedTensors, scalarFeeds, stepResult, weightedSum, withState } from "./training/feeds.ts";
import { buildTrainingGraph, TERMS, type TrainingGraph, trainingSettings } from "./training/graph.ts";
import { createTrainingState, emptyTensor } from "./training/state.ts";
import { NORM } from "./training/update.ts";

interface Compiled {
  readonly graph: TrainingGraph;
  readonly session: InPlaceSession;
}

type Mode = "step" | "gradients";

/**
 * Compiles a training step; a graph is built for each batch size when it first comes. Batches that are worth it are
 * computed in two halves ({@link ./halves.ts}).
 */
export async function createTrainer(network: Network, setup: TrainingSetup): Promise<RunningTrainer> {
  if (setup.trainable.length === 0) {
    throw new EtlError("usage", `${network.name}: no parameter is trained, at least one was needed`);
  }
  const { losses, seed = 0 } = setup.options;
  const plan = planOptimizer(setup.options.optimizer);
  const block = await blockSize();
  const state = createTrainingState(network, setup, { plan, block });

  const sessions = new Map<string, Promise<Compiled>>();
  const compile = async (mode: Mode, inputShapes: Readonly<Record<string, Shape>>): Promise<Compiled> => {
    const graph = buildTrainingGraph({ network, setup, inputShapes, mode, block });
    const settings = { ...trainingSettings(block), threads: setup.threads, fixedShapes: true };
    return {
      graph,
      session: await createInPlaceSession(writeOnnx(graph.network, { plainPads: true }), settings),
    };
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

  const feedsFor = (graph: TrainingGraph, inputs: Tensors): Record<string, OrtTensor> => {
    const given = toOrt(fedTensors(network, inputs, graph));
    for (const { name, shape, node, ratio } of graph.dropout) {
      const mask = dropoutMask(shape, { seed, step: state.steps, node, ratio });
      given[name] = new OrtTensor("float32", mask, shape);
    }
    return withState(state, graph.network, given);
  };

  const stepWhole = async (inputs: Tensors, learningRate: number): Promise<StepResult> => {
    const { graph, session } = await compiled("step", inputs);
    const scalars = scalarFeeds(graph.scalars, plan, { learningRate, step: state.steps + 1 });
    const feeds = { ...feedsFor(graph, inputs), ...scalars };
    const [terms, norm] = [emptyTensor([losses.length]), emptyTensor([1])];
    await session.run(feeds, { [TERMS]: terms, [NORM]: norm, ...state.spare(graph.tensors) });
    state.advance();
    return stepResult(losses, Array.from(terms.data as Float32Array), norm.data[0] as number);
  };

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
  const halves = createHalves({ network, setup, plan, block, state });

  return {
    step: (inputs, learningRate) =>
      halves?.takes(inputs) === true ? halves.step(inputs, learningRate) : stepWhole(inputs, learningRate),
    gradients: async (inputs) => {
      const { graph, session } = await compiled("gradients", inputs);
      const terms = emptyTensor([losses.length]);
      const into: Record<string, OrtTensor> = { [TERMS]: terms };
      for (const [name, output] of graph.gradients)
        into[output] = emptyTensor(state.current(name)?.dims ?? []);
      await session.run(feedsFor(graph, inputs), into);
      const gradients = Object.fromEntries(
        [...graph.gradients].map(([name, output]) => [name, state.unpacked(name, into[output])]),
      );
      return { loss: weightedSum(losses, Array.from(terms.data as Float32Array)), gradients };
    },
    parameters: () => Promise.resolve(state.parameters()),
    state: () => Promise.resolve(state.snapshot()),
    restore: (snapshot) => {
      state.restore(snapshot);
      return Promise.resolve();
    },
    dispose: async () => {
      for (const entry of sessions.values()) await (await entry).session.release();
      sessions.clear();
      await halves?.dispose();
    },
  };
}
