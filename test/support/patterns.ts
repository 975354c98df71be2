/** Small networks, one for each way in which channels are tied. */
import { createRandom } from "../../lib/core/random.ts";
import {
  createBuilder,
  float,
  int,
  ints,
  type Builder,
  type ConvOptions,
} from "../../lib/network/builder.ts";
import { float32, int64, sizeOf, type Network, type Tensor } from "../../lib/network/network.ts";

export interface Pattern {
  readonly title: string;
  readonly network: Network;
  /** Layers whose outputs cannot be removed, beside those that end in an output: name -> what the reason says. */
  readonly frozen: Readonly<Record<string, RegExp>>;
}

/** A builder that draws its own weights. */
export interface Sketch extends Builder {
  random(shape: readonly number[]): Tensor;
  /** Convolution with a bias, 3x3 keeps the size; the name decides the weights. */
  layer(x: string, name: string, channels: readonly [number, number], options?: Partial<ConvOptions>): string;
  dense(x: string, name: string, channels: readonly [number, number]): string;
  norm(x: string, channels: number): string;
  vector(label: string, shape: readonly number[]): string;
}

export function sketch(title: string): Sketch {
  const builder = createBuilder(title);
  const stream = createRandom(title);
  const random = (shape: readonly number[]): Tensor => ({
    shape,
    data: Float32Array.from({ length: sizeOf(shape) }, () => stream.normal()),
  });
  const scaled = (shape: readonly number[], fan: number): Tensor => {
    const { data } = random(shape);
    return { shape, data: data.map((value) => value / Math.sqrt(fan)) };
  };
  return {
    ...builder,
    random,
    layer: (x, name, [inputs, outputs], options = {}) => {
      const kernel = options.weights?.shape.slice(2) ?? [3, 3];
      const perGroup = inputs / (options.group ?? 1);
      const weights = scaled([outputs, perGroup, ...kernel], perGroup * sizeOf(kernel));
      return builder.conv(x, { pads: 1, bias: random([outputs]).data, weights, ...options, name });
    },
    dense: (x, name, [inputs, outputs]) =>
      builder.gemm(x, { name, weights: scaled([outputs, inputs], inputs), bias: random([outputs]).data }),
    norm: (x, channels) =>
      builder.batchNorm(x, {
        scale: random([channels]).data,
        bias: random([channels]).data,
        mean: random([channels]).data,
        variance: random([channels]).data.map((value) => 0.5 + value * value),
      }),
    vector: (label, shape) => {
      const { data } = random(shape);
      return builder.parameter(label, float32(shape, data));
    },
  };
}

const point = { pads: 0, weights: { shape: [0, 0, 1, 1], data: new Float32Array(0) } };

/** 1x1 convolution. */
export function pointwise(
  s: Sketch,
  x: string,
  name: string,
  [inputs, outputs]: readonly [number, number],
): string {
  const { data } = s.random([outputs, inputs, 1, 1]);
  const weights = { shape: [outputs, inputs, 1, 1], data: data.map((value) => value / Math.sqrt(inputs)) };
  return s.layer(x, name, [inputs, outputs], { ...point, weights });
}

type Draw = (s: Sketch, x: string) => string | readonly string[];

function pattern(
  title: string,
  draw: Draw,
  frozen: Record<string, RegExp> = {},
  batch: number | string = "batch",
): Pattern {
  const s = sketch(title);
  const made = draw(s, s.input("input", [batch, 3, 8, 8]));
  return { title, network: s.build(typeof made === "string" ? [made] : made), frozen };
}

/** Reshape, Transpose, Reshape. */
export function shuffle(
  s: Sketch,
  x: string,
  [groups, channels]: readonly [number, number],
  size = 8,
): string {
  const apart = s.reshape(x, [0, groups, channels / groups, size, size]);
  return s.reshape(s.transpose(apart, [0, 2, 1, 3, 4]), [0, channels, size, size]);
}

export const patterns: readonly Pattern[] = [
  pattern("a chain", (s, x) => s.layer(s.relu(s.layer(x, "a", [3, 8])), "b", [8, 4])),
  pattern("a residual sum with a projection", (s, x) => {
    const a = s.relu(s.norm(s.layer(x, "a", [3, 8]), 8));
    const b = s.norm(s.layer(s.relu(s.layer(a, "b1", [8, 6])), "b2", [6, 8]), 8);
    const sum = s.relu(s.add(a, b));
    const down = s.layer(sum, "down", [8, 12], { strides: 2 });
    const c = s.layer(sum, "c", [8, 12], { strides: 2 });
    return s.layer(s.relu(s.add(c, down)), "head", [12, 4]);
  }),
  pattern("a zero-padded shortcut behind a pool", (s, x) => {
    const a = s.relu(s.layer(x, "a", [3, 6]));
    const main = s.layer(s.relu(s.layer(a, "b1", [6, 10], { strides: 2 })), "b2", [10, 10]);
    const short = s.pad(s.averagePool(a, { kernel: 2, strides: 2 }), [0, 0, 0, 0, 0, 4, 0, 0]);
    return s.layer(s.relu(s.add(main, short)), "head", [10, 4]);
  }),
  pattern("zeros before and behind the channels", (s, x) => {
    const a = s.relu(s.layer(x, "a", [3, 6]));
    const b = s.pad(a, [0, 2, 0, 0, 0, 2, 0, 0]);
    return s.layer(s.add(b, s.layer(a, "b", [6, 10])), "head", [10, 4]);
  }),
  pattern("a dense block, normalisation first", (s, x) => {
    let features = s.layer(x, "stem", [3, 6]);
    for (let i = 0; i < 3; i++) {
      const width = 6 + 4 * i;
      const inner = pointwise(s, s.relu(s.norm(features, width)), `squeeze${i}`, [width, 8]);
      features = s.concat([features, s.layer(s.relu(inner), `grow${i}`, [8, 4])]);
    }
    return s.layer(s.relu(s.norm(features, 18)), "head", [18, 4]);
  }),
  pattern("inception branches", (s, x) => {
    const stem = s.relu(s.layer(x, "stem", [3, 8]));
    const branches = [
      pointwise(s, stem, "p", [8, 4]),
      s.layer(s.relu(pointwise(s, stem, "q1", [8, 6])), "q2", [6, 8]),
      pointwise(s, s.maxPool(stem, { kernel: 3, pads: 1 }), "r", [8, 5]),
    ];
    return s.layer(s.relu(s.concat(branches)), "head", [17, 4]);
  }),
  pattern("split, one half transformed, concatenated", (s, x) => {
    const [keep, change] = s.split(s.relu(s.layer(x, "stem", [3, 10])), [4, 6]);
    return s.layer(s.concat([keep, s.relu(s.layer(change, "b", [6, 6]))]), "head", [10, 4]);
  }),
  pattern("split along the height", (s, x) => {
    const [top, bottom] = s.split(s.relu(s.layer(x, "stem", [3, 10])), [4, 4], { axis: 2 });
    return s.layer(s.add(top, s.layer(bottom, "b", [10, 10])), "head", [10, 4]);
  }),
  pattern("concatenation along the height", (s, x) => {
    const a = s.relu(s.layer(x, "a", [3, 8]));
    return s.layer(s.concat([a, s.layer(a, "b", [8, 8])], { axis: 2 }), "head", [8, 4]);
  }),
  pattern("a slice of the channels", (s, x) => {
    const a = s.relu(s.layer(x, "a", [3, 10]));
    return s.layer(
      s.add(s.slice(a, { axis: 1, start: 2, end: 8 }), s.layer(a, "b", [10, 6])),
      "head",
      [6, 4],
    );
  }),
  pattern("a slice that takes nothing", (s, x) => {
    const a = s.relu(s.layer(x, "a", [3, 8]));
    return s.layer(s.concat([s.slice(a, { axis: 1, start: 0, end: 0 }), a]), "head", [8, 4]);
  }),
  pattern("every second channel, and the channels backwards", (s, x) => {
    const a = s.relu(s.layer(x, "a", [3, 10]));
    const even = s.slice(a, { axis: 1, start: 0, end: 10, step: 2 });
    const backwards = s.slice(a, { axis: 1, start: -1, end: -11, step: -1 });
    return s.layer(s.concat([s.layer(even, "b", [5, 7]), backwards]), "head", [17, 4]);
  }),
  pattern("a slice of channels and rows", (s, x) => {
    const a = s.relu(s.layer(x, "a", [3, 10]));
    const starts = s.parameter("starts", int64([1, 0]));
    const ends = s.parameter("ends", int64([7, 9]));
    const axes = s.parameter("axes", int64([2, 1]));
    const steps = s.parameter("steps", int64([2, 3]));
    return s.layer(s.node("Slice", [a, starts, ends, axes, steps]), "head", [3, 4]);
  }),
  pattern("channels picked by index", (s, x) => {
    const a = s.relu(s.layer(x, "a", [3, 8]));
    const indices = s.parameter("indices", int64([7, 0, 3, -2, 3]));
    const picked = s.node("Gather", [a, indices], { attributes: { axis: int(1) } });
    return s.layer(picked, "head", [5, 4]);
  }),
  pattern("a channel shuffle", (s, x) => {
    const a = s.relu(s.layer(x, "a", [3, 12]));
    const b = s.layer(shuffle(s, a, [3, 12]), "b", [12, 12], { group: 12 });
    return s.layer(s.relu(b), "head", [12, 4]);
  }),
  pattern("a shuffle unit: split, branch, concatenate, shuffle, twice", (s, x) => {
    let value = s.relu(s.layer(x, "stem", [3, 12]));
    for (let i = 0; i < 2; i++) {
      const [keep, change] = s.split(value, [6, 6]);
      const narrow = s.relu(pointwise(s, change, `in${i}`, [6, 6]));
      const deep = s.layer(narrow, `deep${i}`, [6, 6], { group: 6 });
      value = shuffle(s, s.concat([keep, s.relu(pointwise(s, deep, `out${i}`, [6, 6]))]), [2, 12]);
    }
    return s.layer(value, "head", [12, 4]);
  }),
  pattern("channels read while they are spread over two axes", (s, x) => {
    const a = s.relu(s.layer(x, "a", [3, 12]));
    const apart = s.reshape(a, [0, 3, 4, 8, 8]);
    const scaled = s.mul(apart, s.vector("scale", [3, 1, 1, 1]));
    return s.layer(s.reshape(scaled, [0, 12, 8, 8]), "head", [12, 4]);
  }),
  pattern("depthwise, with one and with two outputs per input", (s, x) => {
    const a = s.relu(s.layer(x, "a", [3, 6]));
    const b = s.relu(s.norm(s.layer(a, "once", [6, 6], { group: 6 }), 6));
    const c = s.relu(s.layer(b, "twice", [6, 12], { group: 6 }));
    return pointwise(s, c, "head", [12, 4]);
  }),
  pattern("groups", (s, x) => {
    const a = s.relu(pointwise(s, x, "a", [3, 12]));
    const b = s.relu(s.layer(a, "b", [12, 18], { group: 3 }));
    return pointwise(s, s.add(b, s.layer(x, "c", [3, 18])), "head", [18, 4]);
  }),
  pattern("transposed convolutions: plain, groups, depthwise", (s, x) => {
    const up = { strides: 2, pads: 0 } as const;
    const a = s.relu(s.layer(x, "a", [3, 8]));
    const weights = (shape: readonly number[]) => ({ weights: s.random(shape), bias: s.random([8]).data });
    const plain = s.convTranspose(a, { name: "plain", ...up, ...weights([8, 8, 2, 2]) });
    const groups = s.convTranspose(s.relu(plain), {
      name: "groups",
      group: 2,
      ...up,
      ...weights([8, 4, 2, 2]),
    });
    const deep = s.convTranspose(s.relu(groups), { name: "deep", group: 8, ...up, ...weights([8, 1, 2, 2]) });
    return s.layer(deep, "head", [8, 4]);
  }),
  pattern("squeeze and excitation by convolutions, swish", (s, x) => {
    const a = s.swish(s.layer(x, "a", [3, 8]));
    const squeezed = s.swish(pointwise(s, s.globalAveragePool(a), "fc1", [8, 4]));
    const gate = s.sigmoid(pointwise(s, squeezed, "fc2", [4, 8]));
    return s.layer(s.mul(gate, a), "head", [8, 4]);
  }),
  pattern("squeeze and excitation by linear layers", (s, x) => {
    const a = s.relu(s.layer(x, "a", [3, 8]));
    const squeezed = s.relu(s.dense(s.flatten(s.globalAveragePool(a)), "fc1", [8, 4]));
    const gate = s.reshape(s.sigmoid(s.dense(squeezed, "fc2", [4, 8])), [-1, 8, 1, 1]);
    return s.layer(s.mul(a, gate), "head", [8, 4]);
  }),
  pattern("a gate that is spread over the map first", (s, x) => {
    const a = s.relu(s.layer(x, "a", [3, 8]));
    const gate = s.sigmoid(pointwise(s, s.globalAveragePool(a), "fc", [8, 8]));
    const wide = s.node("Expand", [gate, s.parameter("wide", int64([1, 8, 8, 8]))]);
    return s.layer(s.mul(a, wide), "head", [8, 4]);
  }),
  pattern(
    "a spatial gate with one channel",
    (s, x) => {
      const a = s.relu(s.layer(x, "a", [3, 8]));
      return s.layer(s.mul(a, s.sigmoid(s.layer(a, "gate", [8, 1]))), "head", [8, 4]);
    },
    { gate: /spreads the only channel/ },
  ),
  pattern("normalisations and slopes by channel", (s, x) => {
    const a = s.pRelu(s.norm(s.layer(x, "a", [3, 8]), 8), s.random([8]).data);
    const parameters = [s.vector("is", [8]), s.vector("ib", [8])];
    const b = s.node("InstanceNormalization", [s.layer(a, "b", [8, 8]), ...parameters]);
    const c = s.pRelu(s.clip(b, { min: 0, max: 6 }), s.random([1]).data);
    return s.layer(c, "head", [8, 4]);
  }),
  pattern("Flatten into a linear layer", (s, x) => {
    const a = s.maxPool(s.relu(s.layer(x, "a", [3, 6])), { kernel: 2, strides: 2 });
    return s.dense(s.relu(s.dense(s.flatten(a), "fc1", [96, 10])), "head", [10, 4]);
  }),
  pattern("Reshape with the width written out, and with the batch open", (s, x) => {
    const a = s.averagePool(s.relu(s.layer(x, "a", [3, 6])), { kernel: 2, strides: 2 });
    const b = s.dense(s.reshape(a, [-1, 96]), "fc1", [96, 10]);
    const c = s.dense(s.reshape(a, [0, -1]), "fc2", [96, 10]);
    return s.dense(s.add(b, c), "head", [10, 4]);
  }),
  pattern("Flatten of channels-last", (s, x) => {
    const a = s.maxPool(s.relu(s.layer(x, "a", [3, 6])), { kernel: 2, strides: 2 });
    return s.dense(s.reshape(s.transpose(a, [0, 2, 3, 1]), [-1, 96]), "head", [96, 4]);
  }),
  pattern("Flatten and back to a map", (s, x) => {
    const a = s.relu(s.layer(x, "a", [3, 6]));
    return s.layer(s.reshape(s.reshape(a, [0, -1]), [0, 6, 8, 8]), "head", [6, 4]);
  }),
  pattern("a linear layer read as a map", (s, x) => {
    const a = s.dense(s.flatten(s.layer(x, "a", [3, 2], { strides: 2 })), "fc", [32, 48]);
    return s.layer(s.reshape(a, [0, 3, 4, 4]), "head", [3, 4]);
  }),
  pattern("means over height and width", (s, x) => {
    const a = s.relu(s.layer(x, "a", [3, 8]));
    const b = s.reduceMean(a, [2, 3], { keep: false });
    const c = s.reduceMean(s.reduceMean(a, [-1]), [2]);
    const squeezed = s.node("Squeeze", [c, s.parameter("axes", int64([2, 3]))]);
    return s.dense(s.add(b, squeezed), "head", [8, 4]);
  }),
  pattern("Unsqueeze, Squeeze, Tile", (s, x) => {
    const a = s.dense(s.flatten(s.globalAveragePool(s.layer(x, "a", [3, 8]))), "fc", [8, 6]);
    const wide = s.node("Unsqueeze", [a, s.parameter("axes", int64([2, 3]))]);
    const map = s.node("Tile", [wide, s.parameter("repeats", int64([1, 1, 4, 4]))]);
    return s.layer(map, "head", [6, 4]);
  }),
  pattern("Resize by scales", (s, x) => {
    const a = s.relu(s.layer(x, "a", [3, 6]));
    const scales = s.parameter("scales", float32([4], Float32Array.of(1, 1, 2, 2)));
    const b = s.layer(s.node("Resize", [a, "", scales]), "b", [6, 6]);
    return s.layer(b, "head", [6, 4]);
  }),
  pattern("spatial padding and dropout", (s, x) => {
    const a = s.dropout(s.pad(s.relu(s.layer(x, "a", [3, 6])), [0, 0, 0, 0, 0, 0, 1, 1]), 0.3);
    return s.layer(a, "head", [6, 4]);
  }),
  pattern(
    "a ConvNeXt block: channels-last, layer normalisation, linear layers, layer scale",
    (s, x) => {
      const stem = s.layer(x, "stem", [3, 6]);
      const deep = s.layer(stem, "deep", [6, 6], { group: 6 });
      const last = s.transpose(deep, [0, 2, 3, 1]);
      const normal = s.node("LayerNormalization", [last, s.vector("ls", [6]), s.vector("lb", [6])], {
        attributes: { axis: int(-1), epsilon: float(1e-6) },
      });
      const up = s.add(s.matMul(normal, s.vector("w1", [6, 24]), { name: "up" }), s.vector("b1", [24]));
      const half = s.parameter("half", float32([], Float32Array.of(0.5)));
      const one = s.parameter("one", float32([], Float32Array.of(1)));
      const root = s.parameter("root", float32([], Float32Array.of(Math.SQRT2)));
      const gelu = s.mul(s.mul(up, s.add(s.node("Erf", [s.div(up, root)]), one)), half);
      const down = s.add(s.vector("b2", [6]), s.matMul(gelu, s.vector("w2", [24, 6]), { name: "down" }));
      const scaled = s.mul(s.transpose(down, [0, 3, 1, 2]), s.vector("layerScale", [6, 1, 1]));
      return s.layer(s.add(stem, scaled), "head", [6, 4]);
    },
    { stem: /LayerNorm/, deep: /LayerNorm/, down: /LayerNorm/ },
  ),
  pattern("weights on the left, and a sum in Gemm", (s, x) => {
    const a = s.flatten(s.globalAveragePool(s.relu(s.layer(x, "a", [3, 8]))));
    const left = s.matMul(s.vector("wl", [5, 8]), s.transpose(a, [1, 0]), { name: "left" });
    const b = s.node("Gemm", [s.vector("wm", [7, 5]), left], { name: "middle" });
    const c = s.node("Gemm", [b, s.vector("wr", [7, 6]), s.dense(a, "c", [8, 6])], {
      name: "right",
      attributes: { transA: int(1), alpha: float(0.5), beta: float(2) },
    });
    return s.dense(c, "head", [6, 4]);
  }),
  pattern(
    "local response normalisation and softmax over the channels",
    (s, x) => {
      const a = s.lrn(s.relu(s.layer(x, "a", [3, 8])), { size: 3, alpha: 0.1, beta: 0.75, bias: 1 });
      return s.layer(s.softmax(s.layer(a, "b", [8, 8]), { axis: 1 }), "head", [8, 4]);
    },
    { a: /LRN .*normalises over the channels/, b: /Softmax .*normalises over the channels/ },
  ),
  pattern("several heads", (s, x) => {
    const a = s.flatten(s.globalAveragePool(s.relu(s.layer(x, "a", [3, 8]))));
    return [s.dense(a, "gender", [8, 1]), s.dense(s.relu(s.dense(a, "neck", [8, 6])), "age", [6, 3])];
  }),
  pattern("a weight that two layers share", (s, x) => {
    const a = s.relu(s.layer(x, "a", [3, 6]));
    const weight = s.vector("shared", [6, 6, 3, 3]);
    const attributes = { pads: ints([1, 1, 1, 1]), kernel_shape: ints([3, 3]) };
    const b = s.node("Conv", [a, weight], { name: "b", attributes });
    const c = s.node("Conv", [s.relu(b), weight], { name: "c", attributes });
    return s.layer(c, "head", [6, 4]);
  }),
  pattern("one bias stored for two layers, read through Identity", (s, x) => {
    const bias = s.vector("bias", [6]);
    const attributes = { pads: ints([1, 1, 1, 1]) };
    const a = s.node("Conv", [x, s.vector("wa", [6, 3, 3, 3]), bias], { name: "a", attributes });
    const again = s.identity(bias);
    const b = s.node("Conv", [s.relu(a), s.vector("wb", [6, 6, 3, 3]), again], { name: "b", attributes });
    return s.layer(s.relu(b), "head", [6, 4]);
  }),
  pattern(
    "an operator whose channels are not followed",
    (s, x) => {
      const a = s.relu(s.layer(x, "a", [3, 8]));
      const axis = s.parameter("axis", int64([1]));
      const b = s.node("CumSum", [a, axis], { name: "sums" });
      return s.layer(b, "head", [8, 4]);
    },
    { a: /CumSum sums/ },
  ),
  pattern(
    "a product of two computed values",
    (s, x) => {
      const rows = s.reshape(s.layer(x, "a", [3, 6]), [0, 6, 64]);
      const product = s.matMul(rows, s.transpose(rows, [0, 2, 1]));
      return s.dense(s.flatten(product), "head", [36, 4]);
    },
    { a: /multiplies two computed values/ },
  ),
  pattern("Max, Min and Where over branches", (s, x) => {
    const a = s.layer(x, "a", [3, 6]);
    const b = s.layer(x, "b", [3, 6]);
    const best = s.node("Max", [a, b, s.layer(x, "c", [3, 6])]);
    const chosen = s.node("Where", [s.node("Greater", [a, b]), best, s.node("Min", [a, b])]);
    return s.layer(chosen, "head", [6, 4]);
  }),
  pattern(
    "sizes and shapes with the batch and the channels written out",
    (s, x) => {
      const a = s.relu(s.layer(x, "a", [3, 6]));
      const b = s.node("Resize", [a, "", "", s.parameter("sizes", int64([2, 6, 4, 4]))]);
      const c = s.relu(s.dense(s.reshape(b, [2, 96]), "fc", [96, 10]));
      const wide = s.node("Expand", [s.reshape(c, [2, 10, 1, 1]), s.parameter("wide", int64([2, 10, 4, 4]))]);
      return s.layer(s.concat([wide, s.vector("constant", [2, 3, 4, 4])]), "head", [13, 4]);
    },
    {},
    2,
  ),
];
