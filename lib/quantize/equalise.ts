/**
 * Cross-layer equalisation (Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019): where
 * f(s x) = s f(x), a channel can be divided by s behind one layer and multiplied by s in the next, and nothing changes. The
 * channels of a map share one scale, weights have one for each output: so s makes the map's channels alike, as far as the next
 * layer's weights allow.
 */
import type { Engine, Tensors } from "../engine/engine.ts";
import { runStream } from "../engine/stream.ts";
import {
  consumersOf,
  intAttribute,
  producersOf,
  sizeOf,
  type Network,
  type Node,
} from "../network/network.ts";
import { factsOf } from "../network/operators/facts.ts";
import { freshMark, nodeOf } from "../network/edit.ts";
import { observing } from "./observe.ts";

/** Two convolutions with nothing but homogeneous operators between them. */
interface Pair {
  readonly first: Node;
  readonly second: Node;
  /** What the second reads, [n, c, h, w]. */
  readonly value: string;
}

/** A channel is scaled by no more than this, nor by less than its inverse. */
const MOST = 1e3;

/** The same function with channels made alike; undefined where there is no pair of layers to do it in. */
export async function equalised(
  engine: Engine,
  network: Network,
  batches: AsyncIterable<Tensors> | Iterable<Tensors>,
): Promise<Network | undefined> {
  const pairs = pairsOf(network);
  if (pairs.length === 0) return undefined;
  const peaks = await peaksOf(engine, network, { values: pairs.map(({ value }) => value), batches });
  const parameters = new Map(network.parameters);
  const change = (name: string, factor: (i: number) => number): void => {
    const parameter = parameters.get(name);
    if (!(parameter?.data instanceof Float32Array)) return;
    parameters.set(name, { ...parameter, data: parameter.data.map((x, i) => x * factor(i)) });
  };
  for (const { first, second, value } of pairs) {
    const shape = network.parameters.get(second.inputs[1])?.shape ?? [];
    const share = weightShares(network, second);
    const scale = (peaks.get(value) ?? new Float64Array(0)).map((peak, c) => {
      const s = isDepthwise(network, second) ? peak : Math.sqrt(peak / share[c]);
      return Number.isFinite(s) && s > 0 ? Math.min(MOST, Math.max(1 / MOST, s)) : 1;
    });
    const [, weight, bias = ""] = first.inputs;
    const each = sizeOf(network.parameters.get(weight)?.shape.slice(1) ?? []);
    change(weight, (i) => 1 / scale[Math.floor(i / each)]);
    change(bias, (i) => 1 / scale[i]);
    const [, inner, ...kernel] = shape;
    const [places, perGroup] = [sizeOf(kernel), shape[0] / intAttribute(second, "group", 1)];
    change(second.inputs[1], (i) => {
      const output = Math.floor(i / (inner * places));
      return scale[Math.floor(output / perGroup) * inner + (Math.floor(i / places) % inner)];
    });
  }
  return { ...network, parameters };
}

function pairsOf(network: Network): Pair[] {
  const [producers, consumers] = [producersOf(network), consumersOf(network)];
  const outputs = new Set(network.outputs.map(({ name }) => name));
  const readers = (name: string): number => consumers.get(name)?.length ?? 0;
  const isConvolution = (node: Node): boolean => isOwnConvolution(network, node, readers);
  return network.nodes.filter(isConvolution).flatMap((second): Pair[] => {
    const [value] = second.inputs;
    for (let name = value; ;) {
      const maker = producers.get(name);
      if (maker === undefined || readers(name) !== 1 || outputs.has(name)) return [];
      if (isConvolution(maker)) return [{ first: maker, second, value }];
      if (!passesScale(network, maker) || maker.outputs.length !== 1) return [];
      [name] = maker.inputs;
    }
  });
}

/** f(s x) = s f(x) in every channel: operators without weights, and a PRelu whatever its slopes are. */
function passesScale({ parameters }: Network, { op, domain, inputs }: Node): boolean {
  const { homogeneous, channels, activation } = factsOf(op);
  if (homogeneous !== true || domain !== "") return false;
  if (channels === "operands")
    return activation === true && inputs.slice(1).every((name) => parameters.has(name));
  return channels === "each" || channels === "pool";
}

/** With weights of its own, in floats, along two axes of the picture. */
function isOwnConvolution(
  { parameters }: Network,
  { op, domain, inputs: [, weight, bias = ""] }: Node,
  readers: (name: string) => number,
): boolean {
  const own = (name: string): boolean => parameters.get(name)?.type === "float32" && readers(name) === 1;
  return (
    op === "Conv" &&
    domain === "" &&
    own(weight) &&
    parameters.get(weight)?.shape.length === 4 &&
    (bias === "" || own(bias))
  );
}

function isDepthwise({ parameters }: Network, node: Node): boolean {
  return intAttribute(node, "group", 1) > 1 && parameters.get(node.inputs[1])?.shape[1] === 1;
}

/** Of each input channel the largest weight, as a share of the largest of its output. */
function weightShares({ parameters }: Network, node: Node): Float64Array {
  const weight = parameters.get(node.inputs[1]);
  const [outputs = 0, inner = 0, ...kernel] = weight?.shape ?? [];
  const group = intAttribute(node, "group", 1);
  const places = sizeOf(kernel);
  const shares = new Float64Array(inner * group);
  const data = weight?.data as Float32Array;
  for (let o = 0; o < outputs; o++) {
    const own = data.subarray(o * inner * places, (o + 1) * inner * places);
    const peak = own.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    const start = Math.floor((o * group) / outputs) * inner;
    own.forEach((x, i) => {
      const c = start + Math.floor(i / places);
      shares[c] = Math.max(shares[c], Math.abs(x) / peak);
    });
  }
  return shares;
}

/** Largest magnitude in every channel of maps. */
async function peaksOf(
  engine: Engine,
  network: Network,
  {
    values,
    batches,
  }: { readonly values: readonly string[]; readonly batches: AsyncIterable<Tensors> | Iterable<Tensors> },
): Promise<Map<string, Float64Array>> {
  const mark = freshMark(network, "/peak");
  const names = values.map((value) => `${value}${mark}`);
  const watched = observing(
    network,
    values.map((value, i) => ({
      value,
      nodes: [
        nodeOf("Abs", [value], `${names[i]}.abs`),
        nodeOf("GlobalMaxPool", [`${names[i]}.abs`], names[i]),
      ],
      output: names[i],
    })),
  );
  const program = await engine.compile(watched.network, { outputs: watched.outputs });
  const peaks = new Map<string, Float64Array>();
  try {
    for await (const { outputs } of runStream(program, batches, (inputs) => inputs)) {
      for (const [i, value] of values.entries()) {
        const { data, shape } = outputs[names[i]];
        const own = peaks.get(value) ?? new Float64Array(shape[1]);
        peaks.set(value, own);
        data.forEach((x, at) => {
          own[at % own.length] = Math.max(own[at % own.length], x);
        });
      }
    }
  } finally {
    await program.dispose();
  }
  return peaks;
}
