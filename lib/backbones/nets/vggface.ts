/**
 * VGGFace (Parkhi, Vedaldi, Zisserman 2015): VGG16 trained on 2,622 identities. 224x224, 13 convolutions, three linear
 * layers; 15.48 G MACs, 145.0 M parameters of which 130.3 M sit in the linear layers.
 */
import type { Preprocessing } from "../../core/artifacts.ts";
import { createBuilder } from "../../network/builder.ts";
import type { Network } from "../../network/network.ts";
import { describe } from "../metadata.ts";
import { fromFile } from "../from-file.ts";

export interface Vgg16Options {
  /** Width of the last layer; default 2622. */
  readonly classes?: number;
  /** Side of the picture; default 224. A multiple of 32. */
  readonly side?: number;
  readonly name?: string;
  /** Filters of the five stages, and width of fc6 and fc7; default: 64, 128, 256, 512, 512 and 4096. */
  readonly widths?: { readonly filters: readonly number[]; readonly linear: number };
}

/** BGR, the mean of the training faces subtracted, no scaling. */
export const vggfacePreprocessing: Preprocessing = {
  width: 224,
  height: 224,
  color: "BGR",
  mean: [93.594, 104.7624, 129.1863],
  scale: [1, 1, 1],
};

/** Names of the values that others hold on to. */
export const vggfaceValues = { input: "image", features: "fc7/relu", embedding: "fc7/relu" } as const;

/** Convolutions of each stage: how many, and how many filters each. */
const stages: readonly (readonly [layers: number, filters: number])[] = [
  [2, 64],
  [2, 128],
  [3, 256],
  [3, 512],
  [3, 512],
];

/**
 * VGG16 with all weights zero, to be filled. Layers are named as in the original: conv1_1 ... conv5_3, fc6, fc7, fc8;
 * weights `conv1_1.weight` [out, in, 3, 3], `fc6.weight` [4096, 512 * 7 * 7] over (channel, row, column).
 */
export function buildVgg16(options: Vgg16Options = {}): Network {
  const { classes = 2622, side = 224, name = "vggface", widths } = options;
  const linearWidth = widths?.linear ?? 4096;
  const net = createBuilder(name);
  let x = net.input(vggfaceValues.input, ["batch", 3, side, side]);
  let channels = 3;
  stages.forEach(([layers, original], stage) => {
    const filters = widths?.filters[stage] ?? original;
    for (let layer = 1; layer <= layers; layer++) {
      const label = `conv${stage + 1}_${layer}`;
      const data = new Float32Array(filters * channels * 9);
      const weights = { shape: [filters, channels, 3, 3], data };
      x = net.conv(x, { name: label, weights, bias: new Float32Array(filters), pads: 1 });
      x = net.relu(x, { name: `${label}/relu` });
      channels = filters;
    }
    x = net.maxPool(x, { name: `pool${stage + 1}`, kernel: 2, strides: 2 });
  });
  const linear = (label: string, inputs: number, outputs: number): string => {
    const weights = { shape: [outputs, inputs], data: new Float32Array(outputs * inputs) };
    return net.gemm(x, { name: label, weights, bias: new Float32Array(outputs) });
  };
  x = net.flatten(x, { name: "flat" });
  x = net.relu(linear("fc6", channels * (side / 32) ** 2, linearWidth), { name: "fc6/relu" });
  x = net.relu(linear("fc7", linearWidth, linearWidth), { name: "fc7/relu" });
  x = linear("fc8", linearWidth, classes);
  const { features, embedding } = vggfaceValues;
  const preprocessing = { ...vggfacePreprocessing, width: side, height: side };
  return describe(net.build([x]), { preprocessing, features, embedding });
}

export const vggfaceNet = fromFile(
  {
    name: "vggface",
    title: "VGGFace (VGG16, 2,622 identities)",
    use: "any task of faces, large",
    preprocessing: vggfacePreprocessing,
    source: "Visual Geometry Group, University of Oxford: VGG Face Descriptor",
    licence: "CC BY-NC 4.0 (non-commercial)",
  },
  {
    build: buildVgg16,
    last: "fc8.weight",
    values: vggfaceValues,
    head: "task",
    fromKeras: async (weights, where) =>
      (await import("./vggface-weights.ts")).vggfaceFromKeras(weights, where),
    fromTorch: async (weights) => (await import("./vggface-weights.ts")).vggfaceFromTorch(weights),
  },
);
