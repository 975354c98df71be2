import { writeFile } from "node:fs/promises";
import { describe } from "../../lib/backbones/metadata.ts";
import { initialise } from "../../lib/backbones/initialise.ts";
import { writeOnnx } from "../../lib/formats/onnx/write.ts";
import { createBuilder } from "../../lib/network/builder.ts";
import type { Network, Tensor } from "../../lib/network/network.ts";

/** Three convolutions and a classifier on pictures of 32 x 32, random weights: a backbone that a test can prune in seconds. */
export function smallBackbone(): Network {
  const net = createBuilder("small");
  const empty = (...shape: number[]): Tensor => ({
    shape,
    data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
  });
  const widths = [3, 12, 16, 24];
  let x = net.input("image", ["batch", 3, 32, 32]);
  for (let i = 1; i < widths.length; i++) {
    const [weights, bias] = [empty(widths[i], widths[i - 1], 3, 3), new Float32Array(widths[i])];
    x = net.conv(x, { name: `conv${i}`, weights, bias, pads: 1, strides: 2 });
    x = net.relu(x, { name: `relu${i}` });
  }
  x = net.flatten(net.globalAveragePool(x, { name: "pool" }), { name: "flat" });
  x = net.gemm(x, { name: "primary", weights: empty(7, widths[3]), bias: new Float32Array(7) });
  const network = net.build([x]);
  const preprocessing = {
    ...{ width: 32, height: 32, color: "RGB" as const },
    mean: [128, 128, 128] as const,
    scale: [1 / 64, 1 / 64, 1 / 64] as const,
  };
  return describe(initialise(network, 5), { preprocessing, features: "pool" });
}

/** The same as a file that `--backbone` can name. */
export async function writeSmallBackbone(path: string): Promise<string> {
  await writeFile(path, writeOnnx(smallBackbone()));
  return path;
}
