/** A network whose work is chosen. */
import { createBuilder } from "../../lib/network/builder.ts";
import type { Network } from "../../lib/network/network.ts";

/** A few convolutions of `channels` filters. */
export function tower(channels: number, layers: number): Network {
  const net = createBuilder(`tower${channels}`);
  let x = net.input("image", ["batch", 3, 48, 48]);
  let width = 3;
  for (let i = 0; i < layers; i++) {
    const data = new Float32Array(channels * width * 9).fill(0.01);
    x = net.relu(net.conv(x, { weights: { shape: [channels, width, 3, 3], data }, pads: 1 }));
    width = channels;
  }
  return net.build([net.flatten(net.globalAveragePool(x), { name: "out" })]);
}
