import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { loadFaceResnet } from "../../lib/backbones/face-resnet.ts";
import { describe as withFacts } from "../../lib/backbones/metadata.ts";
import { readTfjs, readTfjsModel, writeTfjs } from "../../lib/formats/tfjs.ts";
import { float, int, ints } from "../../lib/network/builder.ts";
import { int64, type Network } from "../../lib/network/network.ts";
import { pointwise, sketch, type Sketch } from "../support/patterns.ts";
import { randomInputs, relativeDifference, run } from "../support/run.ts";
import { openTfjs, runTfjs } from "./tfjs-run.ts";

function drawn(title: string, draw: (s: Sketch, x: string) => string | string[], size = 9): Network {
  const s = sketch(title);
  const made = draw(s, s.input("image/in", ["batch", 3, size, size]));
  return s.build(typeof made === "string" ? [made] : made, { "etl.title": title });
}

const cases: readonly Network[] = [
  drawn("convolutions of all paddings", (s, x) => {
    const a = s.relu(s.layer(x, "/features/0/Conv", [3, 6]));
    const b = s.leakyRelu(s.layer(a, "strided", [6, 6], { strides: 2 }), 0.1);
    const c = s.layer(b, "uneven", [6, 4], { pads: [0, 1, 2, 1] });
    return s.sigmoid(s.layer(c, "dilated", [4, 5], { pads: 2, dilations: 2 }));
  }),
  drawn("depthwise with a multiplier, relu6, hard swish", (s, x) => {
    const deep = s.random([6, 1, 3, 3]);
    const a = s.clip(s.conv(x, { name: "deep", weights: deep, group: 3, pads: 1 }), { min: 0, max: 6 });
    return s.hardSwish(s.norm(pointwise(s, a, "point", [6, 4]), 4));
  }),
  drawn(
    "pools",
    (s, x) => {
      const a = s.relu(s.layer(x, "a", [3, 4]));
      const b = s.maxPool(a, { kernel: 3, strides: 2, pads: 1 });
      const c = s.maxPool(s.layer(b, "c", [4, 4]), { kernel: 2, strides: 2, ceil: true, pads: 0 });
      const d = s.averagePool(a, { kernel: 3, strides: 1, pads: 1 });
      const e = s.averagePool(a, { kernel: 3, strides: 2, pads: 1, countPadding: true });
      return [c, d, e];
    },
    10,
  ),
  drawn("flatten into a matrix", (s, x) => {
    const a = s.maxPool(s.relu(s.layer(x, "a", [3, 5])), { kernel: 2, strides: 2 });
    const flat = s.relu(s.dropout(s.flatten(a), 0.5));
    return s.softmax(s.dense(s.tanh(s.dense(flat, "fc1", [80, 7])), "fc2", [7, 4]));
  }),
  drawn("flatten as an output", (s, x) => s.flatten(s.layer(x, "a", [3, 2]))),
  drawn("residual with widened channels and rows", (s, x) => {
    const a = s.relu(s.layer(x, "a", [3, 4]));
    const main = s.layer(a, "b", [4, 6], { strides: 2, pads: 0 });
    const short = s.pad(s.averagePool(a, { kernel: 2, strides: 2 }), [0, 0, 0, 0, 0, 2, 0, 0]);
    const sum = s.add(s.pad(main, [0, 0, 0, 0, 0, 0, 0, 0]), short);
    return s.pad(s.relu(sum), [0, 1, 0, 0, 0, 0, 1, 1]);
  }),
  drawn("squeeze and excitation", (s, x) => {
    const a = s.relu(s.layer(x, "a", [3, 6]));
    const gate = s.relu(pointwise(s, s.globalAveragePool(a), "down", [6, 2]));
    const scaled = s.mul(a, s.hardSigmoid(pointwise(s, gate, "up", [2, 6]), { alpha: 1 / 6, beta: 0.5 }));
    const mean = s.reduceMean(scaled, [2, 3], { keep: false });
    return [s.dense(mean, "fc", [6, 3]), s.globalAveragePool(scaled), s.globalMaxPool(a)];
  }),
  drawn("branches, slices and constants", (s, x) => {
    const a = s.layer(x, "a", [3, 6]);
    const [b, c] = s.split(a, [2, 4]);
    const joined = s.concat([s.pRelu(c, s.random([4]).data), b, s.node("Elu", [b])]);
    const scaled = s.mul(s.add(joined, s.vector("shift", [8, 1, 1])), s.vector("gain", [1, 8, 1, 1]));
    const cut = s.slice(scaled, { axis: 3, start: 1, end: -1 });
    return s.concat([cut, s.slice(cut, { axis: 1, start: 2, end: 5 })]);
  }),
  drawn("a matrix and the sum behind it", (s, x) => {
    const pooled = s.globalAveragePool(s.relu(s.layer(x, "a", [3, 6])));
    const flat = s.reshape(pooled, [0, -1]);
    const w = s.vector("w", [6, 5]);
    return s.add(s.matMul(flat, w), s.vector("b", [5]));
  }),
];

const readBack = async (files: ReadonlyMap<string, Uint8Array>, strip = false): Promise<Network> => {
  const model = JSON.parse(new TextDecoder().decode(files.get("model.json"))) as Record<string, unknown>;
  if (strip) model["userDefinedMetadata"] = undefined;
  return readTfjs(model, {
    name: "model.json",
    read: (name) => Promise.resolve(files.get(name) ?? new Uint8Array()),
  });
};

describe("formats/tfjs", () => {
  for (const network of cases) {
    it(`${network.name}: tfjs computes the same, both ways back do too`, async () => {
      const files = writeTfjs(network);
      const inputs = randomInputs(network, { batch: 2, seed: 5 });
      const expected = await run(network, inputs);
      expect(relativeDifference(await runTfjs(files, network, inputs), expected)).to.be.below(1e-5);
      expect(await readBack(files)).to.deep.equal(network);
      const converted = await readBack(files, true);
      const fed = Object.fromEntries(
        network.inputs.map(({ name }, i) => [converted.inputs[i].name, inputs[name]]),
      );
      const found = await run(converted, fed);
      const named = Object.fromEntries(
        network.outputs.map(({ name }, i) => [name, found[converted.outputs[i].name]]),
      );
      expect(relativeDifference(named, expected)).to.be.below(1e-5);
    });
  }
});
