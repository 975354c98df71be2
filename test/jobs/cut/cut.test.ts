import { expect } from "chai";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readModel } from "../../../lib/backbones/read-model.ts";
import { isEtlError, messageOf } from "../../../lib/core/errors.ts";
import { silent } from "../../../lib/core/progress.ts";
import { readJson, writeWhole } from "../../../lib/core/files.ts";
import { writeOnnx } from "../../../lib/formats/onnx/write.ts";
import { costOf } from "../../../lib/network/cost.ts";
import { int64, type Network } from "../../../lib/network/network.ts";
import { explainLayer, planModel } from "../../../lib/jobs/cut/plan.ts";
import { compareWithMasked } from "../../../lib/jobs/cut/check.ts";
import { cutModel } from "../../../lib/jobs/cut/cut.ts";
import { openCuttable } from "../../../lib/jobs/cut/model.ts";
import type { CutOptions } from "../../../lib/jobs/cut/options.ts";
import { workOf } from "../../../lib/latency/features.ts";
import { openEngine } from "../../../lib/engine/open.ts";
import { main } from "../../../bin/main.ts";
import { maskByPlan, type PlanEntry } from "../../support/file-mask.ts";
import { patterns, sketch } from "../../support/patterns.ts";
import { randomInputs, relativeDifference, rounding, run } from "../../support/run.ts";

describe("cut: a model file, without data", function () {
  this.timeout(60_000);
  let root: string;
  const path = (name: string): string => join(root, name);
  const put = async (name: string, network: Network): Promise<string> => {
    await writeWhole(path(name), writeOnnx(network));
    return path(name);
  };
  const call = async (options: Partial<CutOptions> & { model: string }) => {
    const given = {
      out: path("cut.onnx"),
      planOut: path("plan.json"),
      criterion: "random",
      ...options,
    } as const;
    const result = await cutModel(given);
    const { layers } = (await readJson(path("plan.json"))) as { layers: PlanEntry[] };
    return { result, layers, cut: await readModel(path("cut.onnx")) };
  };
  /** The promise of plan.json, without any of the code that made it. */
  const difference = async (model: string, layers: readonly PlanEntry[], cut: Network): Promise<number> => {
    const original = await readModel(model);
    const inputs = randomInputs(original, { batch: 2, seed: 5 });
    return relativeDifference(await run(cut, inputs), await run(maskByPlan(original, layers), inputs));
  };
  const refused = async (options: Partial<CutOptions> & { model: string }): Promise<string> => {
    const error: unknown = await call(options).catch((reason: unknown) => reason);
    expect(error).to.be.instanceOf(Error);
    return messageOf(error);
  };
  let chain: string;

  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-cut-"));
    const s = sketch("wide chain");
    const a = s.relu(s.layer(s.input("input", ["n", 3, 16, 16]), "a", [3, 32]));
    const b = s.relu(s.layer(a, "b", [32, 64], { strides: 2 }));
    const c = s.relu(s.layer(b, "c", [64, 64]));
    chain = await put("chain.onnx", s.build([s.dense(s.flatten(s.globalAveragePool(c)), "head", [64, 5])]));
  });
  after(() => rm(root, { recursive: true, force: true }));

  for (const [i, { title, network }] of patterns.entries()) {
    it(`the file with masked inputs and the cut file agree: ${title}`, async () => {
      const model = await put(`pattern${i}.onnx`, network);
      const { layers, cut } = await call({ model, keep: 0.5, seed: i, check: false });
      expect(await difference(model, layers, cut)).to.be.at.most(rounding);
      expect(cut.inputs).to.deep.equal(network.inputs);
      expect(cut.outputs).to.deep.equal((await readModel(model)).outputs);
      const weighted = new Set(["Conv", "ConvTranspose", "Gemm", "MatMul"]);
      const names = network.nodes
        .filter(({ op, inputs }) => weighted.has(op) && inputs.some((name) => network.parameters.has(name)))
        .map(({ name }) => name);
      expect(layers.map(({ name }) => name)).to.deep.equal(names);
      for (const layer of layers) {
        expect(layer.keptInputs).to.deep.equal([...layer.keptInputs].sort((x, y) => x - y));
        if (layer.keptOutputs.length === layer.totalOutputs)
          expect(layer.reason, layer.name).to.be.a("string");
      }
    });
  }

  it("names survive shape arithmetic, dropped nodes, unnamed nodes and layers that nothing reads", async () => {
    const s = sketch("as exporters write it");
    const x = s.relu(s.identity(s.layer(s.input("input", ["batch", 3, 8, 8]), "a", [3, 6])));
    const size = s.node("Gather", [s.node("Shape", [x]), s.parameter("zero", int64([0], []))]);
    const front = s.node("Unsqueeze", [size, s.parameter("axes", int64([0]))]);
    const target = s.concat([front, s.parameter("rest", int64([-1]))], { axis: 0 });
    const head = s.dense(s.node("Reshape", [x, target]), "named after its output", [384, 4]);
    s.layer(x, "left over", [6, 5]);
    const network = s.build([head]);
    const nodes = network.nodes.map((node) => (node.op === "Gemm" ? { ...node, name: "" } : node));
    const unnamed = { ...network, nodes };
    const model = await put("exported.onnx", unnamed);
    const { layers, cut } = await call({ model, keep: 0.5 });
    expect(layers.map(({ name }) => name)).to.deep.equal(["a", head, "left over"]);
    expect(layers[1].totalInputs).to.equal(6 * 64);
    expect(layers[1].keptInputs).to.have.length(3 * 64);
    expect(layers[2].reason).to.match(/no output of the network depends on it/);
    expect(await difference(model, layers.slice(0, 2), cut)).to.be.at.most(rounding);
  });

  it("layers whose channels are not followed are listed, whole, with a reason", async () => {
    const s = sketch("three axes");
    const rows = s.reshape(s.relu(s.layer(s.input("input", ["n", 3, 8, 8]), "a", [3, 6])), [0, 6, 1, 64]);
    const product = s.matMul(rows, s.vector("w", [6, 64, 5]), { name: "product" });
    const model = await put("three.onnx", s.build([product]));
    const { layers, cut } = await call({ model, keep: 0.5 });
    expect(layers[1]).to.deep.include({ name: "product", totalInputs: 64, totalOutputs: 5 });
    expect(layers[1].keptInputs).to.have.length(64);
    expect(layers[1].reason).to.match(/MatMul product .*not followed/);
    expect(await difference(model, layers, cut)).to.be.at.most(rounding);
  });

  it("a file whose height and width are open stays open", async () => {
    const s = sketch("open sizes");
    const a = s.relu(s.layer(s.input("input", ["n", 3, 16, 16]), "a", [3, 8], { strides: 2 }));
    const half = s.parameter("twice", { type: "float32", shape: [4], data: Float32Array.of(1, 1, 2, 2) });
    const up = s.node("Resize", [s.layer(a, "b", [8, 8]), "", half]);
    const fixed = s.build([s.layer(up, "head", [8, 2])]);
    const open = {
      ...fixed,
      inputs: fixed.inputs.map((input) => ({ ...input, shape: ["n", 3, "h", "w"] })),
      outputs: fixed.outputs.map((output) => ({ ...output, shape: ["n", 2, "h", "w"] })),
    };
    const model = await put("open.onnx", open);
    const { result, layers, cut } = await call({ model, keep: 0.5 });
    expect(result.notes[0]).to.match(/h, w: open in the file, 224 is assumed/);
    expect(cut.inputs[0].shape).to.deep.equal(["n", 3, "h", "w"]);
    expect(layers.map(({ keptOutputs }) => keptOutputs.length)).to.deep.equal([4, 4, 2]);
    const original = await readModel(model);
    const size = { ...original, inputs: [{ ...original.inputs[0], shape: [1, 3, 20, 12] }] };
    const inputs = randomInputs(size, { batch: 1, seed: 2 });
    const expected = await run(maskByPlan(original, layers), inputs);
    expect(relativeDifference(await run(cut, inputs), expected)).to.be.at.most(rounding);
  });

  it("says which widths are slow, and what to do, unless they were asked for", async () => {
    const s = sketch("odd widths");
    const a = s.relu(s.layer(s.input("input", ["n", 3, 8, 8]), "a", [3, 20]));
    const model = await put("widths.onnx", s.build([s.layer(a, "b", [20, 4])]));
    const notes: string[] = [];
    const progress = { ...silent, note: (text: string) => void notes.push(text) };
    await call({ model, keep: 0.5, progress });
    expect(notes.join()).to.match(/no multiples of 4.*--round-to auto/);
    notes.length = 0;
    await call({ model, keep: 0.5, roundTo: 1, progress });
    await call({ model, keep: 0.4, progress });
    expect(notes.join()).not.to.contain("multiples of 4");
  });

  it("reaches a share of the MACs, as near as whole channels allow", async () => {
    for (const target of [0.7, 0.3, 0.1]) {
      const { result, cut } = await call({ model: chain, targetFlops: target, roundTo: 1 });
      expect(result.after.macs / result.before.macs).to.be.within(target - 0.05, target);
      expect(costOf(cut).total.macs).to.equal(result.after.macs);
    }
  });

  it("a target takes widths in blocks by itself, fills up what it leaves, and stays within the target", async () => {
    const engine = await openEngine({ engine: "ort", threads: 1 });
    const block = engine.channelBlock;
    await engine.dispose();
    for (const target of [0.7, 0.4]) {
      const { result } = await call({ model: chain, targetFlops: target });
      expect(result.after.macs / result.before.macs).to.be.at.most(target);
      expect(result.rounding?.multiple ?? 1).to.be.oneOf([block, Math.max(16, block)]);
      expect(result.notes.join()).not.to.contain("too wide");
      for (const { name, keptOutputs, totalOutputs } of result.layers) {
        const whole = keptOutputs.length === totalOutputs;
        expect(whole || keptOutputs.length % block === 0, `${name} ${keptOutputs.length}`).to.equal(true);
      }
    }
  });

  it("takes narrower blocks, and says so, where the kernels' own are too wide for the target", async () => {
    const s = sketch("narrow chain");
    const a = s.relu(s.layer(s.input("input", ["n", 3, 16, 16]), "a", [3, 12]));
    const b = s.relu(s.layer(a, "b", [12, 8]));
    const model = await put("narrow.onnx", s.build([s.layer(b, "c", [8, 4])]));
    const { result } = await call({ model, targetFlops: 0.5, roundTo: "auto" });
    expect(result.after.macs / result.before.macs).to.be.within(0.3, 0.5);
    expect(result.notes.join()).to.match(
      /multiples of \d+ channels, .* too wide for the target: .* were kept/,
    );
    expect(await refused({ model, targetFlops: 0.01 })).to.match(/as little as it can/);
  });

  it("reaches a file size in bytes, of the file itself", async () => {
    for (const target of [120_000, 40_000]) {
      const { result } = await call({ model: chain, targetSize: target, roundTo: 1 });
      const { size } = await stat(path("cut.onnx"));
      expect(size).to.equal(result.after.fileBytes);
      expect(size).to.be.within(0.93 * target, target);
    }
  });

  it("a latency that the whole network meets keeps everything; both networks are measured at the end", async () => {
    const { result } = await call({ model: chain, targetMs: 60_000, runs: 5 });
    expect(result.after.macs).to.equal(result.before.macs);
    expect(result.latency?.after.runs).to.equal(5);
    expect(result.latency?.before.medianMs).to.be.greaterThan(0);
  });

  it("reaches a share of the time by another machine's table, in its blocks, without measuring here", async () => {
    const { network } = await openCuttable(chain);
    const work = [...workOf(network, 4)];
    const macs = work.reduce((sum, [kind, amount]) => sum + (kind.includes("Conv") ? amount : 0), 0);
    const rates = Object.fromEntries(work.map(([kind]) => [kind, kind.includes("Conv") ? 8 / macs : 0]));
    const error = { median: 0, largest: 0 };
    const entries = [{ threads: 2, int8: false, wholeMs: 8, rates, error, networks: 24 }];
    const made = { schema: 1, network: "chain", cpu: "", engine: "", block: 4, batch: 1, entries };
    const table = path("table.json");
    await writeFile(table, JSON.stringify(made));
    for (const target of [{ targetTime: 0.5 }, { targetMs: 4 }]) {
      const { result } = await call({ model: chain, ...target, table });
      expect(result.time?.wholeMs).to.equal(8);
      expect(result.time?.predictedMs).to.be.within(2.5, 4);
      expect(result.time).to.not.have.property("measuredMs");
      expect(result.latency).to.equal(undefined);
      expect(result.rounding?.multiple).to.equal(16);
    }
    // where sixteen everywhere take too long, its own block
    const { result } = await call({ model: chain, targetTime: 0.1, table });
    expect(result.rounding?.multiple).to.equal(4);
  });

  it("--round-to keeps the nearest multiples", async () => {
    const { layers } = await call({ model: chain, keep: 0.4, roundTo: 8 });
    expect(layers.map(({ keptOutputs }) => keptOutputs.length)).to.deep.equal([16, 24, 24, 5]);
  });

  it("the same seed cuts the same, another one differently; l1 needs none", async () => {
    const bytes = async (options: Partial<CutOptions>): Promise<string> => {
      await call({ model: chain, keep: 0.5, check: false, ...options });
      return (await readFile(path("cut.onnx"))).toString("base64");
    };
    expect(await bytes({ seed: 1 })).to.equal(await bytes({ seed: 1 }));
    expect(await bytes({ seed: 1 })).not.to.equal(await bytes({ seed: 2 }));
    const l1 = await call({ model: chain, keep: 0.5, criterion: "l1" });
    const weight = Array.from((await readModel(chain)).parameters.get("a.weight")?.data ?? [], Number);
    const norms = Array.from({ length: 32 }, (_, i) =>
      weight.slice(27 * i, 27 * (i + 1)).reduce((sum, w) => sum + Math.abs(w), 0),
    );
    const largest = [...norms].sort((x, y) => y - x).slice(0, 16);
    expect(l1.layers[0].keptOutputs.map((i) => norms[i]).sort((x, y) => y - x)).to.deep.equal(largest);
  });

  it("a target that no cut reaches is refused, and nothing is written", async () => {
    const out = path("never.onnx");
    expect(await refused({ model: chain, targetFlops: 1e-6, out })).to.match(/as little as it can/);
    expect(await refused({ model: chain, targetSize: 100, out })).to.match(/bytes are left/);
    expect(await refused({ model: chain, targetMs: 1e-9, out })).to.match(/ms are left/);
    expect(existsSync(out)).to.equal(false);
  });

  it("the check sees a channel that is missing", async () => {
    const { layers, cut } = await call({ model: chain, keep: 0.5 });
    const engine = await openEngine({ threads: 1 });
    try {
      const original = await readModel(chain);
      const plan = layers.map((layer) => ({
        ...layer,
        keptInputs: Uint32Array.from(layer.keptInputs),
        keptOutputs: Uint32Array.from(layer.keptOutputs),
      }));
      const assumed = { batch: 2, sizes: {} } as const;
      const compare = async (layers: typeof plan): Promise<number | undefined> =>
        (await compareWithMasked(engine, original, { cut, layers, assumed, seed: 0 }))?.difference;
      expect(await compare(plan)).to.be.at.most(rounding);
      const [first, second, ...rest] = plan;
      const wrong = [first, { ...second, keptInputs: second.keptInputs.slice(1) }, ...rest];
      expect(await compare(wrong)).to.be.greaterThan(1e-4);
    } finally {
      await engine.dispose();
    }
  });

  it("a wrong call says what was found and what was needed", async () => {
    const model = chain;
    expect(await refused({ model })).to.match(
      /no target, exactly one of --keep, .*--target-ms, --target-time was needed/,
    );
    expect(await refused({ model, keep: 0.5, targetMs: 3 })).to.match(/--keep and --target-ms/);
    expect(await refused({ model, keep: 1.5 })).to.match(/--keep: 1.5, a share in \(0, 1\]/);
    expect(await refused({ model, targetFlops: 0 })).to.match(/--target-flops: 0/);
    expect(await refused({ model, targetSize: -5 })).to.match(/--target-size: -5, a positive number/);
    expect(await refused({ model, keep: 0.5, roundTo: 0 })).to.match(/--round-to: 0/);
    expect(await refused({ model, keep: 0.5, out: path("x.h5") })).to.match(/ending in .onnx/);
    expect(await refused({ model: path("missing.onnx"), keep: 0.5 })).to.match(/missing.onnx: cannot read/);
  });

  it("etl cut: exit codes and sizes in words", async () => {
    const out = path("cli.onnx");
    expect(await main(["cut", chain, "--target-size", "60kB", "--out", out, "--quiet"])).to.equal(0);
    expect((await stat(out)).size).to.be.at.most(60_000);
    const error = process.stderr.write.bind(process.stderr);
    const said: string[] = [];
    process.stderr.write = (text: string | Uint8Array) => said.push(String(text)) > 0;
    try {
      expect(await main(["cut", chain, "--target-size", "lots", "--out", out])).to.equal(2);
      expect(await main(["cut", chain, "--keep", "0.5", "--target-ms", "2", "--out", out])).to.equal(2);
      expect(await main(["plan", chain, "--explain", "q"])).to.equal(2);
      expect(await main(["plan"])).to.equal(2);
      expect(await main(["cut", chain, "--target-flops", "0.000001", "--out", out])).to.equal(1);
    } finally {
      process.stderr.write = error;
    }
    expect(said.join("")).to.match(/"lots", a number of bytes was needed/);
  });

  it("plans a model alone: layers, groups, and what a layer is tied to", async () => {
    const residual = patterns.find(({ title }) => title === "a residual sum with a projection");
    const model = await put("residual.onnx", residual?.network ?? sketch("none").build([]));
    const plan = await planModel(model);
    expect(plan.layers.map(({ name, removable }) => [name, removable])).to.deep.equal([
      ["a", 8],
      ["b1", 6],
      ["b2", 8],
      ["down", 12],
      ["c", 12],
      ["head", 0],
    ]);
    expect(plan.groups.filter(({ layers }) => layers.length > 1)).to.deep.equal([
      { layers: ["a", "b2"], channels: 8, frozen: 0 },
      { layers: ["down", "c"], channels: 12, frozen: 0 },
    ]);
    expect((await explainLayer(model, "b2")).join("\n")).to.match(/channels 0-7 are tied to a by Add/);
    const error: unknown = await explainLayer(model, "dwn").catch((reason: unknown) => reason);
    expect(isEtlError(error, "usage") && error.hint).to.equal("did you mean down?");
  });
});
