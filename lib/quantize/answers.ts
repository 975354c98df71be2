/**
 * Layers that give the answers stay in floats, but read features that bytes have moved. They are fitted to what the float network
 * answers: without labels, by least squares on what is left, with a ridge that keeps the weights near those at hand.
 */
import type { Engine, Tensors } from "../engine/engine.ts";
import { runStream } from "../engine/stream.ts";
import { joinParts } from "../math/join.ts";
import { fitRidge } from "../math/ridge.ts";
import {
  consumersOf,
  float32,
  intAttribute,
  type Network,
  type Node,
  type Parameter,
} from "../network/network.ts";
import { inferShapes } from "../network/shapes/infer.ts";
import { hasPlainWeights, learns } from "./places.ts";

/** Rows of features, one for a picture, that answers are fitted to at most: the memory is their square. Fewer than the least say nothing. */
const [ROWS, FEWEST] = [512, 32];

type Batches = () => AsyncIterable<Tensors> | Iterable<Tensors>;

/** Fits the layers of a network in bytes, where that brings it nearer to the float network on pictures that are left out. */
export type Fit = (
  bytes: Network,
) => Promise<{ readonly network: Network; readonly fitted: readonly string[] }>;

/**
 * @param network in floats; the networks in bytes have layers and values of its names
 * @param batches pictures, from the start each time, in one order
 */
export function createFit(engine: Engine, network: Network, batches: Batches): Fit {
  const outputs = answering(network).map((node) => node.outputs[0]);
  let expected: Promise<ReadonlyMap<string, Rows>> | undefined;
  return async (bytes) => {
    const layers = answering(bytes).filter((node) => outputs.includes(node.outputs[0]));
    if (layers.length === 0) return { network: bytes, fitted: [] };
    expected ??= rowsOf(engine, network, { values: outputs, batches });
    const answers = await expected;
    const values = layers.map((node) => node.inputs[0]);
    const features = await rowsOf(engine, bytes, { values, batches });
    const [parameters, fitted] = [new Map(bytes.parameters), new Map<string, Node>()];
    for (const node of layers) {
      const [x, y] = [features.get(node.inputs[0]), answers.get(node.outputs[0])];
      const made = x && y && fittedLayer(bytes, node, { x, y });
      if (made === undefined) continue;
      const [from, weight, given = ""] = node.inputs;
      const bias = given === "" ? `${node.name}.fitted` : given;
      parameters.set(weight, made.weight).set(bias, made.bias);
      fitted.set(node.name, { ...node, inputs: [from, weight, bias] });
    }
    const nodes = bytes.nodes.map((node) => fitted.get(node.name) ?? node);
    return { network: { ...bytes, nodes, parameters }, fitted: [...fitted.keys()] };
  };
}

/** Products in floats with weights of their own, behind which nothing is learned. */
function answering(network: Network): Node[] {
  const consumers = consumersOf(network);
  const shapes = inferShapes(network, { batch: 1 });
  // What something learned is behind; readers stand behind what they read.
  const isInside = new Set<string>();
  for (const node of network.nodes.toReversed()) {
    if (learns(node) || node.outputs.some((value) => isInside.has(value)))
      for (const value of node.inputs) isInside.add(value);
  }
  return network.nodes.filter(
    (node) =>
      (node.op === "Gemm" || isProduct(node, network, shapes.get(node.inputs[0]))) &&
      hasPlainWeights(node, network) &&
      node.inputs.slice(1).every((name) => consumers.get(name)?.length === 1) &&
      !node.outputs.some((value) => isInside.has(value)),
  );
}

/** Whether a node is a convolution of one place: a product over channels. */
function isProduct(node: Node, { parameters }: Network, input: readonly number[] = []): boolean {
  const weight = parameters.get(node.inputs[1])?.shape ?? [];
  const isOne = ([, , ...sides]: readonly number[]): boolean =>
    sides.length === 2 && sides.every((side) => side === 1);
  return node.op === "Conv" && intAttribute(node, "group", 1) === 1 && isOne(weight) && isOne(input);
}

/** A value's first rows, [rows, width], or [rows, width, 1, 1]. */
interface Rows {
  readonly data: Float32Array;
  readonly rows: number;
}

async function rowsOf(
  engine: Engine,
  network: Network,
  { values, batches }: { readonly values: readonly string[]; readonly batches: Batches },
): Promise<ReadonlyMap<string, Rows>> {
  const program = await engine.compile(network, { outputs: [...new Set(values)] });
  const parts = new Map(values.map((value) => [value, [] as Float32Array[]]));
  const counts = new Map(values.map((value) => [value, 0]));
  try {
    for await (const { outputs } of runStream(program, batches(), (inputs) => inputs)) {
      for (const [value, own] of parts) {
        const { data, shape } = outputs[value];
        const taken = Math.min(shape[0], ROWS - (counts.get(value) ?? 0));
        if (taken > 0) own.push(data.slice(0, (data.length / shape[0]) * taken));
        counts.set(value, (counts.get(value) ?? 0) + taken);
      }
      if ([...counts.values()].every((count) => count >= ROWS)) break;
    }
  } finally {
    await program.dispose();
  }
  return new Map(
    Array.from(parts, ([value, own]) => [value, { data: joinParts(own), rows: counts.get(value) ?? 0 }]),
  );
}

/** @returns undefined where the weights at hand are as near */
function fittedLayer(
  { parameters }: Network,
  { inputs }: Node,
  { x, y }: { readonly x: Rows; readonly y: Rows },
): { readonly weight: Parameter; readonly bias: Parameter } | undefined {
  const weight = parameters.get(inputs[1]);
  if (x.rows < FEWEST || x.rows !== y.rows || !(weight?.data instanceof Float32Array)) return undefined;
  const { data, shape } = weight;
  const [outputs, width] = shape;
  if (x.data.length !== x.rows * width || y.data.length !== y.rows * outputs) return undefined;
  const bias = parameters.get(inputs[2] ?? "")?.data ?? new Float32Array(outputs);
  if (!(bias instanceof Float32Array)) return undefined;
  // what is left between the answers in floats and those of the weights at hand
  const left = new Float64Array(x.rows * outputs);
  for (let i = 0; i < x.rows; i++)
    for (let o = 0; o < outputs; o++) {
      let sum = bias[o];
      for (let j = 0; j < width; j++) sum += x.data[i * width + j] * data[o * width + j];
      left[i * outputs + o] = y.data[i * outputs + o] - sum;
    }
  const now = Math.sqrt(left.reduce((sum, value) => sum + value * value, 0) / left.length);
  if (!Number.isFinite(now)) return undefined;
  const fit = fitRidge(x.data, left, x.rows);
  if (fit.heldOut >= now) return undefined;
  return {
    weight: float32(
      shape,
      Float32Array.from(data, (w, at) => w + fit.beta[(at % width) * outputs + Math.floor(at / width)]),
    ),
    bias: float32(
      [outputs],
      Float32Array.from(bias, (b, o) => b + fit.intercept[o]),
    ),
  };
}
