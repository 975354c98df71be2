/**
 * ResNet18 and ResNet50 (He et al. 2016) with torchvision's names. 224x224: 1.81 G MACs and 11.7 M parameters, 4.09 G
 * and 25.6 M at 1,000 classes. Batch norm stays a layer of its own, so that the networks can be trained from scratch.
 */
import type { Preprocessing } from "../../core/artifacts.ts";
import { createBuilder, type Builder } from "../../network/builder.ts";
import type { Network } from "../../network/network.ts";
import { convNorm, linear, namedWeights } from "./blocks.ts";
import { describe } from "../metadata.ts";
import { fromFile } from "../from-file.ts";
import { attributesRecipe, dmmRecipe, pooledTraining } from "../recipes.ts";

export interface ResnetOptions {
  /** Width of the last layer; default 1000. */
  readonly classes?: number;
  readonly side?: number;
  readonly name?: string;
  readonly preprocessing?: Preprocessing;
  /**
   * Which convolution of a bottleneck halves: `3x3` as in torchvision, `1x1` as in the paper and in the public
   * VGGFace2 weights.
   */
  readonly strideOn?: "3x3" | "1x1" | undefined;
  /** Widths of linear layers with ReLU before the last one; default: none. */
  readonly hidden?: readonly number[];
}

/** ImageNet's mean and deviation, RGB. */
export const imageNetPreprocessing: Preprocessing = {
  width: 224,
  height: 224,
  color: "RGB",
  mean: [123.675, 116.28, 103.53],
  scale: [1 / 58.395, 1 / 57.12, 1 / 57.375],
};

/** Names of the values that others hold on to. */
export const resnetValues = { input: "image", features: "avgpool", embedding: "avgpool/flat" } as const;

/** ResNet18 at its initial state: convolutions zero, batch norms the identity. */
export function buildResnet18(options: ResnetOptions = {}): Network {
  return buildResnet({ name: "resnet18", ...options }, resnetShapes[18]);
}

/** ResNet50 at its initial state: convolutions zero, batch norms the identity. */
export function buildResnet50(options: ResnetOptions = {}): Network {
  return buildResnet({ name: "resnet50", ...options }, resnetShapes[50]);
}

/**
 * ResNet18 with three linear layers (512, 128, classes) in place of one, ReLU between them: the reference of Wang and
 * Wong for facial attributes. Their layers are `fc.0`, `fc.2` and `fc.4`; heads for other tasks go on the 128.
 */
export function buildResnet18Mlp(options: ResnetOptions = {}): Network {
  const own = { name: "resnet18-mlp", classes: 40, hidden: [512, 128], ...options };
  return buildResnet(own, resnetShapes[18]);
}

/** Names of the values of {@link buildResnet18Mlp} that others hold on to. */
export const resnet18MlpValues = { features: "fc.3", embedding: "fc.3" } as const;

function buildResnet(options: ResnetOptions & { readonly name: string }, shape: Shape): Network {
  const { classes = 1000, preprocessing = imageNetPreprocessing, hidden = [] } = options;
  const side = options.side ?? preprocessing.width;
  const net = createBuilder(options.name);
  const trunk = resnetTrunk(net, { ...shape, side, strideOn: options.strideOn });
  let { channels } = trunk;
  let x = net.globalAveragePool(trunk.map, { name: resnetValues.features });
  x = net.flatten(x, { name: resnetValues.embedding });
  let { features, embedding }: { features: string; embedding: string } = resnetValues;
  hidden.forEach((outputs, i) => {
    x = net.relu(linear(net, x, { name: `fc.${2 * i}`, inputs: channels, outputs }), {
      name: `fc.${2 * i + 1}`,
    });
    channels = outputs;
    features = embedding = x;
  });
  const name = hidden.length === 0 ? "fc" : `fc.${2 * hidden.length}`;
  x = linear(net, x, { name, inputs: channels, outputs: classes });
  return describe(net.build([x]), {
    preprocessing: { ...preprocessing, width: side, height: side },
    features,
    embedding,
  });
}

/** Numbers of blocks, and which kind of block. */
interface Shape {
  readonly layers: readonly number[];
  readonly bottleneck: boolean;
}

/** The two depths. */
export const resnetShapes = {
  18: { layers: [2, 2, 2, 2], bottleneck: false },
  50: { layers: [3, 4, 6, 3], bottleneck: true },
} as const satisfies Record<number, Shape>;

/** Everything up to the last map [n, channels, height, width], in a network that is being built. */
export function resnetTrunk(
  net: Builder,
  shape: Shape & { readonly side: number; readonly strideOn?: ResnetOptions["strideOn"] },
): { readonly map: string; readonly channels: number } {
  const { side, strideOn = "3x3" } = shape;
  let x = net.input(resnetValues.input, ["batch", 3, side, side]);
  x = convNorm(net, x, { conv: "conv1", norm: "bn1", inputs: 3, outputs: 64, size: 7, stride: 2 });
  x = net.relu(x, { name: "relu" });
  x = net.maxPool(x, { name: "maxpool", kernel: 3, strides: 2, pads: 1 });
  let inputs = 64;
  shape.layers.forEach((blocks, i) => {
    const filters = 64 * 2 ** i;
    for (let block = 0; block < blocks; block++) {
      const name = `layer${i + 1}.${block}`;
      const stride = i > 0 && block === 0 ? 2 : 1;
      const write = shape.bottleneck ? bottleneck : basicBlock;
      x = write(net, x, { name, inputs, filters, stride, strideOn });
      inputs = shape.bottleneck ? 4 * filters : filters;
    }
  });
  return { map: x, channels: inputs };
}

interface Block {
  readonly name: string;
  readonly inputs: number;
  readonly filters: number;
  readonly stride: number;
  readonly strideOn: "3x3" | "1x1";
}

/** Two 3x3 convolutions beside the shortcut. */
function basicBlock(net: Builder, x: string, { name, inputs, filters, stride }: Block): string {
  const conv = (k: number): { conv: string; norm: string } => ({
    conv: `${name}.conv${k}`,
    norm: `${name}.bn${k}`,
  });
  let main = convNorm(net, x, { ...conv(1), inputs, outputs: filters, size: 3, stride });
  main = net.relu(main, { name: `${name}.relu1` });
  main = convNorm(net, main, { ...conv(2), inputs: filters, outputs: filters, size: 3, stride: 1 });
  return joined(net, main, { x, name, inputs, outputs: filters, stride });
}

/** 1x1, 3x3 and 1x1 convolutions beside the shortcut; four times as many filters come out. */
function bottleneck(net: Builder, x: string, { name, inputs, filters, stride, strideOn }: Block): string {
  const conv = (k: number): { conv: string; norm: string } => ({
    conv: `${name}.conv${k}`,
    norm: `${name}.bn${k}`,
  });
  const [first, second] = strideOn === "1x1" ? [stride, 1] : [1, stride];
  let main = convNorm(net, x, { ...conv(1), inputs, outputs: filters, size: 1, stride: first });
  main = net.relu(main, { name: `${name}.relu1` });
  main = convNorm(net, main, { ...conv(2), inputs: filters, outputs: filters, size: 3, stride: second });
  main = net.relu(main, { name: `${name}.relu2` });
  main = convNorm(net, main, { ...conv(3), inputs: filters, outputs: 4 * filters, size: 1, stride: 1 });
  return joined(net, main, { x, name, inputs, outputs: 4 * filters, stride });
}

/** Adds the shortcut, projected where the shape changes. */
function joined(
  net: Builder,
  main: string,
  shortcut: { x: string; name: string; inputs: number; outputs: number; stride: number },
): string {
  const { name, inputs, outputs, stride } = shortcut;
  let { x } = shortcut;
  if (stride !== 1 || inputs !== outputs) {
    const [conv, norm] = [`${name}.downsample.0`, `${name}.downsample.1`];
    x = convNorm(net, x, { conv, norm, inputs, outputs, size: 1, stride });
  }
  return net.relu(net.add(main, x, { name: `${name}.add` }), { name: `${name}.relu` });
}

const saved = "torchvision or timm, saved as .safetensors";

export const resnet18Net = fromFile(
  {
    name: "resnet18",
    title: "ResNet18",
    use: "any task, the smaller of the usual two",
    preprocessing: imageNetPreprocessing,
    source: saved,
  },
  { build: buildResnet18, last: "fc.weight", values: resnetValues },
  pooledTraining(buildResnet18, attributesRecipe, { trunk: resnetValues.features }),
);

export const resnet50Net = fromFile(
  {
    name: "resnet50",
    title: "ResNet50",
    use: "any task, the larger of the usual two",
    preprocessing: imageNetPreprocessing,
    source: saved,
  },
  { build: buildResnet50, last: "fc.weight", values: resnetValues },
  pooledTraining(buildResnet50, dmmRecipe, { trunk: resnetValues.features }),
);

export const resnet18MlpNet = fromFile(
  {
    name: "resnet18-mlp",
    title: "ResNet18, head 512-512-128-40",
    use: "40 attributes, what the light ones are compared with",
    preprocessing: imageNetPreprocessing,
    source: namedWeights("of torchvision's ResNet18 and fc.0, fc.2, fc.4"),
  },
  { build: buildResnet18Mlp, last: "fc.4.weight", values: resnet18MlpValues },
  pooledTraining(buildResnet18Mlp, attributesRecipe, {
    title: "ResNet18 with a head of 512, 128 and the outputs",
    trunk: resnetValues.embedding,
    features: resnet18MlpValues.features,
  }),
);
