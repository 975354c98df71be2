import { expect } from "chai";
import type { Task } from "../../../lib/core/artifacts.ts";
import { tasksOf } from "../../../lib/backbones/metadata.ts";
import { buildDmmCnn } from "../../../lib/backbones/nets/dmm-cnn.ts";
import { architectureOf } from "../../../lib/backbones/architecture.ts";
import { lossValue } from "../../../lib/finetune/losses.ts";
import { readOnnx } from "../../../lib/formats/onnx/read.ts";
import { writeOnnx } from "../../../lib/formats/onnx/write.ts";
import { finishedNetwork } from "../../../lib/jobs/train/network.ts";
import { inTraining, landmarkWeight, outputLosses, trainedHeads } from "../../../lib/jobs/train/heads.ts";

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
    expect(tasksOf(again).map(({ output, task }) => [output, task.name])).to.deep.equal([
      ["attributes", "attributes"],
      ["landmarks", "landmarks"],
    ]);
  });
});
