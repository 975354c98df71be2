import { expect } from "chai";
import type { Task } from "../../../lib/core/artifacts.ts";
import { outputTasksOf } from "../../../lib/backbones/metadata.ts";
import { buildDmmCnn } from "../../../lib/backbones/nets/dmm-cnn.ts";
import { architectureOf } from "../../../lib/backbones/architecture.ts";
import { noise } from "../../support/hashed.ts";
import { lossValue } from "../../../lib/finetune/losses.ts";
import { readOnnx } from "../../../lib/formats/onnx/read.ts";
import { openEngine } from "../../../lib/engine/open.ts";
import type { Network } from "../../../lib/network/network.ts";
import { writeOnnx } from "../../../lib/formats/onnx/write.ts";
import { finishedNetwork, startingNetwork } from "../../../lib/jobs/train/network.ts";
import { inTraining, landmarkWeight, outputLosses, trainedHeads } from "../../../lib/jobs/train/heads.ts";
import { checkSettings } from "../../../lib/jobs/train/settings.ts";
import { resolveTrainOptions } from "../../../lib/jobs/train/config.ts";
import type { TrainOptions } from "../../../lib/jobs/train/options.ts";

const attributes: Task = {
  name: "attributes",
  kind: "multi-label",
  columns: ["a", "b"],
  classes: ["a", "b"],
  outputs: 2,
  scale: 1,
  mirror: "keep",
};
const landmarks: Task = { ...attributes, name: "landmarks", kind: "regression", outputs: 4, unit: "crop" };

describe("jobs/train: the losses of DMM-CNN", () => {
  const yes = Float32Array.of(1, 0, 0, 1, 1, 1);
  const points = Float32Array.from({ length: 12 }, (_, i) => i / 12);
  const [fac, fld] = trainedHeads(
    [
      { task: attributes, targets: yes },
      { task: landmarks, targets: points },
    ],
    architectureOf("dmm-cnn"),
    Uint32Array.of(0, 1, 2),
  );
  const said = Float32Array.of(0.5, -1, 0.25, 2, -0.5, 1);
  const found = points.map((value, i) => value + 0.1 * ((i % 3) - 1));

  it("eq. 2: the mean square of each attribute over the pictures, labels 1 and -1", () => {
    expect([...inTraining(fac, yes)]).to.deep.equal([1, -1, -1, 1, 1, 1]);
    const byHand = [(0.5 ** 2 + 1.25 ** 2 + 1.5 ** 2) / 3, (0 + 1 + 0) / 3];
    outputLosses(fac, said, yes).forEach((loss, j) => {
      expect(loss).to.be.closeTo(byHand[j], 1e-6);
    });
  });

  it("eqs. 1 and 3: the sum over the attributes, and half of the squared distance of the landmarks", () => {
    expect(landmarkWeight).to.equal(0.5);
    const signed = { predictions: said, targets: inTraining(fac, yes) };
    const plain = { predictions: found, targets: inTraining(fld, points) };
    const joint =
      fac.term.weight * lossValue("regression", signed, 2) +
      fld.term.weight * lossValue("regression", plain, 4);
    const losses = outputLosses(fac, said, yes);
    const distance = found.reduce((sum, value, i) => sum + (value - points[i]) ** 2, 0) / 3;
    expect(joint).to.be.closeTo(losses[0] + losses[1] + 0.5 * distance, 1e-6);
  });

  it("forty losses averaged are the one loss of all (thesis, section 4.3.2)", () => {
    const tables = [{ task: attributes, targets: yes }];
    const [head] = trainedHeads(tables, architectureOf("efficientnet-b0"), Uint32Array.of(0, 1, 2));
    const losses = outputLosses(head, said, yes);
    const mean = (losses[0] + losses[1]) / 2;
    expect(lossValue("multi-label", { predictions: said, targets: yes }, 2)).to.be.closeTo(mean, 1e-6);
  });

  it("the finished network answers by the names of its tasks, whatever its values inside are called", () => {
    const network = buildDmmCnn({ classes: 2, subjective: [0], points: 2, depth: 18, side: 72 });
    expect(network.nodes.some(({ outputs }) => outputs.includes("attributes"))).to.equal(true);
    const facts = { crop: [0, 0, 1, 1] as const, thresholds: [0.5, 0], provenance: {} };
    const finished = finishedNetwork(network, [fac, fld], facts);
    const again = readOnnx(writeOnnx(finished), { name: "again" });
    expect(again.outputs.map(({ name, shape }) => [name, shape[1]])).to.deep.equal([
      ["attributes", 2],
      ["landmarks", 4],
    ]);
    expect(outputTasksOf(again).map(({ output, task }) => [output, task.name])).to.deep.equal([
      ["attributes", "attributes"],
      ["landmarks", "landmarks"],
    ]);
    // What was learnt as -1 and 1 is no logit, and says so.
    expect(outputTasksOf(again).map(({ task }) => task.scores)).to.deep.equal(["signed", undefined]);
  });
});

describe("jobs/train: settings that a task would ignore", () => {
  const tasks: Record<"gender" | "age" | "attributes" | "landmarks", Task> = {
    gender: { ...attributes, name: "gender", kind: "binary", classes: ["male", "female"], outputs: 1 },
    age: { ...attributes, name: "age", kind: "regression", classes: [], outputs: 1, unit: "years" },
    attributes: { ...attributes, classes: ["Bald", "Smiling"] },
    landmarks,
  };
  const check = (names: readonly (keyof typeof tasks)[], wrong: Partial<TrainOptions>) => () => {
    const asked = { arch: "dmm-cnn", task: names[0], data: "synthetic:40", out: "run", ...wrong };
    const { config } = resolveTrainOptions(asked, "train");
    checkSettings(
      config,
      names.map((name) => tasks[name]),
    );
  };

  for (const [names, wrong, says] of [
    [["age"], { positiveWeight: true }, "--positive-weight: task age is regression"],
    [["age"], { thresholds: "adaptive" }, "--thresholds adaptive: task age is regression"],
    [["age"], { lossWeights: "dynamic" }, "--loss-weights dynamic: task age is regression"],
    [["gender"], { lossWeights: "dwa" }, "--loss-weights dwa: task gender has one output"],
    [["gender"], { lossWeights: "relative" }, "--loss-weights relative: task gender has one output"],
    [["gender"], { arch: "mobilenet-v1", heads: "forty" }, "--heads forty: task gender has one output"],
    [["gender"], { groups: false }, "--no-groups: task gender has no subjective attributes"],
    [["attributes", "landmarks"], { shift: 0.1 }, "--shift: 0.1, and pictures stay as they are beside"],
    [["attributes", "landmarks"], { zoom: 0.1 }, "--zoom: 0.1, and pictures stay as they are beside"],
  ] as const)
    it(says, () => {
      expect(check(names, wrong)).to.throw(says);
    });

  it("takes what counts", () => {
    expect(check(["gender"], { lossWeights: "dynamic", thresholds: "adaptive" })).not.to.throw();
    expect(check(["attributes"], { lossWeights: "aw", groups: false, shift: 0.1 })).not.to.throw();
    expect(check(["attributes", "landmarks"], { augment: false, mirror: false })).not.to.throw();
  });
});

describe("jobs/train: a fresh network that learns squared errors", function () {
  this.timeout(120_000);
  const tables = [{ task: attributes, targets: Float32Array.of(1, 0) }];
  const begin = async (backbone: string): Promise<Network> => {
    const given = { backbone, task: "attributes", data: "synthetic:40", out: "run", size: 65 };
    const { config, architecture } = resolveTrainOptions(given, "train");
    return (await startingNetwork(config, architecture, tables)).network;
  };
  const scaleOf = ({ parameters }: Network, norm: string): number[] => [
    ...new Set(parameters.get(`${norm}.scale`)?.data as Float32Array),
  ];

  for (const backbone of ["resnet50", "dmm-cnn"])
    it(`${backbone}: every branch is silent at first, so that its answers begin near 0`, async () => {
      const network = await begin(backbone);
      for (const block of ["layer1.0", "layer1.1", "layer4.2"])
        expect(
          [1, 2, 3].map((k) => scaleOf(network, `${block}.bn${k}`)),
          block,
        ).to.deep.equal([[1], [1], [0]]);
      expect(scaleOf(network, "layer1.0.downsample.1")).to.deep.equal([1]);
      const engine = await openEngine({ engine: "ort" });
      const program = await engine.compile(network);
      const data = noise("image", 3 * 65 * 65);
      const { prediction } = await program.run({ image: { shape: [1, 3, 65, 65], data } });
      await program.dispose();
      await engine.dispose();
      // Hundreds where the branches speak.
      for (const answer of prediction.data) expect(Math.abs(answer)).to.be.lessThan(2);
    });

  it("the other ResNets begin as their papers' do", async () => {
    expect(scaleOf(await begin("resnet18"), "layer1.0.bn2")).to.deep.equal([1]);
  });
});
