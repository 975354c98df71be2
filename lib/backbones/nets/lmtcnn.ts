/**
 * LMTCNN (Lee, Chan, Chen, Chen 2018): age group and gender from one small network without batch norm, made of one
 * convolution and two depthwise-separable ones. 227x227; 2.18 M parameters (8.71 MB) for widths 1 and 1, 7.51 M
 * (30.0 MB) for 2 and 1, which are the sizes of the paper's Table 4.
 *
 * The paper leaves the strides of its pools open. Its map sizes (28 and 14) ask for pools that keep a last window over
 * the edge; the sizes of Table 4 for a last pool that leaves 3x3 positions at widths 1-1 (stride 4: windows that do not
 * overlap) and 6x6 at widths 2-1 (stride 2).
 */
import { createBuilder, type Builder } from "../../network/builder.ts";
import type { Network } from "../../network/network.ts";
import { empty, finished, linear, lightValues, relu, imageNetAt, namedWeights } from "./blocks.ts";
import type { TaskHead } from "../entry.ts";
import { fromFile } from "../from-file.ts";
import { ageGenderTraining } from "../recipes.ts";

export interface LmtcnnOptions {
  /** Classes of the age head; default 8. Not used where `heads` are given. */
  readonly classes?: number;
  /** One classifier each on the shared layers; default: age (8 classes) and gender (2). */
  readonly heads?: readonly TaskHead[];
  readonly side?: number;
  /** Depthwise filters for every input of the two separable convolutions. Default 1 and 1. */
  readonly widths?: readonly [number, number];
  /** Share of the neurons dropped after each linear layer in training. Default 0.5. */
  readonly dropout?: number;
  readonly name?: string;
}

/** Names of the values that others hold on to. */
export const lmtcnnValues = { features: "fc2/relu", embedding: "fc2/relu" } as const;

/** LMTCNN with all weights zero, to be filled. */
export function buildLmtcnn(options: LmtcnnOptions = {}): Network {
  const { classes = 8, side = 227, widths = [1, 1], dropout = 0.5, name = "lmtcnn-1-1" } = options;
  const heads = options.heads ?? [
    { name: "age", outputs: classes },
    { name: "gender", outputs: 2 },
  ];
  const net = createBuilder(name);
  const image = net.input(lightValues.input, ["batch", 3, side, side]);
  const first = { weights: empty([96, 3, 7, 7]), bias: new Float32Array(96) };
  let x = relu(net, net.conv(image, { name: "conv1", ...first, strides: 4 }));
  x = net.maxPool(x, { name: "pool1", kernel: 3, strides: 2, ceil: true });
  x = responseNorm(net, x, "norm1");
  x = separable(net, x, { name: "conv2", inputs: 96, outputs: 256, width: widths[0] });
  x = net.maxPool(x, { name: "pool2", kernel: 3, strides: 2, ceil: true });
  x = separable(net, x, { name: "conv3", inputs: 256, outputs: 384, width: widths[1] });
  const stride = widths[0] === 1 ? 4 : 2;
  x = net.maxPool(x, { name: "pool3", kernel: 3, strides: stride });
  const positions = sides(side, stride) ** 2;
  x = net.flatten(x, { name: "flat" });
  x = dense(net, x, { name: "fc1", inputs: 384 * positions, outputs: 512, dropout });
  x = dense(net, x, { name: "fc2", inputs: 512, outputs: 512, dropout });
  const outputs = heads.map((head) => linear(net, x, { ...head, inputs: 512 }));
  return finished(net, outputs, side, lmtcnnValues);
}

/** Side of the map behind the last pool. */
function sides(side: number, lastStride: number): number {
  const ceil = (size: number): number => Math.ceil((size - 3) / 2) + 1;
  const conv = Math.floor((side - 7) / 4) + 1;
  return Math.floor((ceil(ceil(conv)) - 3) / lastStride) + 1;
}

/** Local response normalisation over 5 channels, as in Levi and Hassner's network. */
export function responseNorm(net: Builder, x: string, name: string): string {
  return net.lrn(x, { name, size: 5, alpha: 1e-4, beta: 0.75, bias: 1 });
}

interface Separable {
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
  /** Depthwise filters for every input. */
  readonly width: number;
}

/** 3x3 depthwise without bias, then 1x1 with bias and ReLU. */
function separable(net: Builder, x: string, { name, inputs, outputs, width }: Separable): string {
  const wide = inputs * width;
  const depthwise = { name: `${name}.depthwise`, weights: empty([wide, 1, 3, 3]), pads: 1, group: inputs };
  const pointwise = {
    name: `${name}.pointwise`,
    weights: empty([outputs, wide, 1, 1]),
    bias: new Float32Array(outputs),
  };
  return relu(net, net.conv(net.conv(x, depthwise), pointwise));
}

interface Dense {
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
  readonly dropout: number;
}

/** Linear, ReLU, dropout. */
export function dense(net: Builder, x: string, { name, inputs, outputs, dropout }: Dense): string {
  const y = net.relu(linear(net, x, { name, inputs, outputs }), { name: `${name}/relu` });
  return dropout === 0 ? y : net.dropout(y, dropout, { name: `${name}/dropout` });
}

const lmtcnn = (name: string, title: string, widths: readonly [number, number]) => {
  const build = (options: LmtcnnOptions): Network => buildLmtcnn({ ...options, widths, name });
  return fromFile(
    {
      name,
      title: `${title} (age group and gender)`,
      use: "age group and gender at once",
      preprocessing: imageNetAt(227),
      source: namedWeights("conv1, conv2.depthwise, conv2.pointwise, ..."),
    },
    { build, last: "age.weight", values: lmtcnnValues },
    ageGenderTraining(build, { title, trunk: lmtcnnValues.features, joint: true }),
  );
};

export const lmtcnnNets = [
  lmtcnn("lmtcnn-1-1", "LMTCNN-1-1", [1, 1]),
  lmtcnn("lmtcnn-2-1", "LMTCNN-2-1", [2, 1]),
];
