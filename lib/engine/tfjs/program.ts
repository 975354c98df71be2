/** Inference inside the worker. */
import * as tf from "@tensorflow/tfjs-core";
import { nowMs } from "../../core/clock.ts";
import { EtlError } from "../../core/errors.ts";
import type { Network, Tensor } from "../../network/network.ts";
import type { Tensors } from "../engine.ts";
import { withInputShapes } from "../training.ts";
import type { RunningProgram } from "../worker/serve.ts";
import {
  checkNetwork,
  constantValue,
  partFor,
  type TfjsPlan,
  planNetwork,
  runStep,
  type Step,
} from "./plan.ts";
import { TfjsValue } from "./value.ts";

interface Ready {
  readonly plan: TfjsPlan;
  /** For each step, the values that nobody reads after it. */
  readonly dead: readonly (readonly string[])[];
  readonly constants: ReadonlyMap<string, TfjsValue>;
}

/** Values of the parameters of a network, made when they are first needed. */
export function parameterValues(network: Network): Map<string, TfjsValue> {
  return new Map(
    [...network.parameters].map(([name, { type, shape, data }]) => [
      name,
      constantValue(name, type, shape, data),
    ]),
  );
}

/** Values of a plan's constants. */
export function constantsOf({ constants }: TfjsPlan): Map<string, TfjsValue> {
  return new Map(
    [...constants].map(([name, { type, shape, values }]) => [name, constantValue(name, type, shape, values)]),
  );
}

/** A tensor as plain data. */
export async function download(tensor: tf.Tensor): Promise<Tensor> {
  return { shape: [...tensor.shape], data: Float32Array.from(await tensor.data()) };
}

/** Prepares a network; `outputs` are the values that a run gives. Plans are made for each batch size when it comes. */
export function createTfjsProgram(whole: Network, outputs: readonly string[]): RunningProgram {
  const network = partFor(whole, outputs);
  checkNetwork(network);
  const parameters = parameterValues(network);
  const plans = new Map<string, Ready>();

  const readyFor = (inputs: Tensors): Ready => {
    const shapes = Object.fromEntries(network.inputs.map(({ name }) => [name, inputs[name].shape]));
    const key = JSON.stringify(shapes);
    let ready = plans.get(key);
    if (ready === undefined) {
      const plan = planNetwork(withInputShapes(network, shapes, new Set()));
      ready = { plan, dead: deadAfter(plan.steps, outputs), constants: constantsOf(plan) };
      plans.set(key, ready);
    }
    return ready;
  };

  const run = async (inputs: Tensors): Promise<Record<string, Tensor>> => {
    const { plan, dead, constants } = readyFor(inputs);
    const values = new Map<string, TfjsValue>();
    const valueOf = (name: string): TfjsValue => {
      const value = values.get(name) ?? parameters.get(name) ?? constants.get(name);
      if (value !== undefined) return value;
      throw new EtlError(
        "format",
        `${name}: nothing makes this value, a node, an input or a parameter was needed`,
      );
    };
    try {
      for (const { name } of network.inputs) {
        const { shape, data } = inputs[name];
        values.set(name, new TfjsValue(shape, tf.tensor(data, [...shape], "float32"), { kept: true }));
      }
      plan.steps.forEach((step, i) => {
        keepOutputs(step, valueOf, values);
        for (const name of dead[i]) {
          values.get(name)?.dispose();
          values.delete(name);
        }
      });
      const results = new Map<string, Tensor>();
      for (const name of outputs) {
        const value = valueOf(name);
        const tensor = tf.tidy(() => tf.clone(value.first()));
        results.set(name, await download(tensor));
        tensor.dispose();
      }
      return Object.fromEntries(results);
    } finally {
      for (const value of values.values()) value.dispose();
    }
  };

  return {
    run,
    time: async (inputs, warmup, runs) => {
      for (let i = 0; i < warmup; i++) await run(inputs);
      const times: number[] = [];
      for (let i = 0; i < runs; i++) {
        const start = nowMs();
        await run(inputs);
        times.push(nowMs() - start);
      }
      return times;
    },
    dispose: () => {
      for (const value of parameters.values()) value.dispose();
      for (const { constants } of plans.values()) for (const value of constants.values()) value.dispose();
      plans.clear();
      return Promise.resolve();
    },
  };
}

/** Runs a node in a scope of its own; only its outputs stay. */
function keepOutputs(step: Step, valueOf: (name: string) => TfjsValue, values: Map<string, TfjsValue>): void {
  const names = step.node.outputs.filter((name) => name !== "");
  tf.tidy(() => {
    runStep(step, valueOf).forEach((value, i) => {
      values.set(names[i], value.keep());
    });
  });
}

function deadAfter(steps: readonly Step[], outputs: readonly string[]): string[][] {
  const last = new Map<string, number>();
  steps.forEach(({ node }, i) => {
    for (const name of [...node.inputs, ...node.outputs]) last.set(name, i);
  });
  for (const name of outputs) last.delete(name);
  const dead: string[][] = steps.map(() => []);
  for (const [name, at] of last) dead[at].push(name);
  return dead;
}
