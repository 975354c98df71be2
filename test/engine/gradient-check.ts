/** Gradients against central differences, through the engine's own interface. */
import { expect } from "chai";
import { createRandom } from "../../lib/core/random.ts";
import type { Engine } from "../../lib/engine/engine.ts";
import {
  float32,
  int64,
  sizeOf,
  type Attribute,
  type Network,
  type Node,
  type Parameter,
} from "../../lib/network/network.ts";

type Plain = number | string | readonly number[] | { readonly float: number };

/** Attributes from plain values; `{ float: 0.1 }` for floats. */
function attributes(values: Record<string, Plain>): Record<string, Attribute> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]): [string, Attribute] => [
      name,
      typeof value === "number"
        ? { type: "int", value }
        : typeof value === "string"
          ? { type: "string", value }
          : "float" in value
            ? { type: "float", value: value.float }
            : { type: "ints", value },
    ]),
  );
}

export function node(
  name: string,
  op: string,
  inputs: readonly string[],
  outputs: readonly string[] = [name],
  values: Record<string, Plain> = {},
): Node {
  return { name, op, domain: "", inputs, outputs, attributes: attributes(values) };
}

/** Random values; `away` keeps them at least 0.05 from the given kinks and from each other (no ties near maxima). */
export function randomParameter(
  shape: readonly number[],
  options: { seed: number; positive?: boolean; kinks?: readonly number[]; spread?: number } = { seed: 1 },
): Parameter {
  const { seed, positive = false, kinks = [], spread = 1 } = options;
  const random = createRandom(seed);
  const n = sizeOf(shape);
  // a shuffled ladder: all values differ by at least 2 / n
  const ladder = random.shuffle(Array.from({ length: n }, (_, i) => ((i + 0.5) / n) * 2 - 1));
  const data = Float32Array.from(ladder, (value) => {
    let x = value * 1.5 * spread;
    if (positive) x = Math.abs(x) + 0.5;
    for (const kink of kinks) if (Math.abs(x - kink) < 0.08) x = kink + (x < kink ? -0.08 : 0.08);
    return x;
  });
  return float32(shape, data);
}

export interface Case {
  readonly title: string;
  readonly nodes: readonly Node[];
  readonly parameters: Readonly<Record<string, Parameter>>;
  /** Integer or otherwise fixed tables. */
  readonly tables?: Readonly<Record<string, readonly number[]>>;
  readonly fixed?: Readonly<Record<string, Parameter>>;
  /** Value on which the loss looks; default "y". */
  readonly output?: string;
  readonly opset?: number;
  readonly epsilon?: number;
  readonly tolerance?: number;
}

export function networkOf(test: Case): Network {
  const parameters = new Map(Object.entries(test.parameters));
  for (const [name, values] of Object.entries(test.tables ?? {})) parameters.set(name, int64(values));
  for (const [name, parameter] of Object.entries(test.fixed ?? {})) parameters.set(name, parameter);
  const output = test.output ?? "y";
  return {
    name: test.title,
    opset: test.opset ?? 17,
    inputs: [],
    outputs: [{ name: output, type: "float32", shape: [] }],
    nodes: test.nodes,
    parameters,
    metadata: {},
  };
}

/**
 * Every parameter of the case is trained. The loss is the squared distance to a random target; its directional
 * derivative along several random directions of each parameter must agree with (loss(p + e d) - loss(p - e d)) / 2e.
 */
export async function checkGradients(engine: Engine, test: Case, outputSize: number): Promise<void> {
  const names = Object.keys(test.parameters);
  const output = test.output ?? "y";
  const trainer = await engine.compileTraining(networkOf(test), {
    losses: [{ kind: "squared", output, target: "target", weight: 1 }],
    optimizer: { kind: "sgd" },
    trainable: (name) => names.includes(name),
    seed: 3,
  });
  try {
    const random = createRandom(test.title);
    const target = Float32Array.from({ length: outputSize }, () => random.normal());
    const feeds = { target: { shape: [outputSize], data: target } };
    const { gradients } = await trainer.gradients(feeds);
    const state = await trainer.state();
    expect(Object.keys(gradients)).to.have.members(names);
    const epsilon = test.epsilon ?? 1e-2;
    for (const name of names) {
      const { shape, data } = state.tensors[name];
      expect(gradients[name].shape, `${test.title}: shape of the gradient of ${name}`).to.deep.equal(shape);
      for (let trial = 0; trial < 3; trial++) {
        const direction = Float32Array.from(
          data,
          () => (random.uniform() < 0.5 ? -1 : 1) * (0.5 + random.uniform() / 2),
        );
        const lossAt = async (step: number): Promise<number> => {
          const moved = Float32Array.from(data, (value, i) => value + step * direction[i]);
          await trainer.restore({ step: 0, tensors: { ...state.tensors, [name]: { shape, data: moved } } });
          return (await trainer.gradients(feeds)).loss;
        };
        const numeric = ((await lossAt(epsilon)) - (await lossAt(-epsilon))) / (2 * epsilon);
        const analytic = direction.reduce((sum, d, i) => sum + d * gradients[name].data[i], 0);
        const size = direction.reduce((sum, d, i) => sum + Math.abs(d * gradients[name].data[i]), 0);
        expect(size, `${test.title}: gradient of ${name} is not zero`).to.be.greaterThan(0);
        const error = Math.abs(numeric - analytic) / Math.max(Math.abs(numeric), 0.1 * size);
        expect(error, `${test.title}: ${name}, ${analytic} against ${numeric}`).to.be.lessThan(
          test.tolerance ?? 2e-2,
        );
      }
      await trainer.restore(state);
    }
  } finally {
    await trainer.dispose();
  }
}
