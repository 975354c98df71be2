/**
 * EfficientNet-B0 (Tan and Le 2019) with torchvision's names: MobileNetV2's blocks with squeeze-and-excitation and
 * swish. At 224x224, 1,000 classes: 385.8 M MACs, 5.29 M parameters.
 */
import { createBuilder, type Builder } from "../../network/builder.ts";
import type { Network } from "../../network/network.ts";
import { convNorm, empty, finished, lightValues, linear, pooled, imageNetAt, torchvision } from "./blocks.ts";
import { fromFile } from "../from-file.ts";
import { efficientRecipe, pooledTraining } from "../recipes.ts";

export interface EfficientnetOptions {
  /** Width of the last layer; default 1000. */
  readonly classes?: number;
  readonly side?: number;
  readonly name?: string;
}

interface Stage {
  readonly expansion: number;
  readonly size: number;
  readonly stride: number;
  readonly channels: number;
  readonly blocks: number;
}

/** The paper's Table 1. */
const stages: readonly Stage[] = [
  { expansion: 1, size: 3, stride: 1, channels: 16, blocks: 1 },
  { expansion: 6, size: 3, stride: 2, channels: 24, blocks: 2 },
  { expansion: 6, size: 5, stride: 2, channels: 40, blocks: 2 },
  { expansion: 6, size: 3, stride: 2, channels: 80, blocks: 3 },
  { expansion: 6, size: 5, stride: 1, channels: 112, blocks: 3 },
  { expansion: 6, size: 5, stride: 2, channels: 192, blocks: 4 },
  { expansion: 6, size: 3, stride: 1, channels: 320, blocks: 1 },
];

/**
 * EfficientNet-B0 at its initial state. Stochastic depth, which only exists in training, is left out: every block
 * always takes part.
 */
export function buildEfficientnetB0(options: EfficientnetOptions = {}): Network {
  const { classes = 1000, side = 224, name = "efficientnet-b0" } = options;
  const net = createBuilder(name);
  let inputs = 32;
  let x = net.input(lightValues.input, ["batch", 3, side, side]);
  const stem = { conv: "features.0.0", norm: "features.0.1", inputs: 3, outputs: inputs, size: 3, stride: 2 };
  x = swish(net, convNorm(net, x, stem));
  stages.forEach((stage, i) => {
    for (let block = 0; block < stage.blocks; block++) {
      const stride = block === 0 ? stage.stride : 1;
      x = mbConv(net, x, { ...stage, at: `features.${i + 1}.${block}`, inputs, stride });
      inputs = stage.channels;
    }
  });
  const at = `features.${stages.length + 1}`;
  x = swish(net, convNorm(net, x, { conv: `${at}.0`, norm: `${at}.1`, inputs, outputs: 1280, size: 1 }));
  x = linear(net, pooled(net, x), { name: "classifier.1", inputs: 1280, outputs: classes });
  return finished(net, [x], side);
}

/** x sigmoid(x), named after what it follows. */
function swish(net: Builder, x: string): string {
  return net.swish(x, { name: `${x}/swish` });
}

interface Block extends Stage {
  readonly at: string;
  readonly inputs: number;
}

/** 1x1 up, depthwise, squeeze-and-excitation, 1x1 down; beside a shortcut where the shape stays. */
function mbConv(net: Builder, x: string, block: Block): string {
  const { at, inputs, channels: outputs, size, stride, expansion } = block;
  const wide = inputs * expansion;
  let part = 0;
  const next = (): string => `${at}.block.${part++}`;
  const names = (own: string): { conv: string; norm: string } => ({ conv: `${own}.0`, norm: `${own}.1` });
  let main = x;
  if (expansion !== 1)
    main = swish(net, convNorm(net, main, { ...names(next()), inputs, outputs: wide, size: 1 }));
  const depthwise = { ...names(next()), inputs: wide, outputs: wide, size, stride, group: wide };
  main = swish(net, convNorm(net, main, depthwise));
  main = excited(net, main, { at: next(), channels: wide, squeezed: Math.max(1, Math.floor(inputs / 4)) });
  main = convNorm(net, main, { ...names(next()), inputs: wide, outputs, size: 1 });
  return stride === 1 && inputs === outputs ? net.add(main, x, { name: `${at}.add` }) : main;
}

interface Excitation {
  readonly at: string;
  readonly channels: number;
  readonly squeezed: number;
}

/** Every channel times a gate in 0..1 that is made from the averages of all channels (Hu et al. 2018). */
function excited(net: Builder, x: string, { at, channels, squeezed }: Excitation): string {
  const average = net.globalAveragePool(x, { name: `${at}.avgpool` });
  const point = (from: string, name: string, inputs: number, outputs: number): string =>
    net.conv(from, { name, weights: empty([outputs, inputs, 1, 1]), bias: new Float32Array(outputs) });
  const inner = swish(net, point(average, `${at}.fc1`, channels, squeezed));
  const gate = net.sigmoid(point(inner, `${at}.fc2`, squeezed, channels), { name: `${at}.gate` });
  return net.mul(gate, x, { name: `${at}.scaled` });
}

export const efficientnetB0Net = fromFile(
  {
    name: "efficientnet-b0",
    title: "EfficientNet-B0",
    use: "40 attributes on small machines",
    preprocessing: imageNetAt(224),
    source: torchvision,
  },
  { build: buildEfficientnetB0, last: "classifier.1.weight", values: lightValues },
  pooledTraining(buildEfficientnetB0, efficientRecipe, { trunk: lightValues.features }),
);
