/**
 * The 68-landmark network of `@vladmandic/face-api` ("face_landmark_68_model"): four dense blocks of four separable
 * convolutions, 112x112 RGB in, 68 points out as x0, y0, x1, y1, ... in fractions of the input.
 *
 * A dense block, with f the convolutions (all 3x3, the first of a block strides 2): a = relu(f0(x)), b = f1(a),
 * c = f2(relu(a + b)), d = f3(relu(a + b + c)), out = relu(a + b + c + d).
 */
import type { Preprocessing } from "../../core/artifacts.ts";
import { createBuilder } from "../../network/builder.ts";
import type { Network, Tensor } from "../../network/network.ts";
import { depthwiseOf, filtersOf, weightOf, type FaceApiWeights } from "./face-api.ts";
import { describe } from "../metadata.ts";

/** Number of points, in the order of iBUG and dlib: jaw 0-16, brows 17-26, nose 27-35, eyes 36-47, mouth 48-67. */
export const LANDMARKS = 68;

export const faceLandmarksPreprocessing: Preprocessing = {
  width: 112,
  height: 112,
  color: "RGB",
  mean: [122.782, 117.001, 104.298],
  scale: [1 / 255, 1 / 255, 1 / 255],
};

/** Names of the values that others hold on to. */
export const faceLandmarksValues = { input: "image", points: "points" } as const;

/** Filters of the dense blocks; the height and width of their outputs are 56, 28, 14 and 7. */
const blocks = [32, 64, 128, 256] as const;

/**
 * Builds the network.
 *
 * @param weights tfjs names and layouts: `dense0/conv0/filters` [3, 3, 3, 32] for the first convolution,
 *   `.../depthwise_filter` [3, 3, in, 1] and `.../pointwise_filter` [1, 1, in, out] for all others,
 *   `.../bias` [out], `fc/weights` [256, 136], `fc/bias` [136]
 * @param where the file, for messages
 */
export function buildFaceLandmarks(weights: FaceApiWeights, where: string): Network {
  const net = createBuilder("face-landmarks");
  // "same" at stride 2 on an even side: one row and column of zeros, at the end.
  const window = (stride: number) => ({ strides: stride, pads: stride === 1 ? 1 : ([0, 0, 1, 1] as const) });
  const bias = (name: string, outputs: number): Float32Array =>
    weightOf(weights, `${name}/bias`, { shape: [outputs], where }).data;
  const separable = (name: string, x: string, size: { inputs: number; outputs: number; stride: number }) => {
    const { inputs, outputs, stride } = size;
    const deep = depthwiseOf(weights, `${name}/depthwise_filter`, { shape: [3, 3, inputs, 1], where });
    const point = filtersOf(weights, `${name}/pointwise_filter`, { shape: [1, 1, inputs, outputs], where });
    const middle = net.conv(x, {
      name: `${name}/depthwise`,
      weights: deep,
      group: inputs,
      ...window(stride),
    });
    return net.conv(middle, { name, weights: point, bias: bias(name, outputs) });
  };
  const { width, height } = faceLandmarksPreprocessing;
  let x = net.input(faceLandmarksValues.input, ["batch", 3, height, width]);
  let inputs = 3;
  blocks.forEach((outputs, i) => {
    const block = `dense${i}`;
    const first = `${block}/conv0`;
    let sum: string;
    if (i === 0) {
      const filters: Tensor = filtersOf(weights, `${first}/filters`, {
        shape: [3, 3, inputs, outputs],
        where,
      });
      sum = net.conv(x, { name: first, weights: filters, bias: bias(first, outputs), ...window(2) });
    } else sum = separable(first, x, { inputs, outputs, stride: 2 });
    sum = net.relu(sum, { name: `${first}/relu` });
    x = sum;
    for (let k = 1; k < 4; k++) {
      const next = separable(`${block}/conv${k}`, x, { inputs: outputs, outputs, stride: 1 });
      sum = net.add(sum, next, { name: `${block}/add${k}` });
      x = net.relu(sum, { name: `${block}/relu${k}` });
    }
    inputs = outputs;
  });
  x = net.flatten(net.globalAveragePool(x, { name: "pooled" }), { name: "features" });
  const outputs = 2 * LANDMARKS;
  const fc = weightOf(weights, "fc/weights", { shape: [inputs, outputs], where });
  const product = net.matMul(x, net.parameter("fc.weight", fc), { name: "fc" });
  const offset = net.parameter("fc.bias", weightOf(weights, "fc/bias", { shape: [outputs], where }));
  const { points } = faceLandmarksValues;
  net.add(product, offset, { name: points });
  return describe(net.build([points]), { preprocessing: faceLandmarksPreprocessing, features: "pooled" });
}
