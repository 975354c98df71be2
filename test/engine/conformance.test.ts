import { expect } from "chai";
import { withHead } from "../../lib/backbones/head.ts";
import { initialise } from "../../lib/backbones/initialise.ts";
import { buildResnet18, resnetValues } from "../../lib/backbones/nets/resnet.ts";
import { isEtlError } from "../../lib/core/errors.ts";
import type { Tensors, TrainingOptions } from "../../lib/engine/engine.ts";
import type { Optimizer } from "../../lib/core/artifacts.ts";
import { differentiableOperators } from "../../lib/gradients/rules.ts";
import { float } from "../../lib/network/builder.ts";
import { float32, type Network, sizeOf, type Tensor } from "../../lib/network/network.ts";
import { inferShapes } from "../../lib/network/shapes/infer.ts";
import { patterns, pointwise, sketch } from "../support/patterns.ts";
import { blocks } from "./conformance-blocks.ts";
import { cases, residual } from "./conformance-cases.ts";
import {
  bothEngines,
  compareGradients,
  compareOutputs,
  distance,
  randomTensor,
} from "./conformance-check.ts";
import { networkOf, node } from "./gradient-check.ts";

const trainable = new Set(differentiableOperators);
/** Resizing by a broken factor has no gradient in ort. */
const canTrain = ({ nodes }: Network): boolean =>
  nodes.every(({ op, name }) => trainable.has(op) && !name.startsWith("resize"));
const comparisons = new Set(["Greater", "Less", "Equal", "Not", "And"]);

/** Inverted residual blocks in small: depthwise convolutions, squeeze and excitation, hard swish, dropout. */
function mobile(): Network {
  const s = sketch("mobile");
  const swish = (x: string): string => s.node("HardSwish", [x]);
  let x = swish(s.norm(s.layer(s.input("image", ["batch", 3, 20, 20]), "stem", [3, 8], { strides: 2 }), 8));
  for (const [i, strides] of [2, 1].entries()) {
    const wide = swish(s.norm(pointwise(s, x, `expand${i}`, [8, 24]), 24));
    const deep = swish(s.norm(s.layer(wide, `deep${i}`, [24, 24], { group: 24, strides }), 24));
    const squeezed = s.relu(pointwise(s, s.globalAveragePool(deep), `squeeze${i}`, [24, 6]));
    const gate = s.node("HardSigmoid", [pointwise(s, squeezed, `excite${i}`, [6, 24])], {
      attributes: { alpha: float(1 / 6) },
    });
    const made = s.norm(pointwise(s, s.mul(deep, gate), `project${i}`, [24, 8]), 8);
    x = strides === 1 ? s.add(x, made) : made;
  }
  const ratio = s.parameter("ratio", float32([], Float32Array.of(0.2)));
  const features = s.flatten(s.globalAveragePool(x));
  return s.build([s.dense(s.node("Dropout", [features, ratio]), "prediction", [8, 2])]);
}

/** A network for pictures of another size. */
function sized(network: Network, side: number): Network {
  return {
    ...network,
    inputs: network.inputs.map((input) => ({ ...input, shape: ["batch", 3, side, side] })),
  };
}

/** Networks with batch normalisation, which training computes from the batch; side of their pictures. */
const normalised: readonly (readonly [name: string, build: () => Network, side: number])[] = [
  [
    "resnet18",
    () => initialise(withHead(sized(buildResnet18(), 64), resnetValues.features, { outputs: 2 }), 1),
    64,
  ],
  ["a mobile network", mobile, 20],
];

/** `n` pictures, and one of two classes for each. */
function batchOf(network: Network, side: number, n: number, seed: string): Tensors {
  const target = new Float32Array(2 * n);
  for (let i = 0; i < n; i++) target[2 * i + (i % 2)] = 1;
  return {
    [network.inputs[0].name]: randomTensor([n, 3, side, side], seed),
    target: { shape: [n, 2], data: target },
  };
}

const options = (network: Network, optimizer: Optimizer): TrainingOptions => ({
  losses: [{ kind: "softmax-cross-entropy", output: network.outputs[0].name, target: "target", weight: 1 }],
  optimizer,
  clipNorm: 1,
  seed: 5,
});

describe("engines ort and tfjs agree", () => {
  const engines = bothEngines();

  it("every operator that can be trained through has a case", () => {
    const covered = new Set(cases.flatMap(({ nodes }) => nodes.map(({ op }) => op)));
    expect(differentiableOperators.filter((op) => !covered.has(op))).to.deep.equal([]);
  });

  for (const test of [...cases, ...blocks, residual()]) {
    it(`${test.title}: outputs to 1e-5, gradients to 1e-4`, async () => {
      const network = networkOf(test);
      const output = test.output ?? "y";
      await compareOutputs(engines(), network, {});
      const names = Object.keys(test.parameters);
      const size = sizeOf(inferShapes(network).get(output) ?? []);
      const training: TrainingOptions = {
        losses: [{ kind: "squared", output, target: "target", weight: 1 }],
        optimizer: { kind: "sgd" },
        trainable: (name) => names.includes(name),
        seed: 3,
      };
      await compareGradients(engines(), network, training, { target: randomTensor([size], test.title) });
    });
  }

  for (const { title, network } of patterns) {
    const trains = canTrain(network);
    it(`${title}: every value to 1e-5${trains ? ", gradients to 1e-4" : ""}`, async () => {
      const shapes = inferShapes(network, { batch: 2 });
      const inputs = Object.fromEntries(
        network.inputs.map(({ name }): [string, Tensor] => [
          name,
          randomTensor(shapes.get(name) ?? [], name),
        ]),
      );
      const values = network.nodes
        .filter(({ op }) => !comparisons.has(op)) // ort gives out numbers alone
        .flatMap(({ outputs }) => outputs.filter((name) => name !== ""));
      await compareOutputs(engines(), network, inputs, { outputs: values });
      if (!trains) return;
      const [output] = network.outputs;
      const training: TrainingOptions = {
        losses: [{ kind: "squared", output: output.name, target: "target", weight: 1 }],
        optimizer: { kind: "sgd" },
      };
      const target = randomTensor(shapes.get(output.name) ?? [], title);
      await compareGradients(engines(), network, training, { ...inputs, target });
    });
  }

  for (const [name, build, side] of normalised) {
    it(`${name}: outputs to 1e-5, gradients to 1e-4, with two pictures`, async () => {
      const network = build();
      const inputs = batchOf(network, side, 2, name);
      const { [network.inputs[0].name]: image } = inputs;
      await compareOutputs(engines(), network, { [network.inputs[0].name]: image });
      await compareGradients(engines(), network, options(network, { kind: "sgd" }), inputs);
    });
  }

  const optimizers: readonly Optimizer[] = [
    { kind: "adamw", weightDecay: 0.05 },
    { kind: "sgd", momentum: 0.9, nesterov: true, weightDecay: 0.01 },
    { kind: "sgd", momentum: 0.9 },
  ];
  for (const optimizer of optimizers) {
    it(`ten steps of ${JSON.stringify(optimizer)} from the same seed`, async () => {
      const network = mobile();
      const [ort, tfjs] = await Promise.all(
        [engines().ort, engines().tfjs].map((engine) =>
          engine.compileTraining(network, {
            ...options(network, optimizer),
            // in front of a batch normalisation a bias has a gradient of rounding errors alone
            trainable: (name) => !/^(stem|expand|deep|project)\d?\.bias$/.test(name),
          }),
        ),
      );
      for (let i = 0; i < 10; i++) {
        const inputs = batchOf(network, 20, i === 4 ? 3 : 8, `batch ${i}`);
        const rate = { learningRate: 0.003 };
        const [wanted, found] = await Promise.all([ort.step(inputs, rate), tfjs.step(inputs, rate)]);
        expect(found.loss, `loss of step ${i}`).to.be.closeTo(wanted.loss, 1e-4 * wanted.loss);
        expect(found.gradientNorm).to.be.closeTo(wanted.gradientNorm, 1e-3 * wanted.gradientNorm);
      }
      const [wanted, found] = await Promise.all([ort.state(), tfjs.state()]);
      expect(found.step).to.equal(10);
      expect(Object.keys(found.tensors)).to.have.members(Object.keys(wanted.tensors));
      for (const [name, tensor] of Object.entries(wanted.tensors)) {
        // moments of a gradient that is nearly nothing hold more of its rounding errors
        expect(distance(found.tensors[name], tensor), name).to.be.at.most(name.includes("/") ? 5e-3 : 1e-3);
      }
      // a state of one engine goes on in the other
      await tfjs.restore(wanted);
      const inputs = batchOf(network, 20, 8, "next");
      const [a, b] = await Promise.all(
        [ort, tfjs].map((trainer) => trainer.step(inputs, { learningRate: 0.003 })),
      );
      expect(b.loss).to.be.closeTo(a.loss, 1e-5 * a.loss);
      await Promise.all([ort.dispose(), tfjs.dispose()]);
    });
  }

  it("running statistics behind a convolution without bias", async () => {
    const s = sketch("norm");
    const w = s.parameter("w", float32([12, 3, 3, 3], randomTensor([12, 3, 3, 3], "w").data));
    const made = s.relu(s.norm(s.node("Conv", [s.input("image", ["batch", 3, 9, 9]), w]), 12));
    const network = s.build([s.dense(s.flatten(s.globalAveragePool(made)), "prediction", [12, 2])]);
    const [wanted, found] = await Promise.all(
      [engines().ort, engines().tfjs].map(async (engine) => {
        const trainer = await engine.compileTraining(network, options(network, { kind: "sgd" }));
        for (let i = 0; i < 3; i++)
          await trainer.step(batchOf(network, 9, 4, `batch ${i}`), { learningRate: 0.1 });
        const parameters = await trainer.parameters();
        await trainer.dispose();
        return parameters;
      }),
    );
    expect(wanted.size).to.equal(7);
    for (const [name, tensor] of wanted) {
      const other = found.get(name);
      expect(other && distance(other, tensor), name).to.be.at.most(1e-4);
    }
  });

  it("tfjs refuses before the run what it cannot compute: node and reason", async () => {
    const refusals: readonly [Network["nodes"][number], RegExp][] = [
      [node("odd", "NoSuchOp", ["x"], ["y"]), /odd \(NoSuchOp\)/],
      [
        node("turn", "ScatterND", ["x", "i", "x"], ["y"]),
        /^turn \(ScatterND\): the tfjs engine does not know/,
      ],
      [
        node("resize", "Resize", ["x", "", "scales"], ["y"], { mode: "linear", antialias: 1 }),
        /^resize \(Resize\): antialiasing/,
      ],
    ];
    for (const [refused, message] of refusals) {
      const network: Network = {
        name: "refused",
        opset: 18,
        inputs: [{ name: "x", type: "float32", shape: ["n", 2, 4, 4] }],
        outputs: [{ name: "y", type: "float32", shape: ["n", 2, 4, 4] }],
        nodes: [refused],
        parameters: new Map([["scales", float32([4], Float32Array.of(1, 1, 2, 2))]]),
        metadata: {},
      };
      const error: unknown = await engines()
        .tfjs.compile(network)
        .then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
      expect(isEtlError(error, "unsupported"), String(error)).to.equal(true);
      expect((error as Error).message).to.match(message);
    }
  });
});
