/**
 * ShuffleNetV2 (Ma et al. 2018) with torchvision's names: half of the channels passes by, the other half is
 * transformed, both are shuffled. At width 1.0, 224x224, 1,000 classes: 144.9 M MACs, 2.28 M parameters.
 */
import { EtlError } from "../../core/errors.ts";
import { createBuilder, type Builder } from "../../network/builder.ts";
import type { Network } from "../../network/network.ts";
import { convNorm, finished, lightValues, linear, pooled, relu, imageNetAt, torchvision } from "./blocks.ts";
import { fromFile } from "../from-file.ts";
import { efficientRecipe, pooledTraining } from "../recipes.ts";

export interface ShufflenetV2Options {
  /** Width of the last layer; default 1000. */
  readonly classes?: number;
  readonly side?: number;
  /** One of 0.5, 1, 1.5, 2. Default 1. */
  readonly width?: number;
  readonly name?: string;
}

/** Channels of the three stages and of the last convolution (the paper's Table 5), by width. */
const channels: ReadonlyMap<number, readonly number[]> = new Map([
  [0.5, [48, 96, 192, 1024]],
  [1, [116, 232, 464, 1024]],
  [1.5, [176, 352, 704, 1024]],
  [2, [244, 488, 976, 2048]],
]);
const units = [4, 8, 4];

/** ShuffleNetV2 at its initial state. */
export function buildShufflenetV2(options: ShufflenetV2Options = {}): Network {
  const { classes = 1000, side = 224, width = 1, name = "shufflenet-v2" } = options;
  const widths = channels.get(width);
  if (widths === undefined) {
    throw new EtlError(
      "usage",
      `${name}: width ${width}, one of ${[...channels.keys()].join(", ")} was needed`,
    );
  }
  const net = createBuilder(name);
  let x = net.input(lightValues.input, ["batch", 3, side, side]);
  x = relu(
    net,
    convNorm(net, x, { conv: "conv1.0", norm: "conv1.1", inputs: 3, outputs: 24, size: 3, stride: 2 }),
  );
  x = net.maxPool(x, { name: "maxpool", kernel: 3, strides: 2, pads: 1 });
  let inputs = 24;
  let size = half(half(side));
  units.forEach((count, stage) => {
    const outputs = widths[stage];
    size = half(size);
    for (let unit = 0; unit < count; unit++) {
      const at = `stage${stage + 2}.${unit}`;
      x = unit === 0 ? downUnit(net, x, { at, inputs, outputs }) : flatUnit(net, x, { at, outputs });
      x = shuffled(net, x, { at, channels: outputs, size });
    }
    inputs = outputs;
  });
  const last = widths[3];
  x = relu(net, convNorm(net, x, { conv: "conv5.0", norm: "conv5.1", inputs, outputs: last, size: 1 }));
  x = linear(net, pooled(net, x), { name: "fc", inputs: last, outputs: classes });
  return finished(net, [x], side);
}

/** Size after a 3x3 window of stride 2 with one pixel of padding. */
const half = (size: number): number => Math.floor((size - 1) / 2) + 1;

/** Half of the channels passes, the other half goes through {@link branch}. */
function flatUnit(net: Builder, x: string, { at, outputs }: { at: string; outputs: number }): string {
  const wide = outputs / 2;
  const [keep, change] = net.split(x, [wide, wide], { name: `${at}.split` });
  const changed = branch(net, change, { at: `${at}.branch2`, inputs: wide, outputs: wide, stride: 1 });
  return net.concat([keep, changed], { name: `${at}.concat` });
}

/** Both branches see all channels and halve the picture. */
function downUnit(
  net: Builder,
  x: string,
  { at, inputs, outputs }: { at: string; inputs: number; outputs: number },
): string {
  const wide = outputs / 2;
  const one = `${at}.branch1`;
  const depthwise = { conv: `${one}.0`, norm: `${one}.1`, inputs, outputs: inputs, group: inputs };
  let left = convNorm(net, x, { ...depthwise, size: 3, stride: 2 });
  left = relu(
    net,
    convNorm(net, left, { conv: `${one}.2`, norm: `${one}.3`, inputs, outputs: wide, size: 1 }),
  );
  const right = branch(net, x, { at: `${at}.branch2`, inputs, outputs: wide, stride: 2 });
  return net.concat([left, right], { name: `${at}.concat` });
}

interface Branch {
  readonly at: string;
  readonly inputs: number;
  readonly outputs: number;
  readonly stride: number;
}

/** 1x1, 3x3 depthwise without activation, 1x1. */
function branch(net: Builder, x: string, { at, inputs, outputs, stride }: Branch): string {
  let y = convNorm(net, x, { conv: `${at}.0`, norm: `${at}.1`, inputs, outputs, size: 1 });
  const depthwise = { conv: `${at}.3`, norm: `${at}.4`, inputs: outputs, outputs, group: outputs };
  y = convNorm(net, relu(net, y), { ...depthwise, size: 3, stride });
  return relu(net, convNorm(net, y, { conv: `${at}.5`, norm: `${at}.6`, inputs: outputs, outputs, size: 1 }));
}

/** Channel shuffle over two groups: [2, c / 2] read as [c / 2, 2]. */
function shuffled(
  net: Builder,
  x: string,
  { at, channels: all, size }: { at: string; channels: number; size: number },
): string {
  const apart = net.reshape(x, [0, 2, all / 2, size, size], { name: `${at}.apart` });
  const turned = net.transpose(apart, [0, 2, 1, 3, 4], { name: `${at}.turned` });
  return net.reshape(turned, [0, all, size, size], { name: `${at}.shuffle` });
}

export const shufflenetV2Net = fromFile(
  {
    name: "shufflenet-v2",
    title: "ShuffleNetV2 x1",
    use: "40 attributes on small machines",
    preprocessing: imageNetAt(224),
    source: torchvision,
  },
  { build: buildShufflenetV2, last: "fc.weight", values: lightValues },
  pooledTraining(buildShufflenetV2, efficientRecipe, {
    title: "ShuffleNetV2",
    trunk: lightValues.features,
    widths: [...channels.keys()],
  }),
);
