import { expect } from "chai";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readModel } from "../../../lib/backbones/read-model.ts";
import { writeWhole } from "../../../lib/core/files.ts";
import { writeOnnx } from "../../../lib/formats/onnx/write.ts";
import { cutModel } from "../../../lib/jobs/cut/cut.ts";
import { openCuttable } from "../../../lib/jobs/cut/model.ts";
import { blockPrices } from "../../../lib/jobs/cut/prices.ts";
import { usualWork } from "../../../lib/latency/usual.ts";
import { createBuilder } from "../../../lib/network/builder.ts";
import { costOf } from "../../../lib/network/cost.ts";
import type { Network } from "../../../lib/network/network.ts";

/** Convolutions over maps of 32, 16, 8, 4 and 2 places a side, the narrow one of one block. */
function pyramid(): Network {
  const net = createBuilder("pyramid");
  let [x, inputs] = [net.input("image", ["batch", 3, 64, 64]), 3];
  for (const [i, outputs] of [64, 64, 128, 128, 256, 16].entries()) {
    const weights = {
      shape: [outputs, inputs, 3, 3],
      data: Float32Array.from({ length: outputs * inputs * 9 }, (_, at) => Math.sin(at + i)),
    };
    const strides = i === 5 ? 1 : 2;
    x = net.relu(net.conv(x, { name: `c${i}`, weights, bias: new Float32Array(outputs), pads: 1, strides }), {
      name: `c${i}/relu`,
    });
    inputs = outputs;
  }
  const flat = net.flatten(net.globalAveragePool(x, { name: "pool" }), { name: "flat" });
  const head = { shape: [2, 16], data: Float32Array.from({ length: 32 }, (_, at) => Math.cos(at)) };
  return net.build([net.gemm(flat, { name: "head", weights: head, bias: new Float32Array(2) })]);
}

describe("cut: prices of multiplications", function () {
  this.timeout(60_000);
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-prices-"));
    await writeWhole(join(root, "pyramid.onnx"), writeOnnx(pyramid()));
  });
  after(() => rm(root, { recursive: true, force: true }));

  it("are higher where maps are small, 1 where no block can leave, and within bounds", async () => {
    const model = await openCuttable(join(root, "pyramid.onnx"));
    const prices = blockPrices(model, 16);
    const of = (layer: string): number => {
      const found = model.coupling.layers.find(({ name }) => name === layer);
      const own = new Set(Array.from(found?.outputs ?? [], (atom) => prices[model.coupling.classOf[atom]]));
      expect(own.size, layer).to.equal(1);
      return Math.max(...own);
    };
    const found = ["c0", "c1", "c2", "c3", "c4"].map(of);
    expect(found.slice(1)).to.deep.equal(found.slice(1).toSorted((a, b) => a - b));
    for (const price of found.slice(0, 3)) expect(price).to.be.within(2 / 3, 0.95);
    expect(found[4]).to.be.within(1.05, 3 / 2);
    expect(of("c5")).to.equal(1);
    expect([...prices].every((price) => price >= 2 / 3 && price <= 3 / 2)).to.equal(true);
  });

  it("a cut for MACs takes more of dear layers: the same MACs, less time and fewer parameters than equal shares", async () => {
    const model = join(root, "pyramid.onnx");
    const cut = async (options: object): Promise<Network> => {
      const out = join(root, "cut.onnx");
      await cutModel({ model, out, check: false, ...options });
      return readModel(out);
    };
    const priced = await cut({ targetFlops: 0.5, roundTo: 8 });
    const whole = costOf(pyramid()).total.macs;
    expect(costOf(priced).total.macs / whole).to.be.within(0.47, 0.5);
    // equal shares of as many MACs
    const shares = [0.66, 0.68, 0.7, 0.72, 0.74, 0.76];
    const equal: Network[] = [];
    for (const keep of shares) equal.push(await cut({ keep, roundTo: 8 }));
    const near = equal.filter((one) => costOf(one).total.macs >= costOf(priced).total.macs);
    expect(near.length).to.be.above(0);
    for (const one of near) {
      expect(usualWork(priced)).to.be.below(usualWork(one));
      expect(costOf(priced).total.params).to.be.below(costOf(one).total.params);
    }
  });

  it("are not asked where single channels may leave", async () => {
    const model = join(root, "pyramid.onnx");
    const at = async (options: object): Promise<readonly number[]> => {
      const { layers } = await cutModel({ model, out: join(root, "cut.onnx"), check: false, ...options });
      return layers.map(({ keptOutputs, totalOutputs }) => keptOutputs.length / totalOutputs);
    };
    const kept = (await at({ targetFlops: 0.5, roundTo: 1 })).slice(0, 5);
    expect(Math.max(...kept) - Math.min(...kept)).to.be.below(0.02);
  });
});
