import { expect } from "chai";
import { createRandom } from "../../lib/core/random.ts";
import type { Engine, Tensors } from "../../lib/engine/engine.ts";
import { openEngine } from "../../lib/engine/open.ts";
import { createBuilder } from "../../lib/network/builder.ts";
import type { Network, Tensor } from "../../lib/network/network.ts";
import { calibrate, type Seen } from "../../lib/quantize/calibrate.ts";
import { placesOf } from "../../lib/quantize/places.ts";
import { worstLayers } from "../../lib/quantize/sensitivity.ts";

const random = createRandom(5).fork("sensitivity");
const noise = (...shape: number[]): Tensor => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal()),
});
const layers = ["first", "second", "third", "fourth"];

function chain(): Network {
  const net = createBuilder("chain");
  let x = net.input("image", ["batch", 3, 12, 12]);
  for (const [i, name] of layers.entries()) {
    const { shape, data } = noise(8, i === 0 ? 3 : 8, 3, 3);
    x = net.relu(net.conv(x, { name, weights: { shape, data: data.map((w) => 0.2 * w) }, pads: 1 }));
  }
  return net.build([net.gemm(net.flatten(net.globalAveragePool(x)), { weights: noise(4, 8) })]);
}

describe("int8: the worst layers", function () {
  this.timeout(30_000);
  let engine: Engine;
  before(async () => {
    engine = await openEngine({ engine: "ort", threads: 1 });
  });
  after(() => engine.dispose());

  it("are found by several pictures, also where each batch holds one", async () => {
    const network = chain();
    const single: Tensors[] = Array.from({ length: 8 }, () => ({ image: noise(1, 3, 12, 12) }));
    const places = placesOf(network);
    const seen = await calibrate(engine, network, places, single);
    for (const worst of places.layers) {
      // steps so wide that little is left of what this layer reads
      const range = seen.ranges.get(worst.inputs[0]) ?? { low: 0, high: 0 };
      const wide = { low: 40 * range.low, high: 40 * range.high };
      const spoilt: Seen = { ...seen, ranges: new Map(seen.ranges).set(worst.inputs[0], wide) };
      // the layer before writes what this one reads: not asked
      const before = layers[layers.indexOf(worst.name) - 1];
      const order = await worstLayers(engine, network, {
        candidates: layers.filter((name) => name !== before),
        ...{ seen: spoilt, bits: 8, batches: () => single },
      });
      expect(order[0]).to.equal(worst.name);
    }
  });
});
