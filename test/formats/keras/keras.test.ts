import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect } from "chai";
import { loadBackbone } from "../../../lib/backbones/catalogue.ts";
import { vggfaceFromKeras, vggfaceFromTorch } from "../../../lib/backbones/nets/vggface-weights.ts";
import { buildVgg16 } from "../../../lib/backbones/nets/vggface.ts";
import { assignWeights, readWeights, withPlainNames } from "../../../lib/backbones/weights.ts";
import { isEtlError } from "../../../lib/core/errors.ts";
import { createRandom } from "../../../lib/core/random.ts";
import { parseKerasModel } from "../../../lib/formats/keras/config.ts";
import { readKerasFile, readKerasModel } from "../../../lib/formats/keras/h5.ts";
import { networkFromKeras } from "../../../lib/formats/keras/model.ts";
import { permute } from "../../../lib/formats/permute.ts";
import { float32, sizeOf, type Network, type Parameter } from "../../../lib/network/network.ts";
import { run } from "../../support/run.ts";

const folder = resolve(import.meta.dirname, "../../../fixtures/keras");
const fixture = (name: string): string => join(folder, name);

function facts(name: string): unknown {
  return JSON.parse(readFileSync(fixture(name), "utf8"));
}

const expectClose = (actual: Float32Array, expected: readonly number[]): void => {
  expect(actual.length).to.equal(expected.length);
  const scale = Math.max(...expected.map(Math.abs));
  expected.forEach((value, i) => {
    expect(Math.abs(actual[i] - value), `number ${i}`).to.be.below(1e-5 * scale);
  });
};

interface VggFacts {
  readonly side: number;
  readonly filters: readonly number[];
  readonly linear: number;
  readonly classes: number;
  readonly input: readonly number[];
  readonly outputs: readonly number[];
}

const small = (known: VggFacts): Network => {
  const { side, classes, filters, linear } = known;
  return buildVgg16({ side, classes, widths: { filters, linear } });
};

/** Every file is read once: each reading starts a thread. */
const read = new Map<string, Promise<ReadonlyMap<string, Parameter>>>();
function weightsOf(file: string): Promise<ReadonlyMap<string, Parameter>> {
  const known = read.get(file) ?? readWeights(fixture(file));
  read.set(file, known);
  return known;
}

describe("formats/keras", () => {
  const known = facts("vggface.json") as VggFacts;

  for (const file of ["vggface-named.h5", "vggface-sequential.h5"]) {
    it(`${file}: VGGFace computes what NumPy computed`, async () => {
      const weights = vggfaceFromKeras(await weightsOf(file), file);
      const network = assignWeights(small(known), weights, file);
      const last = [1, known.side, known.side, 3];
      const data = permute(Float32Array.from(known.input), last, [0, 3, 1, 2]);
      const result = await run(network, { image: { shape: [1, 3, known.side, known.side], data } });
      expectClose(result[network.outputs[0].name].data, known.outputs);
    });
  }

  it("both namings hold the same weights", async () => {
    const [a, b] = await Promise.all(
      ["vggface-named.h5", "vggface-sequential.h5"].map(async (file) =>
        vggfaceFromKeras(await weightsOf(file), file),
      ),
    );
    expect([...a.keys()]).to.have.length(32);
    expect(a).to.deep.equal(b);
  });

  it("refuses a file of another network, and one without the linear layers", async () => {
    const weights = await weightsOf("vggface-named.h5");
    const top = new Map([...weights].filter(([name]) => !name.startsWith("fc")));
    expect(() => vggfaceFromKeras(top, "notop.h5"))
      .to.throw("notop.h5: the 13 convolutions of VGG16, its three linear layers too were needed")
      .with.property("hint", "this is a file without top: take the one with top");
    const other = new Map(weights).set("norm/gamma:0", float32([1], Float32Array.of(1)));
    expect(() => vggfaceFromKeras(other, "model.h5")).to.throw('model.h5: weight "norm/gamma:0"');
    const failure: unknown = await loadBackbone("vggface", { weights: fixture("vggface-named.h5") }).catch(
      (error: unknown) => error,
    );
    expect(isEtlError(failure, "format") && failure.message).to.contain("[2, 3, 3, 3]");
  });

  it("VGG16 by the names of torchvision and of timm", () => {
    const network = small(known);
    const random = createRandom("vgg names");
    const filled = new Map(
      [...network.parameters].map(([name, { shape }]): [string, Parameter] => [
        name,
        float32(
          shape,
          Float32Array.from({ length: sizeOf(shape) }, () => random.normal()),
        ),
      ]),
    );
    const places = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28].map((place) => `features.${place}`);
    const families = [
      [...places, "classifier.0", "classifier.3", "classifier.6"],
      [...places, "pre_logits.fc1", "pre_logits.fc2", "head.fc"],
    ];
    for (const names of families) {
      const file = new Map<string, Parameter>();
      [...filled].forEach(([name, parameter], i) => {
        const { shape, data } = parameter;
        const folded = name === "fc6.weight" && names.includes("head.fc");
        const view = folded ? [shape[0], shape[1] / 4, 2, 2] : shape;
        const label = `module.model.${names[Math.floor(i / 2)]}${name.slice(name.lastIndexOf("."))}`;
        file.set(label, float32(view, data as Float32Array));
      });
      const read = assignWeights(network, vggfaceFromTorch(withPlainNames(file)), "vgg.safetensors");
      expect(read.parameters).to.deep.equal(filled);
    }
  });

  it("a whole model computes what PyTorch computed", async () => {
    const expected = facts("model.json") as {
      shape: number[];
      input: number[];
      fc: number[];
      global: number[];
    };
    const backbone = await loadBackbone(fixture("model.h5"));
    const { network } = backbone;
    const data = permute(Float32Array.from(expected.input), expected.shape, [0, 3, 1, 2]);
    const [n, h, w, c] = expected.shape;
    const outputs = await run(network, { image: { shape: [n, c, h, w], data } });
    expectClose(outputs[network.outputs[0].name].data, expected.fc);
    expectClose(outputs[network.outputs[1].name].data, expected.global);
    expect(backbone.preprocessing).to.include({ width: 9, height: 11 });
  });

  it("says what is missing where a file holds weights alone, and where it is no HDF5", async () => {
    const alone: unknown = await readKerasModel(fixture("vggface-named.h5")).catch((error: unknown) => error);
    expect(isEtlError(alone, "usage") && alone.message).to.equal(
      "vggface-named.h5: weights without a model, a file with model_config was needed",
    );
    const temporary = await mkdtemp(join(tmpdir(), "etl-keras-"));
    try {
      const path = join(temporary, "x.h5");
      await writeFile(path, "no HDF5 at all");
      const failure: unknown = await readKerasModel(path).catch((error: unknown) => error);
      expect(isEtlError(failure, "format") && failure.message).to.contain("do not begin as HDF5 does");
    } finally {
      await rm(temporary, { recursive: true });
    }
    const archive: unknown = await loadBackbone("model.keras").catch((error: unknown) => error);
    expect(isEtlError(archive, "io") && archive.message).to.contain("no such file");
  });

  const layer = (name: string, kind: string, from: readonly string[], config: object = {}): object => ({
    class_name: kind,
    name,
    config: { name, ...config },
    inbound_nodes: from.length === 0 ? [] : [from.map((each) => [each, 0, 0, {}])],
  });
  const functional = (layers: readonly object[], output: string): unknown => ({
    class_name: "Functional",
    config: { name: "m", layers, input_layers: [["in", 0, 0]], output_layers: [[output, 0, 0]] },
  });
  const convert = (model: unknown, weights = new Map<string, Map<string, Parameter>>()): Network =>
    networkFromKeras(parseKerasModel(model, "m.h5"), weights, { where: "m.h5" });
  const input = layer("in", "InputLayer", [], { batch_input_shape: [null, 4, 4, 2] });

  it("names the layer that cannot be read", () => {
    const wrong: [model: unknown, says: string][] = [
      [
        functional([input, layer("a", "Add", ["b", "in"]), layer("b", "ReLU", ["a"])], "b"),
        "a circle through layer",
      ],
      [functional([input, layer("a", "LSTM", ["in"])], "a"), 'layer "a" (LSTM): a layer of kind LSTM'],
      [
        functional([input, layer("a", "ReLU", ["nobody"])], "a"),
        "reference to nobody[0][0], which does not exist",
      ],
      [functional([input, layer("in", "ReLU", ["in"])], "in"), 'two layers named "in"'],
      [functional([input, layer("a", "Conv2D", ["in"])], "a"), 'the weights none, "kernel" was needed'],
      [
        functional([input, layer("a", "Activation", ["in"], { activation: "wobble" })], "a"),
        'activation "wobble"',
      ],
      [
        functional([input, layer("a", "MaxPooling2D", ["in"], { data_format: "channels_first" })], "a"),
        "data_format",
      ],
      [
        functional([input, layer("a", "MaxPooling2D", ["in"], { pool_size: [9, 9] })], "a"),
        "larger than its input",
      ],
      [{ class_name: "Custom", config: { layers: [input] } }, 'class "Custom"'],
      [functional([input, layer("a", "Sequential", ["in"])], "a"), "a model inside the model"],
      [42, "no model_config"],
    ];
    for (const [model, says] of wrong) {
      expect(() => convert(model))
        .to.throw(Error, says)
        .with.property("name", "EtlError");
    }
  });

  it("reads Keras 3's connections, and a Sequential model without an input layer", () => {
    const tensor = (name: string): object => ({
      class_name: "__keras_tensor__",
      config: { shape: [null, 4, 4, 2], dtype: "float32", keras_history: [name, 0, 0] },
    });
    const three = functional(
      [
        { ...layer("in", "InputLayer", []), config: { name: "in", batch_shape: [null, 4, 4, 2] } },
        { ...layer("a", "ReLU", []), inbound_nodes: [{ args: [tensor("in")], kwargs: {} }] },
        { ...layer("b", "Add", []), inbound_nodes: [{ args: [[tensor("in"), tensor("a")]], kwargs: {} }] },
      ],
      "b",
    );
    expect(convert(three).nodes.map(({ op, inputs }) => [op, ...inputs])).to.deep.equal([
      ["Relu", "in"],
      ["Add", "in", "a"],
    ]);
    const sequential = {
      class_name: "Sequential",
      config: [layer("a", "Flatten", [], { batch_input_shape: [null, 4, 4, 2] }), layer("b", "Dropout", [])],
    };
    const network = convert(sequential);
    expect(network.inputs[0].shape).to.deep.equal(["batch", 2, 4, 4]);
    // Nothing behind the Flatten takes the channels first: they are turned.
    expect(network.nodes.map(({ op }) => op)).to.deep.equal(["Transpose", "Flatten", "Dropout"]);
  });

  it("never reads another file: external storage, external links and virtual datasets are refused", async () => {
    for (const [name, found] of [
      ["storage", /unable to open external raw data file/],
      ["link", /weight "d\/kernel:0": no data/],
      ["virtual", /a virtual dataset, whose numbers lie in other files/],
    ] as const) {
      const error: unknown = await readKerasFile(fixture(`outside/${name}.h5`)).catch((e: unknown) => e);
      expect(isEtlError(error, "format") && error.message, name).to.match(found);
    }
  });
});
