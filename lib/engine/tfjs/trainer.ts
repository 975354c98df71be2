/** Training inside the worker: tfjs's own gradients of the same forward pass, parameters and state as kept tensors. */
import * as tf from "@tensorflow/tfjs-core";
import { EtlError } from "../../core/errors.ts";
import { type Network, type Node, sizeOf, type Tensor } from "../../network/network.ts";
import type { Shape } from "../../network/shapes/context.ts";
import type { StepResult, Tensors } from "../engine.ts";
import {
  CLIP_EPSILON,
  dropoutMask,
  runningStatistics,
  slotKey,
  stateValues,
  withInputShapes,
} from "../training.ts";
import type { TrainingSetup } from "../worker/messages.ts";
import type { RunningTrainer } from "../worker/serve.ts";
import { lossTerm } from "./losses.ts";
import { planTfjsOptimizer } from "./optimizers.ts";
import { operatorOf, partFor, type TfjsPlan, planNetwork, runStep, type Step } from "./plan.ts";
import { constantsOf, download, parameterValues } from "./program.ts";
import type { TfjsTrainingHooks } from "./site.ts";
import { TfjsValue } from "./value.ts";

interface Ready {
  readonly plan: TfjsPlan;
  readonly constants: ReadonlyMap<string, TfjsValue>;
  /** Nodes that no trained parameter reaches: run without gradient. */
  readonly fixed: readonly Step[];
  readonly trained: readonly Step[];
}

/** What one pass over a batch leaves behind. All tensors are the caller's to dispose. */
interface Pass {
  readonly terms: tf.Tensor[];
  /** Beside `setup.trainable`. */
  readonly gradients: tf.Tensor[];
  /** Running statistics: parameter -> new value. */
  readonly updates: ReadonlyMap<string, tf.Tensor>;
}

/** Prepares a training step; plans are made for each batch size when it first comes. */
export function createTfjsTrainer(whole: Network, setup: TrainingSetup): RunningTrainer {
  const { losses, optimizer, clipNorm, seed = 0 } = setup.options;
  const network = partFor(whole, [...new Set(losses.map(({ output }) => output))]);
  if (setup.trainable.length === 0) {
    throw new EtlError("usage", `${network.name}: no parameter is trained, at least one was needed`);
  }
  const isTrained = new Set(setup.trainable);
  const running = runningStatistics(network, isTrained);
  const optimizing = planTfjsOptimizer(optimizer);
  const frozen = parameterValues(network);
  const state = initialState(network, {
    trained: [...setup.trainable, ...running],
    setup,
    slots: optimizing.slots,
  });
  const stateOf = (name: string): tf.Tensor => {
    const tensor = state.get(name);
    if (tensor === undefined)
      throw new EtlError("engine", `${name}: unknown tensor, a trained one was needed`);
    return tensor;
  };
  const replace = (name: string, tensor: tf.Tensor): void => {
    state.get(name)?.dispose();
    state.set(name, tensor);
  };
  let steps = 0;

  const plans = new Map<string, Ready>();
  const readyFor = (shapes: Readonly<Record<string, Shape>>): Ready => {
    const key = JSON.stringify(shapes);
    let ready = plans.get(key);
    if (ready === undefined) {
      const plan = planNetwork(withInputShapes(network, shapes, new Set([...isTrained, ...running])));
      ready = { plan, constants: constantsOf(plan), ...divide(plan, isTrained) };
      plans.set(key, ready);
    }
    return ready;
  };

  /** Forward and backward. */
  const pass = (inputs: Tensors): Pass => {
    const { plan, constants, fixed, trained } = readyFor(shapesOf(network, inputs));
    const updates = new Map<string, tf.Tensor>();
    const hooks: TfjsTrainingHooks = {
      isTrained: (node, index) => isTrained.has(node.inputs[index] ?? ""),
      dropoutMask: (node, shape, ratio) =>
        new TfjsValue(
          shape,
          tf.tensor(dropoutMask(shape, { seed, step: steps, node: node.name, ratio }), [...shape]),
        ),
      update: (parameter, tensor) => {
        updates.get(parameter)?.dispose();
        updates.set(parameter, tf.keep(tensor));
      },
    };
    const terms: tf.Tensor[] = [];
    const values = new Map<string, TfjsValue>();
    const valueOf = (name: string): TfjsValue => {
      const value = values.get(name) ?? frozen.get(name) ?? constants.get(name);
      if (value !== undefined) return value;
      throw new EtlError(
        "format",
        `${name}: nothing makes this value, a node, an input or a parameter was needed`,
      );
    };
    const run = (list: readonly Step[]): void => {
      for (const step of list) {
        const names = step.node.outputs.filter((name) => name !== "");
        runStep(step, valueOf, hooks).forEach((value, i) => values.set(names[i], value));
      }
    };
    const feeds = feedsOf(plan, losses, inputs);
    const gradients = tf.tidy(() => {
      for (const { name } of network.inputs) {
        const { shape, data } = inputs[name];
        values.set(name, new TfjsValue(shape, tf.tensor(data, [...shape], "float32")));
      }
      for (const name of running) values.set(name, new TfjsValue(stateOf(name).shape, stateOf(name)));
      run(fixed);
      const parameters = setup.trainable.map(stateOf);
      const total = (): tf.Scalar => {
        setup.trainable.forEach((name, i) =>
          values.set(name, new TfjsValue(parameters[i].shape, parameters[i])),
        );
        run(trained);
        const weighted = losses.map((loss) => {
          const rows = rowsOf(plan, loss.output);
          const fed = (name: string): tf.Tensor => tf.tensor(feeds(name, rows), rows);
          const term = lossTerm(loss.kind, {
            z: tf.reshape(valueOf(loss.output).first(), rows),
            target: fed(loss.target),
            mask: loss.mask === undefined ? undefined : fed(loss.mask),
          });
          terms.push(tf.keep(tf.clone(term)));
          return tf.mul(term, loss.weight);
        });
        return weighted.reduce((a, b) => tf.add(a, b)) as tf.Scalar;
      };
      const { grads } = tf.engine().gradients(total, parameters, undefined, true);
      return grads.map((gradient: tf.Tensor | undefined, i) => gradient ?? tf.zerosLike(parameters[i]));
    });
    return { terms, gradients, updates };
  };

  const losing = async (terms: readonly tf.Tensor[]): Promise<{ loss: number; values: number[] }> => {
    const values: number[] = [];
    for (const term of terms) values.push((await term.data())[0]);
    return { loss: losses.reduce((sum, { weight }, i) => sum + weight * values[i], 0), values };
  };

  const step = async (inputs: Tensors, learningRate: number): Promise<StepResult> => {
    const { terms, gradients, updates } = pass(inputs);
    const norm = tf.tidy(() => {
      const norm = globalNorm(gradients);
      const clip =
        clipNorm === undefined ? undefined : tf.minimum(tf.div(clipNorm, tf.add(norm, CLIP_EPSILON)), 1);
      const update = optimizing.at(learningRate, steps + 1);
      setup.trainable.forEach((name, i) => {
        const slots = optimizing.slots.map((slot) => slotKey(slot, name));
        const gradient = clip === undefined ? gradients[i] : tf.mul(gradients[i], clip);
        const made = update(stateOf(name), gradient, slots.map(stateOf));
        replace(name, tf.keep(made.parameter));
        slots.forEach((slot, k) => {
          replace(slot, tf.keep(made.state[k]));
        });
      });
      return norm;
    });
    for (const [name, tensor] of updates) replace(name, tensor);
    steps++;
    const { loss, values } = await losing(terms);
    const [gradientNorm] = await norm.data();
    tf.dispose([norm, ...terms, ...gradients]);
    return { loss, terms: values, gradientNorm };
  };

  const copies = async (names: Iterable<string>): Promise<Record<string, Tensor>> => {
    const result = new Map<string, Tensor>();
    for (const name of names) result.set(name, await download(stateOf(name)));
    return Object.fromEntries(result);
  };

  // an operator without a gradient, a setting that is not known: say so now, not at the first step
  readyFor(
    Object.fromEntries(
      network.inputs.map(({ name, shape }) => [
        name,
        shape.map((dim) => (typeof dim === "number" ? dim : 1)),
      ]),
    ),
  );

  return {
    step,
    gradients: async (inputs) => {
      const { terms, gradients, updates } = pass(inputs);
      const { loss } = await losing(terms);
      const result = new Map<string, Tensor>();
      for (const [i, name] of setup.trainable.entries()) result.set(name, await download(gradients[i]));
      tf.dispose([...terms, ...gradients, ...updates.values()]);
      return { loss, gradients: Object.fromEntries(result) };
    },
    parameters: () => copies([...setup.trainable, ...running]),
    state: async () => ({ step: steps, tensors: await copies(state.keys()) }),
    restore: (given) => {
      for (const [name, { shape }] of state) {
        replace(name, tf.keep(tf.tensor(stateValues(given, name, shape), shape, "float32")));
      }
      steps = given.step;
      return Promise.resolve();
    },
    dispose: () => {
      for (const tensor of state.values()) tensor.dispose();
      for (const value of frozen.values()) value.dispose();
      for (const { constants } of plans.values()) for (const value of constants.values()) value.dispose();
      plans.clear();
      return Promise.resolve();
    },
  };
}

/** Trained parameters, running statistics and empty optimiser slots. */
function initialState(
  network: Network,
  { trained, setup, slots }: { trained: readonly string[]; setup: TrainingSetup; slots: readonly string[] },
): Map<string, tf.Tensor> {
  const state = new Map<string, tf.Tensor>();
  const isTrained = new Set(setup.trainable);
  for (const name of trained) {
    const parameter = network.parameters.get(name);
    if (parameter === undefined) throw new EtlError("usage", `${name}: no such parameter, one was needed`);
    const shape = [...parameter.shape];
    state.set(name, tf.keep(tf.tensor(Float32Array.from(parameter.data as Float32Array), shape)));
    if (!isTrained.has(name)) continue;
    for (const slot of slots) state.set(slotKey(slot, name), tf.keep(tf.zeros(shape)));
  }
  return state;
}

/** Nodes that the trained parameters reach, which must have a gradient, and the others. */
function divide({ steps }: TfjsPlan, isTrained: ReadonlySet<string>): { fixed: Step[]; trained: Step[] } {
  const reached = new Set(isTrained);
  const [fixed, trained]: [Step[], Step[]] = [[], []];
  for (const step of steps) {
    const { node } = step;
    if (!node.inputs.some((name) => reached.has(name))) {
      fixed.push(step);
      continue;
    }
    if (!operatorOf(node).trains) throw untrainable(node);
    for (const output of node.outputs) reached.add(output);
    trained.push(step);
  }
  return { fixed, trained };
}

function untrainable(node: Node): EtlError {
  const found = "no gradient rule for this operator";
  return new EtlError(
    "unsupported",
    `${node.name} (${node.op}): ${found}, an operator that can be trained through was needed`,
    { hint: "freeze the parameters in front of this node, or train with another engine" },
  );
}

function shapesOf(network: Network, inputs: Tensors): Record<string, Shape> {
  return Object.fromEntries(network.inputs.map(({ name }) => [name, inputs[name].shape]));
}

/** Rows of a value: the batch, and the elements of each. */
function rowsOf({ shapes }: TfjsPlan, output: string): [number, number] {
  const shape = shapes.get(output) ?? [];
  const n = shape[0] ?? 1;
  return [n, sizeOf(shape) / n];
}

/** Targets and masks, checked before anything is computed. */
function feedsOf(
  plan: TfjsPlan,
  losses: TrainingSetup["options"]["losses"],
  inputs: Tensors,
): (name: string, rows: readonly number[]) => Float32Array {
  const feed = (name: string, rows: readonly number[]): Float32Array => {
    if (!Object.hasOwn(inputs, name)) {
      throw new EtlError(
        "usage",
        `${name}: not among the inputs, a target or mask of [${rows.join(", ")}] was needed`,
      );
    }
    const { data } = inputs[name];
    if (data.length === sizeOf(rows)) return data;
    throw new EtlError(
      "usage",
      `${name}: ${data.length} values, ${sizeOf(rows)} for the shape [${rows.join(", ")}] were needed`,
    );
  };
  for (const { output, target, mask } of losses) {
    const rows = rowsOf(plan, output);
    feed(target, rows);
    if (mask !== undefined) feed(mask, rows);
  }
  return feed;
}

/** sqrt of the sum of all squares. */
function globalNorm(gradients: readonly tf.Tensor[]): tf.Tensor {
  const squares = gradients.map((gradient) => tf.sum(tf.mul(gradient, gradient)));
  return tf.sqrt(squares.reduce((a, b) => tf.add(a, b)));
}
