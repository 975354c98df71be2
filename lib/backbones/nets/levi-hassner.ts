/**
 * The network of Levi and Hassner (2015) for age group or gender: three convolutions with local response normalisation
 * and two linear layers of 512. 227x227, one task a network; 8.86 M parameters (35.4 MB) for 8 classes. Two of them,
 * one for age and one for gender, take the 70.8 MB of the LMTCNN paper's Table 4.
 */
import { createBuilder } from "../../network/builder.ts";
import type { Network } from "../../network/network.ts";
import { empty, finished, lightValues, linear, relu, imageNetAt, namedWeights } from "./blocks.ts";
import type { TaskHead } from "../entry.ts";
import { dense, responseNorm } from "./lmtcnn.ts";
import { fromFile } from "../from-file.ts";
import { ageGenderTraining } from "../recipes.ts";

export interface LeviHassnerOptions {
  /** Width of the last layer; default 8. Not used where `heads` are given. */
  readonly classes?: number;
  /** Default: one head of `classes` outputs, `fc8`. */
  readonly heads?: readonly TaskHead[];
  readonly side?: number;
  /** Share of the neurons dropped after each linear layer in training. Default 0.5. */
  readonly dropout?: number;
  readonly name?: string;
}

/** Names of the values that others hold on to. */
export const leviHassnerValues = { features: "fc7/relu", embedding: "fc7/relu" } as const;

/**
 * Levi and Hassner's network with all weights zero, to be filled. Pools drop a last window over the edge (27, 13 and 6
 * positions), as in the TensorFlow version whose size the LMTCNN paper states; Caffe's keep it.
 */
export function buildLeviHassner(options: LeviHassnerOptions = {}): Network {
  const { classes = 8, side = 227, dropout = 0.5, name = "levi-hassner" } = options;
  const heads = options.heads ?? [{ name: "fc8", outputs: classes }];
  const net = createBuilder(name);
  const image = net.input(lightValues.input, ["batch", 3, side, side]);
  const filters = (outputs: number, inputs: number, size: number) => ({
    weights: empty([outputs, inputs, size, size]),
    bias: new Float32Array(outputs),
  });
  let x = relu(net, net.conv(image, { name: "conv1", ...filters(96, 3, 7), strides: 4 }));
  x = responseNorm(net, net.maxPool(x, { name: "pool1", kernel: 3, strides: 2 }), "norm1");
  x = relu(net, net.conv(x, { name: "conv2", ...filters(256, 96, 5), pads: 2 }));
  x = responseNorm(net, net.maxPool(x, { name: "pool2", kernel: 3, strides: 2 }), "norm2");
  x = relu(net, net.conv(x, { name: "conv3", ...filters(384, 256, 3), pads: 1 }));
  x = net.flatten(net.maxPool(x, { name: "pool3", kernel: 3, strides: 2 }), { name: "flat" });
  const pool = (size: number): number => Math.floor((size - 3) / 2) + 1;
  const left = pool(pool(pool(Math.floor((side - 7) / 4) + 1)));
  x = dense(net, x, { name: "fc6", inputs: 384 * left ** 2, outputs: 512, dropout });
  x = dense(net, x, { name: "fc7", inputs: 512, outputs: 512, dropout });
  const outputs = heads.map((head) => linear(net, x, { ...head, inputs: 512 }));
  return finished(net, outputs, side, leviHassnerValues);
}

export const leviHassnerNet = fromFile(
  {
    name: "levi-hassner",
    title: "Levi-Hassner (age group or gender)",
    use: "age group or gender, what LMTCNN is compared with",
    preprocessing: imageNetAt(227),
    source: namedWeights("conv1, conv2, conv3, fc6, fc7, fc8"),
  },
  { build: buildLeviHassner, last: "fc8.weight", values: leviHassnerValues },
  ageGenderTraining(buildLeviHassner, {
    title: "Levi-Hassner",
    trunk: leviHassnerValues.features,
    joint: false,
  }),
);
