/**
 * The face detector of `@vladmandic/face-api` ("ssd_mobilenetv1_model"): MobileNet V1 with the single-shot heads of Liu
 * et al. 2016 on six maps (32, 16, 8, 4, 2 and 1 pixels wide), 512x512 RGB in, 5118 candidate boxes out.
 *
 * All 3x3 convolutions pad as TensorFlow's "same" does; every layer of the trunk ends in min(max(x, 0), 6). The batch
 * norms of the depthwise convolutions are folded in.
 */
import type { Preprocessing } from "../../core/artifacts.ts";
import { createBuilder } from "../../network/builder.ts";
import type { Network, Tensor } from "../../network/network.ts";
import { depthwiseOf, filtersOf, weightOf, type FaceApiWeights } from "./face-api.ts";
import { describe } from "../metadata.ts";

export const faceDetectorPreprocessing: Preprocessing = {
  width: 512,
  height: 512,
  color: "RGB",
  mean: [127.5, 127.5, 127.5],
  scale: [1 / 127.5, 1 / 127.5, 1 / 127.5],
};

/** Names of the values that others hold on to. */
export const faceDetectorValues = { input: "image", boxes: "boxes", scores: "scores" } as const;

/** The detector: a network, and the boxes that its outputs are relative to. */
export interface FaceDetector {
  /** Outputs: `boxes` [n, 5118, 4], encoded; `scores` [n, 5118], in 0..1. */
  readonly network: Network;
  /** [5118, 4]: top, left, bottom, right in fractions of the input. */
  readonly anchors: Float32Array;
}

/** Convolution pairs 1..13 of the trunk: output channels, stride of the depthwise one. */
const pairs: readonly (readonly [outputs: number, stride: number])[] = [
  [64, 1],
  [128, 2],
  [128, 1],
  [256, 2],
  [256, 1],
  [512, 2],
  [512, 1],
  [512, 1],
  [512, 1],
  [512, 1],
  [512, 1],
  [1024, 2],
  [1024, 1],
];

/** The pair whose map feeds the first head. */
const FIRST_HEAD = 11;

/** Four further maps, each by a 1x1 and a 3x3/2 convolution. */
const extras: readonly (readonly [inner: number, outputs: number])[] = [
  [256, 512],
  [128, 256],
  [128, 256],
  [64, 128],
];

/** Anchor boxes at a place of each head's map. */
const anchorsOf = (head: number): number => (head === 0 ? 3 : 6);

const ANCHORS = 5118;
const EPSILON = 0.001;

/**
 * Builds the detector.
 *
 * @param weights tfjs names and layouts, those of the object detection models of TensorFlow 1
 * @param where the file, for messages
 */
export function buildFaceDetector(weights: FaceApiWeights, where: string): FaceDetector {
  const net = createBuilder("face-detector");
  const vector = (name: string, length: number): Float32Array =>
    weightOf(weights, name, { shape: [length], where }).data;
  const window = (stride: number) => ({ strides: stride, pads: stride === 1 ? 1 : ([0, 0, 1, 1] as const) });
  const clip = (x: string, name: string): string => net.clip(x, { name: `${name}/relu6`, min: 0, max: 6 });

  const conv = (name: string, x: string, filters: readonly number[], stride = 1): string => {
    const tensor = filtersOf(weights, `${name}/weights`, { shape: filters, where });
    const bias = vector(`${name}/convolution_bn_offset`, filters[3]);
    const options = filters[0] === 1 ? {} : window(stride);
    return clip(net.conv(x, { name, weights: tensor, bias, ...options }), name);
  };
  const depthwise = (name: string, x: string, channels: number, stride: number): string => {
    const filters = depthwiseOf(weights, `${name}/depthwise_weights`, { shape: [3, 3, channels, 1], where });
    const norm = (part: string): Float32Array => vector(`${name}/BatchNorm/${part}`, channels);
    const folded = foldNorm(filters, {
      gamma: norm("gamma"),
      beta: norm("beta"),
      mean: norm("moving_mean"),
      variance: norm("moving_variance"),
    });
    return clip(net.conv(x, { name, ...folded, group: channels, ...window(stride) }), name);
  };
  /** A head: [n, anchors * width, h, w] becomes [n, h * w * anchors, width], places in rows. */
  const predict = (
    head: number,
    part: string,
    x: string,
    size: { inputs: number; width: number },
  ): string => {
    const name = `Prediction/BoxPredictor_${head}/${part}`;
    const outputs = anchorsOf(head) * size.width;
    const tensor = filtersOf(weights, `${name}/weights`, { shape: [1, 1, size.inputs, outputs], where });
    const map = net.conv(x, { name, weights: tensor, bias: vector(`${name}/biases`, outputs) });
    const last = net.transpose(map, [0, 2, 3, 1], { name: `${name}/last` });
    return net.reshape(last, [0, -1, size.width], { name: `${name}/rows` });
  };

  const { width, height } = faceDetectorPreprocessing;
  const { input, boxes, scores } = faceDetectorValues;
  let x = net.input(input, ["batch", 3, height, width]);
  x = conv("MobilenetV1/Conv2d_0_pointwise", x, [3, 3, 3, 32], 2);
  let channels = 32;
  const maps: { readonly value: string; readonly channels: number }[] = [];
  pairs.forEach(([outputs, stride], i) => {
    x = depthwise(`MobilenetV1/Conv2d_${i + 1}_depthwise`, x, channels, stride);
    x = conv(`MobilenetV1/Conv2d_${i + 1}_pointwise`, x, [1, 1, channels, outputs]);
    channels = outputs;
    if (i + 1 === FIRST_HEAD || i + 1 === pairs.length) maps.push({ value: x, channels });
  });
  extras.forEach(([inner, outputs], i) => {
    x = conv(`Prediction/Conv2d_${2 * i}_pointwise`, x, [1, 1, channels, inner]);
    x = conv(`Prediction/Conv2d_${2 * i + 1}_pointwise`, x, [3, 3, inner, outputs], 2);
    channels = outputs;
    maps.push({ value: x, channels });
  });

  const encoded = maps.map((map, i) =>
    predict(i, "BoxEncodingPredictor", map.value, { inputs: map.channels, width: 4 }),
  );
  const classes = maps.map((map, i) =>
    predict(i, "ClassPredictor", map.value, { inputs: map.channels, width: 3 }),
  );
  net.concat(encoded, { name: boxes, axis: 1 });
  // Classes: background, face, and one that was never used.
  const logits = net.concat(classes, { name: "classes", axis: 1 });
  const face = net.slice(logits, { axis: 2, start: 1, end: 2 }, { name: "classes/face" });
  net.sigmoid(net.reshape(face, [0, -1], { name: "classes/flat" }), { name: scores });
  const network = describe(net.build([boxes, scores]), { preprocessing: faceDetectorPreprocessing });
  return { network, anchors: weightOf(weights, "Output/extra_dim", { shape: [1, ANCHORS, 4], where }).data };
}

interface Norm {
  readonly gamma: Float32Array;
  readonly beta: Float32Array;
  readonly mean: Float32Array;
  readonly variance: Float32Array;
}

/** Depthwise filters [c, 1, 3, 3] with the batch norm behind them: w' = w g / sqrt(v + e), b' = b - m g / sqrt(v + e). */
function foldNorm(filters: Tensor, norm: Norm): { weights: Tensor; bias: Float32Array } {
  const channels = filters.shape[0];
  const area = filters.data.length / channels;
  const factors = Float64Array.from(norm.gamma, (gamma, c) => gamma / Math.sqrt(norm.variance[c] + EPSILON));
  return {
    weights: {
      shape: filters.shape,
      data: filters.data.map((weight, i) => weight * factors[Math.floor(i / area)]),
    },
    bias: norm.beta.map((beta, c) => beta - norm.mean[c] * factors[c]),
  };
}
