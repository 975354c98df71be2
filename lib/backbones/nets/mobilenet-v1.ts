/**
 * MobileNetV1 (Howard et al. 2017), the network of Wang and Wong for 40 facial attributes: a 3x3 convolution and 13
 * depthwise-separable ones. At width 1.0, 224x224, 1,000 classes: 568.7 M MACs, 4.23 M parameters.
 */
import { createBuilder } from "../../network/builder.ts";
import type { Network } from "../../network/network.ts";
import {
  convNorm,
  finished,
  lightValues,
  linear,
  pooled,
  relu,
  relu6,
  imageNetAt,
  namedWeights,
} from "./blocks.ts";
import { fromFile } from "../from-file.ts";
import { attributesRecipe, pooledTraining } from "../recipes.ts";

export interface MobilenetV1Options {
  /** Width of the last layer; default 1000. */
  readonly classes?: number;
  /** Side of the picture: the resolution multiplier times 224. Default 224. */
  readonly side?: number;
  /** Width multiplier, in (0, 1]: every number of channels is multiplied by it and rounded. Default 1. */
  readonly width?: number;
  /** `relu` as in the papers; `relu6` as in TensorFlow's and timm's weights. */
  readonly activation?: "relu" | "relu6";
  readonly name?: string;
}

/** Stages of blocks: how many, and their channels at width 1. Every stage but the first halves the picture. */
const stages: readonly (readonly [blocks: number, channels: number])[] = [
  [1, 64],
  [2, 128],
  [2, 256],
  [6, 512],
  [2, 1024],
];

/** MobileNetV1 at its initial state, with timm's names (`conv_stem`, `blocks.1.0.conv_dw`, ..., `classifier`). */
export function buildMobilenetV1(options: MobilenetV1Options = {}): Network {
  const { classes = 1000, side = 224, width = 1, activation = "relu", name = "mobilenet-v1" } = options;
  const net = createBuilder(name);
  const act = activation === "relu" ? relu : relu6;
  const scaled = (channels: number): number => Math.max(1, Math.round(channels * width));
  let inputs = scaled(32);
  let x = net.input(lightValues.input, ["batch", 3, side, side]);
  const stem = { conv: "conv_stem", norm: "bn1", inputs: 3, outputs: inputs, size: 3, stride: 2 };
  x = act(net, convNorm(net, x, stem));
  stages.forEach(([blocks, channels], stage) => {
    for (let block = 0; block < blocks; block++) {
      const at = `blocks.${stage}.${block}`;
      const stride = stage > 0 && block === 0 ? 2 : 1;
      const outputs = scaled(channels);
      const depthwise = { conv: `${at}.conv_dw`, norm: `${at}.bn1`, inputs, outputs: inputs, group: inputs };
      x = act(net, convNorm(net, x, { ...depthwise, size: 3, stride }));
      const pointwise = { conv: `${at}.conv_pw`, norm: `${at}.bn2`, inputs, outputs, size: 1 };
      x = act(net, convNorm(net, x, pointwise));
      inputs = outputs;
    }
  });
  x = linear(net, pooled(net, x), { name: "classifier", inputs, outputs: classes });
  return finished(net, [x], side);
}

/** At width 1, which trains at any width, and the widths that published weights have. */
export const mobilenetV1Nets = [1, 0.75, 0.5, 0.25].map((width) => {
  const name = width === 1 ? "mobilenet-v1" : `mobilenet-v1-${width}`;
  const build = (options: MobilenetV1Options): Network => buildMobilenetV1({ width, name, ...options });
  return fromFile(
    {
      name,
      title: `MobileNetV1, width ${width.toFixed(2)}`,
      use: "40 attributes on small machines (Wang and Wong)",
      preprocessing: imageNetAt(224),
      source: namedWeights("conv_stem, blocks.1.0.conv_dw, ... (timm's), ReLU"),
    },
    { build, last: "classifier.weight", values: lightValues },
    pooledTraining(build, attributesRecipe, {
      trunk: lightValues.features,
      ...(width === 1 && { title: "MobileNetV1", widths: "any" as const }),
    }),
  );
});
