/** What the rules that turn operators into tfjs layers share. */
import { EtlError } from "../../core/errors.ts";
import { freeName } from "../../network/edit.ts";
import { type Network, type Node, type Parameter } from "../../network/network.ts";
import { permute } from "../permute.ts";

/** A layer of the model.json under construction. */
interface EmittedLayer {
  readonly class_name: string;
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly inbound_nodes: readonly unknown[];
}

/** A weight of the model: `layer/kernel`. */
interface EmittedWeight {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Where a parameter went: the weight is the parameter seen as `view` with its axes in another order. */
export interface LayerOrigin {
  readonly weight: string;
  readonly view: readonly number[];
  readonly order: readonly number[];
}

/** How a value of the network is held in the model. */
export interface Held {
  /** Name of the layer that makes it. */
  readonly layer: string;
  /** `plain`: an image with the channels last, or a vector; `pooled`: [n, c, 1, 1] held as [n, c]. */
  readonly form: "plain" | "pooled";
  /** [channels, height, width] of an image flattened with the channels last, where the network has them first. */
  readonly turned?: readonly [number, number, number];
}

/** A weight as a rule gives it. */
export interface WeightSource {
  readonly shape: readonly number[];
  readonly data: Float32Array;
  /** The parameter that the weight is a rearrangement of, where it is one. */
  readonly from?: {
    readonly parameter: string;
    readonly view: readonly number[];
    readonly order: readonly number[];
  };
}

export interface EmitOptions {
  readonly config?: Readonly<Record<string, unknown>>;
  readonly weights?: Readonly<Record<string, WeightSource>>;
  /** Added to the node's name, where a node becomes several layers. */
  readonly suffix?: string;
}

export interface Emitter {
  readonly network: Network;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly layers: EmittedLayer[];
  readonly weights: EmittedWeight[];
  readonly origins: Map<string, LayerOrigin>;
  readonly held: Map<string, Held>;
  /** Names of layers in use. */
  readonly taken: Set<string>;
  /** Values made an image on demand: layer of the vector -> layer of the image. */
  readonly images: Map<string, string>;
  /** Nodes that an earlier one took in. */
  readonly fused: Set<string>;
}

export function createEmitter(network: Network, shapes: ReadonlyMap<string, readonly number[]>): Emitter {
  return {
    network,
    shapes,
    layers: [],
    weights: [],
    origins: new Map(),
    held: new Map(),
    taken: new Set(),
    images: new Map(),
    fused: new Set(),
  };
}

/** One node at work. */
export interface WriteOp {
  readonly emitter: Emitter;
  readonly node: Node;
}

export function refuse({ emitter, node }: WriteOp, found: string, needed: string): EtlError {
  return new EtlError(
    "unsupported",
    `${emitter.network.name}: node "${node.name}" (${node.op}): ${found}, ${needed} was needed for tfjs`,
    { hint: "write ONNX instead: --format onnx" },
  );
}

/** Adds a layer behind others; returns its name. */
export function emit(
  op: WriteOp,
  kind: string,
  inputs: readonly string[],
  options: EmitOptions = {},
): string {
  const { config = {}, weights = {}, suffix = "" } = options;
  return addLayer(op.emitter, kind, inputs, { config, weights, label: op.node.name + suffix });
}

export function addLayer(
  emitter: Emitter,
  kind: string,
  inputs: readonly string[],
  options: { label: string; config: EmitOptions["config"]; weights: Readonly<Record<string, WeightSource>> },
): string {
  const clean = options.label.replace(/[^A-Za-z0-9_.-]/g, "_").replace(/^[^A-Za-z0-9]+/, "") || "layer";
  const name = freeName(clean, emitter.taken);
  emitter.taken.add(name);
  const inbound = inputs.length === 0 ? [] : [inputs.map((input) => [input, 0, 0, {}])];
  const config = { name, trainable: true, dtype: "float32", ...options.config };
  emitter.layers.push({ class_name: kind, name, config, inbound_nodes: inbound });
  for (const [label, source] of Object.entries(options.weights)) {
    const weight = `${name}/${label}`;
    emitter.weights.push({ name: weight, shape: source.shape, data: source.data });
    if (source.from === undefined || emitter.origins.has(source.from.parameter)) continue;
    const { parameter, view, order } = source.from;
    emitter.origins.set(parameter, { weight, view, order });
  }
  return name;
}

/** A parameter rearranged into a weight. @param shape of the weight */
export function rearranged(
  op: WriteOp,
  parameter: string,
  to: { view: readonly number[]; order: readonly number[]; shape: readonly number[] },
): WeightSource {
  const data = floatsOf(op, parameter);
  return {
    shape: to.shape,
    data: permute(data, to.view, to.order),
    from: { parameter, view: to.view, order: to.order },
  };
}

/** A parameter as it is, as a vector. */
export function vector(op: WriteOp, parameter: string): WeightSource {
  const { length } = floatsOf(op, parameter);
  return rearranged(op, parameter, { view: [length], order: [0], shape: [length] });
}

export function filledSource(length: number, value: number): WeightSource {
  return { shape: [length], data: new Float32Array(length).fill(value) };
}

export function floatsOf(op: WriteOp, parameter: string): Float32Array {
  const found = op.emitter.network.parameters.get(parameter);
  if (found?.data instanceof Float32Array) return found.data;
  throw refuse(op, `"${parameter}" is not a float32 parameter`, "one");
}

export function parameterOf(op: WriteOp, index: number): Parameter | undefined {
  const name = op.node.inputs[index] ?? "";
  return name === "" ? undefined : op.emitter.network.parameters.get(name);
}

export function shapeInOp(op: WriteOp, name: string): readonly number[] {
  return op.emitter.shapes.get(name) ?? [];
}

/** The value at an input, however it is held. */
export function heldOf(op: WriteOp, index: number): Held {
  const held = op.emitter.held.get(op.node.inputs[index] ?? "");
  if (held !== undefined) return held;
  throw refuse(op, `input ${index} is a constant or missing`, "a value");
}

/** Name of the layer that makes an input, as an image where the network has one. */
export function layerOf(op: WriteOp, index: number): string {
  return asImage(op.emitter, heldOf(op, index));
}

/** The layer that makes a value in its own rank: a pooled vector gets its height and width back. */
export function asImage(emitter: Emitter, held: Held): string {
  if (held.form === "plain") return held.layer;
  const known = emitter.images.get(held.layer);
  if (known !== undefined) return known;
  const maker = [...emitter.held].find(([, each]) => each.layer === held.layer);
  const channels = emitter.shapes.get(maker?.[0] ?? "")?.[1] ?? 0;
  const image = addLayer(emitter, "Reshape", [held.layer], {
    label: `${held.layer}_image`,
    config: { target_shape: [1, 1, channels] },
    weights: {},
  });
  emitter.images.set(held.layer, image);
  return image;
}

export const plain = (layer: string): Held => ({ layer, form: "plain" });

/** y = scale x + shift for each channel, as a batch norm with mean 0, variance 1 and epsilon 0. */
export function affine(
  op: WriteOp,
  input: string,
  parts: { channels: number; scale?: WeightSource; shift?: WeightSource; suffix?: string },
): string {
  const { channels, scale, shift, suffix = "" } = parts;
  return emit(op, "BatchNormalization", [input], {
    suffix,
    config: { axis: -1, epsilon: 0, scale: scale !== undefined, center: shift !== undefined },
    weights: {
      ...(scale === undefined ? {} : { gamma: scale }),
      ...(shift === undefined ? {} : { beta: shift }),
      moving_mean: filledSource(channels, 0),
      moving_variance: filledSource(channels, 1),
    },
  });
}

/** Output channel i is input channel `sources[i]`, or zero where that is undefined: a fixed 1x1 convolution. */
export function pickChannels(
  op: WriteOp,
  input: string,
  pick: { channels: number; sources: readonly (number | undefined)[]; suffix?: string },
): string {
  const { channels, sources, suffix = "" } = pick;
  const data = new Float32Array(channels * sources.length);
  sources.forEach((source, i) => {
    if (source !== undefined) data[source * sources.length + i] = 1;
  });
  return emit(op, "Conv2D", [input], {
    suffix,
    config: {
      filters: sources.length,
      kernel_size: [1, 1],
      padding: "valid",
      use_bias: false,
      trainable: false,
    },
    weights: { kernel: { shape: [1, 1, channels, sources.length], data } },
  });
}

/** Adds zero rows and columns, or takes some away where numbers are negative. */
export function frameImage(op: WriteOp, input: string, pads: readonly number[], suffix = ""): string {
  const [top, left, bottom, right] = pads;
  let layer = input;
  if (pads.some((pad) => pad > 0)) {
    const more = pads.map((pad) => Math.max(0, pad));
    const padding = [
      [more[0], more[2]],
      [more[1], more[3]],
    ];
    layer = emit(op, "ZeroPadding2D", [layer], { config: { padding }, suffix });
  }
  if (pads.some((pad) => pad < 0)) {
    const cropping = [
      [Math.max(0, -top), Math.max(0, -bottom)],
      [Math.max(0, -left), Math.max(0, -right)],
    ];
    layer = emit(op, "Cropping2D", [layer], { config: { cropping }, suffix: `${suffix}_crop` });
  }
  return layer;
}
