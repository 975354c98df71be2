import { expect } from "chai";
import { createRandom } from "../../lib/core/random.ts";
import type { Engine } from "../../lib/engine/engine.ts";
import { openEngine } from "../../lib/engine/open.ts";
import { noiseFor } from "../../lib/evaluate/profile.ts";
import { asBytes } from "../../lib/jobs/run/latency.ts";
import { layerTimes, type LayerTime } from "../../lib/latency/kernels.ts";
import { createBuilder } from "../../lib/network/builder.ts";
import type { Network, Tensor } from "../../lib/network/network.ts";
import { calibrate } from "../../lib/quantize/calibrate.ts";
import { placesOf } from "../../lib/quantize/places.ts";
import { quantized } from "../../lib/quantize/rewrite.ts";

const random = createRandom(3).fork("kernels");
const noise = (...shape: number[]): Tensor => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal()),
});

/** A first convolution to `inputs` channels, then the one in question. */
function convolution(inputs: number, outputs: number, group: number): Network {
  const net = createBuilder("convolution");
  const x = net.input("image", ["batch", 3, 16, 16]);
  const first = net.relu(net.conv(x, { name: "first", weights: noise(inputs, 3, 3, 3), pads: 1 }), {
    name: "first/relu",
  });
  const weights = noise(outputs, inputs / group, 3, 3);
  const asked = net.relu(net.conv(first, { name: "asked", weights, pads: 1, group }), { name: "relu" });
  const flat = net.flatten(net.globalAveragePool(asked, { name: "pool" }), { name: "flat" });
  return net.build([net.gemm(flat, { name: "head", weights: noise(2, outputs) })]);
}

describe("kernels of a run", () => {
  let engine: Engine;
  before(async () => {
    engine = await openEngine({ threads: 1 });
  });
  after(() => engine.dispose());

  const times = async (network: Network): Promise<LayerTime[]> =>
    layerTimes(
      network,
      await engine.kernels(network, noiseFor(network, 1), { runs: 3 }),
      engine.channelBlock,
    );

  for (const [inputs, outputs, group] of [
    [32, 32, 1],
    [33, 32, 1],
    [34, 32, 1],
    [36, 20, 1],
    [31, 7, 1],
    [7, 9, 1],
    [5, 32, 1],
    [32, 32, 32],
    [36, 36, 36],
    [33, 33, 33],
    [64, 64, 2],
    [48, 48, 2],
    [24, 24, 2],
    [32, 64, 32],
  ] as const)
    it(`${inputs} to ${outputs} in ${group} groups: plain exactly where there is a reason`, async () => {
      const layers = await times(convolution(inputs, outputs, group));
      const asked = layers.find(({ name }) => name === "asked");
      expect(asked?.op).to.equal("Conv");
      expect(asked?.ms).to.be.above(0);
      expect(asked?.kernel === "plain", JSON.stringify(asked)).to.equal(asked?.reason !== undefined);
    });

  it("every layer is named by the network's own names, what was fused is not lost", async () => {
    const layers = await times(convolution(32, 32, 1));
    const names = layers.map(({ name }) => name);
    expect(names).to.include.members(["first", "asked", "pool", "head"]);
    expect(names).to.not.include("relu");
  });

  it("made-up ranges are fused as those of pictures are, so that a latency table tells the truth of int8", async () => {
    const network = convolution(32, 32, 1);
    const places = placesOf(network);
    const pictures = [{ image: noise(2, 3, 16, 16) }];
    const { ranges } = await calibrate(engine, network, places, pictures);
    const real = quantized(network, places, { ranges, bits: 8 });
    const opsOf = async (one: Network): Promise<string[]> =>
      (await engine.kernels(one, noiseFor(one, 1), { runs: 2 })).map(({ op }) => op);
    const found = await opsOf(asBytes(network, "bytes"));
    expect(found).to.deep.equal(await opsOf(real));
    expect(found).to.include("QLinearConv").and.not.include("Relu");
  });

  it("tfjs says that it does not tell", async () => {
    const other = await openEngine({ engine: "tfjs" });
    try {
      const network = convolution(4, 4, 1);
      await other.kernels(network, noiseFor(network, 1), { runs: 1 });
      expect.fail("no error");
    } catch (error) {
      expect(String(error)).to.match(/tfjs: does not tell times of kernels, --engine ort was needed/);
    } finally {
      await other.dispose();
    }
  });
});
