/**
 * The face recognition network of dlib ("dlib_face_recognition_resnet_model_v1") as `@vladmandic/face-api` ships it:
 * 29 convolutions, 150x150 RGB in, 128 numbers out. The weights are read from the installed package.
 *
 * Blocks (H = height and width of the output): conv 7x7/2 (72), max pool 3x3/2 (35), three blocks of 32 filters; then
 * 64 (17), 128 (8), 256 (4) and 256 again (2) filters, each stage opened by a block that halves. All convolutions that
 * stride are unpadded, so in the last two halving blocks the main path is one row and column short of the shortcut,
 * and is padded with zeros at the bottom and the right.
 */
import type { Preprocessing } from "../../core/artifacts.ts";
import { createBuilder } from "../../network/builder.ts";
import type { Network, Parameter, Tensor } from "../../network/network.ts";
import { faceApiManifest, weightOf } from "./face-api.ts";
import { describe } from "../metadata.ts";
import { basename } from "node:path";
import { networkFingerprint } from "../backbone.ts";
import { randomNote, type NetEntry } from "../entry.ts";
import { initialise } from "../initialise.ts";

export const faceResnetPreprocessing: Preprocessing = {
  width: 150,
  height: 150,
  color: "RGB",
  mean: [122.782, 117.001, 104.298],
  scale: [1 / 255, 1 / 255, 1 / 255],
};

/** Names of the values that others hold on to. */
export const faceResnetValues = { input: "image", features: "features", embedding: "descriptor" } as const;

/** Residual blocks in order: name, filters, whether the block halves. */
const blocks: readonly (readonly [name: string, filters: number, down: boolean])[] = [
  ["conv32_1", 32, false],
  ["conv32_2", 32, false],
  ["conv32_3", 32, false],
  ["conv64_down", 64, true],
  ["conv64_1", 64, false],
  ["conv64_2", 64, false],
  ["conv64_3", 64, false],
  ["conv128_down", 128, true],
  ["conv128_1", 128, false],
  ["conv128_2", 128, false],
  ["conv256_down", 256, true],
  ["conv256_1", 256, false],
  ["conv256_2", 256, false],
  ["conv256_down_out", 256, true],
];

/** The weight manifest inside the installed package. */
export function faceResnetManifest(): string {
  return faceApiManifest("face_recognition_model");
}

/** The network with the weights of a manifest (default: those of the installed package). */
export async function loadFaceResnet(manifest: string = faceResnetManifest()): Promise<Network> {
  // Not above: a list of networks reads no weights.
  const { readTfjsWeights } = await import("../../formats/tfjs/weights.ts");
  return buildFaceResnet(await readTfjsWeights(manifest), manifest);
}

/**
 * Builds the network, scale layers folded into the convolutions.
 *
 * @param weights tfjs names and layouts: `conv32_1/conv1/conv/filters` [height, width, in, out],
 *   `.../conv/bias` [out], `.../scale/weights` [out], `.../scale/biases` [out], `fc` [256, 128]
 * @param where the file, for messages
 */
export function buildFaceResnet(weights: ReadonlyMap<string, Parameter>, where: string): Network {
  const net = createBuilder("face-resnet");
  const conv = (name: string, x: string, filters: Filters): string => {
    const { size, stride } = filters;
    const folded = foldScale(weights, name, { filters, where });
    return net.conv(x, { name, ...folded, strides: stride, pads: stride === 1 ? (size - 1) / 2 : 0 });
  };
  const { width, height } = faceResnetPreprocessing;
  const { features, embedding } = faceResnetValues;
  let x = net.input(faceResnetValues.input, ["batch", 3, height, width]);
  x = conv("conv32_down", x, { inputs: 3, outputs: 32, size: 7, stride: 2 });
  x = net.relu(x, { name: "conv32_down/relu" });
  x = net.maxPool(x, { name: "pool", kernel: 3, strides: 2 });
  let channels = 32;
  let side = 35;
  for (const [name, outputs, down] of blocks) {
    let main = conv(`${name}/conv1`, x, { inputs: channels, outputs, size: 3, stride: down ? 2 : 1 });
    main = net.relu(main, { name: `${name}/relu1` });
    main = conv(`${name}/conv2`, main, { inputs: outputs, outputs, size: 3, stride: 1 });
    let shortcut = x;
    if (down) {
      shortcut = net.averagePool(x, { name: `${name}/halve`, kernel: 2, strides: 2 });
      const half = Math.floor(side / 2);
      const short = half - Math.floor((side - 1) / 2);
      if (short > 0) main = net.pad(main, [0, 0, 0, 0, 0, 0, short, short], { name: `${name}/pad` });
      const missing = outputs - channels;
      if (missing > 0)
        shortcut = net.pad(shortcut, [0, 0, 0, 0, 0, missing, 0, 0], { name: `${name}/widen` });
      side = half;
    }
    x = net.add(main, shortcut, { name: `${name}/add` });
    x = net.relu(x, { name: `${name}/relu2` });
    channels = outputs;
  }
  x = net.globalAveragePool(x, { name: features });
  x = net.flatten(x, { name: `${features}/flat` });
  const fc = net.parameter("fc.weight", weightOf(weights, "fc", { shape: [channels, 128], where }));
  net.matMul(x, fc, { name: embedding });
  return describe(net.build([embedding]), { preprocessing: faceResnetPreprocessing, features, embedding });
}

interface Filters {
  readonly inputs: number;
  readonly outputs: number;
  readonly size: number;
  readonly stride: number;
}

/**
 * Convolution and the scale layer behind it as one convolution: W' = w W, b' = w b + s per filter.
 *
 * @returns weights [out, in, height, width] from the file's [height, width, in, out]; bias [out]
 */
function foldScale(
  weights: ReadonlyMap<string, Parameter>,
  name: string,
  { filters: { inputs, outputs, size }, where }: { filters: Filters; where: string },
): { weights: Tensor; bias: Float32Array } {
  const read = (what: string, shape: readonly number[]): ArrayLike<number> =>
    weightOf(weights, `${name}/${what}`, { shape, where }).data;
  const filters = read("conv/filters", [size, size, inputs, outputs]);
  const bias = read("conv/bias", [outputs]);
  const factor = read("scale/weights", [outputs]);
  const shift = read("scale/biases", [outputs]);
  const area = size * size;
  const data = new Float32Array(outputs * inputs * area);
  for (let place = 0; place < area; place++) {
    for (let i = 0; i < inputs; i++) {
      const from = (place * inputs + i) * outputs;
      for (let o = 0; o < outputs; o++) data[(o * inputs + i) * area + place] = filters[from + o] * factor[o];
    }
  }
  return {
    weights: { shape: [outputs, inputs, size, size], data },
    bias: Float32Array.from({ length: outputs }, (_, o) => bias[o] * factor[o] + shift[o]),
  };
}

export const faceResnetNet: NetEntry = {
  name: "face-resnet",
  title: "Face ResNet (dlib, 29 convolutions)",
  use: "any task of faces; brings its weights",
  preprocessing: faceResnetPreprocessing,
  weights: "embedded",
  source: "npm package @vladmandic/face-api, face_recognition_model",
  licence: "MIT",
  load: async ({ weights, seed = 1, features, preprocessing }) => {
    const random = weights === "random";
    const shipped = random || weights === undefined;
    const trained = await (shipped ? loadFaceResnet() : loadFaceResnet(weights));
    const network = random ? initialise(trained, seed) : trained;
    const { name, title, source, licence } = faceResnetNet;
    return {
      name,
      title,
      network,
      preprocessing: { ...faceResnetPreprocessing, ...preprocessing },
      features: features ?? faceResnetValues.features,
      embedding: faceResnetValues.embedding,
      source: random ? `random weights, seed ${seed}` : weights === undefined ? source : basename(weights),
      licence: shipped ? licence : "that of the file",
      fingerprint: networkFingerprint(network),
      notes: random ? [randomNote(name, seed)] : [],
    };
  },
};
