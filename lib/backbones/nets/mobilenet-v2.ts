/**
 * MobileNetV2 (Sandler et al. 2018) with torchvision's names: inverted residual blocks with linear bottlenecks. At
 * width 1.0, 224x224, 1,000 classes: 300.8 M MACs, 3.50 M parameters.
 */
import { createBuilder, type Builder } from "../../network/builder.ts";
import type { Network } from "../../network/network.ts";
import {
  convNorm,
  finished,
  lightValues,
  linear,
  pooled,
  relu6,
  widthOf,
  imageNetAt,
  torchvision,
} from "./blocks.ts";
import { fromFile } from "../from-file.ts";
import { efficientRecipe, pooledTraining } from "../recipes.ts";

export interface MobilenetV2Options {
  /** Width of the last layer; default 1000. */
  readonly classes?: number;
  readonly side?: number;
  /** Width multiplier; the last 1,280 channels never get fewer. Default 1. */
  readonly width?: number;
  readonly name?: string;
}

/** Expansion, channels, number and stride of the inverted residual blocks (the paper's Table 2). */
const settings: readonly (readonly [expansion: number, channels: number, blocks: number, stride: number])[] =
  [
    [1, 16, 1, 1],
    [6, 24, 2, 2],
    [6, 32, 3, 2],
    [6, 64, 4, 2],
    [6, 96, 3, 1],
    [6, 160, 3, 2],
    [6, 320, 1, 1],
  ];

/** MobileNetV2 at its initial state. */
export function buildMobilenetV2(options: MobilenetV2Options = {}): Network {
  const { classes = 1000, side = 224, width = 1, name = "mobilenet-v2" } = options;
  const net = createBuilder(name);
  let inputs = widthOf(32, width);
  let x = net.input(lightValues.input, ["batch", 3, side, side]);
  const stem = { conv: "features.0.0", norm: "features.0.1", inputs: 3, outputs: inputs, size: 3, stride: 2 };
  x = relu6(net, convNorm(net, x, stem));
  let index = 1;
  for (const [expansion, channels, blocks, first] of settings) {
    const outputs = widthOf(channels, width);
    for (let block = 0; block < blocks; block++) {
      const stride = block === 0 ? first : 1;
      x = inverted(net, x, { at: `features.${index}`, inputs, outputs, stride, expansion });
      inputs = outputs;
      index++;
    }
  }
  const last = widthOf(1280, Math.max(1, width));
  const at = `features.${index}`;
  x = convNorm(net, x, { conv: `${at}.0`, norm: `${at}.1`, inputs, outputs: last, size: 1 });
  x = linear(net, pooled(net, relu6(net, x)), { name: "classifier.1", inputs: last, outputs: classes });
  return finished(net, [x], side);
}

interface Block {
  readonly at: string;
  readonly inputs: number;
  readonly outputs: number;
  readonly stride: number;
  readonly expansion: number;
}

/** 1x1 up, 3x3 depthwise, 1x1 down without activation; beside a shortcut where the shape stays. */
function inverted(net: Builder, x: string, { at, inputs, outputs, stride, expansion }: Block): string {
  const wide = inputs * expansion;
  let main = x;
  let part = 0;
  const name = (): { conv: string; norm: string } => {
    const own = `${at}.conv.${part++}`;
    return { conv: `${own}.0`, norm: `${own}.1` };
  };
  if (expansion !== 1) main = relu6(net, convNorm(net, main, { ...name(), inputs, outputs: wide, size: 1 }));
  const depthwise = { ...name(), inputs: wide, outputs: wide, size: 3, stride, group: wide };
  main = relu6(net, convNorm(net, main, depthwise));
  const down = { conv: `${at}.conv.${part}`, norm: `${at}.conv.${part + 1}` };
  main = convNorm(net, main, { ...down, inputs: wide, outputs, size: 1 });
  return stride === 1 && inputs === outputs ? net.add(x, main, { name: `${at}.add` }) : main;
}

export const mobilenetV2Net = fromFile(
  {
    name: "mobilenet-v2",
    title: "MobileNetV2",
    use: "40 attributes on small machines",
    preprocessing: imageNetAt(224),
    source: torchvision,
  },
  { build: buildMobilenetV2, last: "classifier.1.weight", values: lightValues },
  pooledTraining(buildMobilenetV2, efficientRecipe, { trunk: lightValues.features, widths: "any" }),
);
