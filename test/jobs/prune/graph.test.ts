import { expect } from "chai";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silent } from "../../../lib/core/progress.ts";
import { createRandom } from "../../../lib/core/random.ts";
import type { Engine } from "../../../lib/engine/engine.ts";
import { openEngine } from "../../../lib/engine/open.ts";
import type { RunContext } from "../../../lib/jobs/prune/context.ts";
import { graphStage } from "../../../lib/jobs/prune/graph.ts";
import { inRunFolder } from "../../../lib/jobs/run/folder.ts";
import { createBuilder } from "../../../lib/network/builder.ts";
import type { Network, Tensor } from "../../../lib/network/network.ts";
import { randomInputs, relativeDifference, rounding, run } from "../../support/run.ts";

const random = createRandom(9).fork("graph");
const noise = (...shape: number[]): Tensor => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 0.1 * random.normal()),
});

/** Convolutions that a PRelu follows, or a Relu. */
function network(activation: "PRelu" | "Relu"): Network {
  const net = createBuilder("activations");
  let x = net.input("image", ["batch", 3, 40, 40]);
  for (let i = 0; i < 5; i++) {
    const inputs = i === 0 ? 3 : 32;
    x = net.conv(x, { name: `c${i}`, weights: noise(32, inputs, 3, 3), bias: noise(32).data, pads: 1 });
    x = activation === "Relu" ? net.relu(x) : net.pRelu(x, noise(32).data, { name: `p${i}` });
  }
  return net.build([x]);
}

describe("prune: the graph beside a network", () => {
  let root: string;
  let engine: Engine;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-graph-"));
    engine = await openEngine({ engine: "ort", threads: 1 });
  });
  after(async () => {
    await engine.dispose();
    await rm(root, { recursive: true, force: true });
  });

  const stage = (out: string, given: Network, notes: string[] = []): ReturnType<typeof graphStage> =>
    inRunFolder(out, { config: { out }, progress: silent }, async (folder) => {
      const progress = { ...silent, note: (text: string) => void notes.push(text) };
      const context = { folder, timer: engine, progress, config: { runs: 20 } } as unknown as RunContext;
      return graphStage(context, { name: "pruned", title: "ETL", network: given, history: [] });
    });

  it("is written where it is faster, computes the same, and is what the run has decided once", async () => {
    const given = network("PRelu");
    const out = join(root, "prelu");
    const notes: string[] = [];
    const made = await stage(out, given, notes);
    const file = join(out, "pruned-onnxruntime.onnx");
    expect(notes).to.have.length(1);
    const [, plain, split] =
      /as it is ([\d.]+) ms, PRelu as depthwise convolutions ([\d.]+) ms/.exec(notes[0]) ?? [];
    const isWorth = Number(split) < 0.945 * Number(plain);
    if (isWorth || Number(split) > 0.955 * Number(plain)) expect(made.length).to.equal(isWorth ? 1 : 0);
    expect(existsSync(file)).to.equal(made.length === 1);
    for (const model of made) {
      expect(model).to.include({ name: "pruned-onnxruntime", stage: "graph:pruned" });
      expect(model.network.nodes.some(({ op }) => op === "PRelu")).to.equal(false);
      const inputs = randomInputs(given, { batch: 2, seed: 3 });
      expect(relativeDifference(await run(model.network, inputs), await run(given, inputs))).to.be.below(
        rounding,
      );
    }
    // Another look decides nothing anew, and one flipped byte is seen.
    const again: string[] = [];
    expect(await stage(out, given, again)).to.have.length(made.length);
    expect(again).to.deep.equal(notes);
    for (const { network: whole } of made) {
      const bytes = await readFile(file);
      bytes[bytes.length >> 1] ^= 1;
      await writeFile(file, bytes);
      for (const { network: anew } of await stage(out, given))
        expect(anew.parameters).to.deep.equal(whole.parameters);
    }
  });

  it("there is none of a network whose activations do not break blocks", async () => {
    const notes: string[] = [];
    expect(await stage(join(root, "relu"), network("Relu"), notes)).to.deep.equal([]);
    expect(notes).to.deep.equal([]);
  });

  it("is tried where widths are no multiples of 4, but not where chance would decide", async () => {
    const odd = (side: number): Network => {
      const net = createBuilder("odd");
      let x = net.input("image", ["batch", 3, side, side]);
      for (let i = 0; i < 3; i++)
        x = net.conv(x, { name: `c${i}`, weights: noise(33, i === 0 ? 3 : 33, 3, 3), pads: 1 });
      return net.build([net.globalAveragePool(x)]);
    };
    const [few, many]: string[][] = [[], []];
    expect(await stage(join(root, "few"), odd(4), few)).to.deep.equal([]);
    expect(few).to.deep.equal([]);
    const made = await stage(join(root, "many"), odd(40), many);
    expect(many.join()).to.contain("channels of zeros up to multiples of 4");
    for (const { network: wide } of made)
      expect(Number(wide.parameters.get("c0.weight")?.shape[0]) % 4).to.equal(0);
  });
});
