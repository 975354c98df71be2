/** Batch normalisation folded into the layer before it. */
import {
  consumersOf,
  float32,
  floatAttribute,
  intAttribute,
  producersOf,
  sizeOf,
  type Network,
  type Node,
  type Parameter,
} from "./network.ts";
import { dropDead, freshNames } from "./edit.ts";

/**
 * Folds every inference BatchNormalization that directly follows a Conv, ConvTranspose or Gemm into its weights and
 * bias: W' = k W, b' = k (b - mean) + shift, k = scale / sqrt(variance + epsilon). Where the layer's result is used
 * elsewhere too, or weights are not parameters, the node stays. The layer takes over the name of the normalised value.
 */
export function foldBatchNorm(network: Network): Network {
  const producers = producersOf(network);
  const consumers = consumersOf(network);
  const outputs = new Set(network.outputs.map(({ name }) => name));
  const parameters = new Map(network.parameters);
  const fresh = freshNames(network);
  const replaced = new Map<Node, Node>();
  const folded = new Set<Node>();
  for (const norm of network.nodes) {
    const from = norm.inputs[0] ?? "";
    const layer = producers.get(from);
    const alone = consumers.get(from)?.length === 1 && !outputs.has(from);
    if (norm.op !== "BatchNormalization" || norm.domain !== "" || layer === undefined || !alone) continue;
    const parts = foldedWeights(network, layer, norm);
    if (parts === undefined) continue;
    const [x = "", weights = "", bias = ""] = layer.inputs;
    const isOwn = (name: string): boolean => consumers.get(name)?.length === 1;
    const put = (old: string, label: string, parameter: Parameter): string => {
      const name = old === "" || !isOwn(old) ? fresh(label) : old;
      parameters.set(name, parameter);
      return name;
    };
    const inputs = [
      x,
      put(weights, `${layer.name}.weight`, parts.weights),
      put(bias, `${layer.name}.bias`, parts.bias),
    ];
    replaced.set(layer, { ...layer, inputs, outputs: norm.outputs.slice(0, 1) });
    folded.add(norm);
  }
  const nodes = network.nodes.filter((node) => !folded.has(node)).map((node) => replaced.get(node) ?? node);
  return dropDead({ ...network, nodes, parameters });
}

/** Scale and shift of each channel: y = k x + shift. Undefined where a pass computes them, or they are no parameters. */
export function affineOf(network: Network, norm: Node): { k: Float64Array; shift: Float64Array } | undefined {
  if (intAttribute(norm, "training_mode", 0) !== 0 || norm.outputs.slice(1).some((name) => name !== ""))
    return undefined;
  const [scale, bias, mean, variance] = norm.inputs.slice(1, 5).map((name) => floats(network, name));
  if (!scale || !bias || !mean || !variance) return undefined;
  const epsilon = floatAttribute(norm, "epsilon", 1e-5);
  const k = Float64Array.from(scale, (s, i) => s / Math.sqrt((variance[i] ?? 0) + epsilon));
  return { k, shift: k.map((factor, i) => (bias[i] ?? 0) - factor * (mean[i] ?? 0)) };
}

function floats(network: Network, name: string): Float32Array | undefined {
  const data = network.parameters.get(name)?.data;
  return data instanceof Float32Array ? data : undefined;
}

function foldedWeights(
  network: Network,
  layer: Node,
  norm: Node,
): { weights: Parameter; bias: Parameter } | undefined {
  const map = affineOf(network, norm);
  const weights = network.parameters.get(layer.inputs[1] ?? "");
  if (map === undefined || !(weights?.data instanceof Float32Array) || layer.domain !== "") return undefined;
  const { k, shift } = map;
  const channels = k.length;
  const channelOf = outputChannel(layer, weights.shape);
  const old =
    (layer.inputs[2] ?? "") === "" ? new Float32Array(channels) : floats(network, layer.inputs[2] ?? "");
  if (channelOf === undefined || old?.length !== channels) return undefined;
  return {
    weights: float32(
      weights.shape,
      weights.data.map((w, i) => w * (k[channelOf(i)] ?? 1)),
    ),
    bias: float32(
      [channels],
      old.map((b, i) => b * (k[i] ?? 1) + (shift[i] ?? 0)),
    ),
  };
}

/** Which output channel the weight at a flat position belongs to. */
function outputChannel(layer: Node, shape: readonly number[]): ((flat: number) => number) | undefined {
  const inner = sizeOf(shape.slice(1));
  switch (layer.op) {
    case "Conv":
      return (flat) => Math.floor(flat / inner);
    case "ConvTranspose": {
      const [channels = 1, perGroup = 1] = shape;
      const kernel = sizeOf(shape.slice(2));
      const group = intAttribute(layer, "group", 1);
      return (flat) => {
        const row = Math.floor(flat / inner);
        const column = Math.floor(flat / kernel) % perGroup;
        return Math.floor((row * group) / channels) * perGroup + column;
      };
    }
    case "Gemm": {
      const plain = floatAttribute(layer, "alpha", 1) === 1 && floatAttribute(layer, "beta", 1) === 1;
      if (!plain) return undefined;
      return intAttribute(layer, "transB", 0) === 1
        ? (flat) => Math.floor(flat / inner)
        : (flat) => flat % inner;
    }
    default:
      return undefined;
  }
}
