import { expect } from "chai";
import { isEtlError } from "../../../lib/core/errors.ts";
import { readOnnx } from "../../../lib/formats/onnx/read.ts";
import { writeOnnx } from "../../../lib/formats/onnx/write.ts";
import { createBuilder, float, int, ints, textAttribute } from "../../../lib/network/builder.ts";
import {
  float32,
  int64,
  type Attribute,
  type Network,
  type Node,
  type Parameter,
} from "../../../lib/network/network.ts";
import { difference, runOnnx, wave } from "../../support/onnx-run.ts";
import { message, varints } from "../../support/protobuf.ts";
import { dims, file, node, value } from "./files.ts";

const read = (bytes: Uint8Array): Network => readOnnx(bytes, { name: "model.onnx" });

/** A network with every attribute and element type. */
function everything(): Network {
  const attributes: Record<string, Attribute> = {
    int: int(-7),
    float: float(0.1),
    text: textAttribute("\u00fc\n"),
    ints: ints([0, -1, 2 ** 40]),
    none: ints([]),
    floats: { type: "floats", value: [1e-5, 3.5, -0] },
    strings: { type: "strings", value: ["a", ""] },
    tensor: { type: "tensor", value: int64([1, -2, 3], [3, 1]) },
  };
  const parameters = new Map<string, Parameter>([
    ["weight", float32([4, 3, 3, 3], wave(4, 3, 3, 3).data)],
    ["float64", { type: "float64", shape: [2], data: Float64Array.of(Math.PI, -0) }],
    ["int64", { type: "int64", shape: [2], data: BigInt64Array.of(2n ** 62n, -1n) }],
    ["int32", { type: "int32", shape: [2, 1], data: Int32Array.of(-(2 ** 31), 5) }],
    ["int8", { type: "int8", shape: [], data: Int8Array.of(-128) }],
    ["uint8", { type: "uint8", shape: [0], data: Uint8Array.of() }],
    ["bool", { type: "bool", shape: [3], data: Uint8Array.of(1, 0, 1) }],
    ["special", float32([4], Float32Array.of(NaN, Infinity, -0, 1e-40))],
  ]);
  const [inputs, outputs] = [
    ["custom", "", "int32"],
    ["out", "", "two"],
  ];
  return {
    name: "everything \u00e9",
    opset: 21,
    inputs: [{ name: "image", type: "float32", shape: ["batch", 3, "height", 8] }],
    outputs: [
      { name: "out", type: "float32", shape: ["batch", 4] },
      { name: "two", type: "int64", shape: [] },
    ],
    nodes: [
      {
        name: "conv",
        op: "Conv",
        domain: "",
        inputs: ["image", "weight"],
        outputs: ["custom"],
        attributes: {},
      },
      { name: "last", op: "Custom", domain: "com.microsoft", inputs, outputs, attributes },
    ],
    parameters,
    metadata: { labels: '["no","yes"]', empty: "" },
  };
}

describe("formats/onnx: writing", () => {
  it("writes a network that reads back the same, twice", () => {
    const network = everything();
    const bytes = writeOnnx(network);
    const { file, ...again } = read(bytes);
    expect(again).to.deep.equal(network);
    expect(file).to.include({ opset: network.opset, domain: "" });
    expect(Buffer.compare(writeOnnx(read(bytes)), bytes)).to.equal(0);
  });

  it("writes what onnxruntime runs", async () => {
    const b = createBuilder("small", { opset: 21 });
    const x = b.input("x", ["batch", 2]);
    const network = b.build([
      b.gemm(x, { name: "y", weights: { shape: [1, 2], data: Float32Array.of(2, 3) } }),
    ]);
    const result = await runOnnx(network, { x: { shape: [2, 2], data: Float32Array.of(1, 10, 100, 1000) } });
    expect(result["y"]).to.deep.equal({ shape: [2, 1], data: Float32Array.of(32, 3200) });
  });

  it("keeps numbers at the edge of int64", () => {
    const network = everything();
    const [conv, last] = network.nodes;
    const edge = { ...last, attributes: { ends: ints([2 ** 63, -(2 ** 63)]) } };
    const again = read(writeOnnx({ ...network, nodes: [conv, edge] }));
    expect(again.nodes[1]?.attributes["ends"]).to.deep.equal(ints([2 ** 63, -(2 ** 63)]));
  });

  it("copies weights out of the file", () => {
    const bytes = writeOnnx(everything());
    const network = read(bytes);
    const before = network.parameters.get("float64")?.data[0];
    bytes.fill(0);
    expect(network.parameters.get("float64")?.data[0]).to.equal(before);
  });
});

describe("formats/onnx: tensors as other programs store them", () => {
  const floatBits = Buffer.from(Float32Array.of(1.5, -2).buffer);
  const cases: [string, Uint8Array, Parameter["type"], number[]][] = [
    ["raw float", message(...dims(2n), [2, 1n], [8, "w"], [9, floatBits]), "float32", [1.5, -2]],
    ["floats one by one", message(...dims(2n), [2, 1n], [4, 1.5], [4, -2], [8, "w"]), "float32", [1.5, -2]],
    ["packed floats", message(...dims(2n), [2, 1n], [4, floatBits], [8, "w"]), "float32", [1.5, -2]],
    ["packed dims", message([1, varints(2n, 1n)], [2, 1n], [4, floatBits], [8, "w"]), "float32", [1.5, -2]],
    ["int64", message(...dims(2n), [2, 7n], [7, varints(-3n, 4n)], [8, "w"]), "int64", [-3, 4]],
    ["int32", message(...dims(2n), [2, 6n], [5, varints(-3n, 4n)], [8, "w"]), "int32", [-3, 4]],
    ["bool", message(...dims(2n), [2, 9n], [5, varints(1n, 0n)], [8, "w"]), "bool", [1, 0]],
    ["uint8", message(...dims(2n), [2, 2n], [5, varints(255n, 0n)], [8, "w"]), "uint8", [255, 0]],
    [
      "float16 in int32s",
      message(...dims(3n), [2, 10n], [5, varints(0x3e00n, 0xc000n, 1n)], [8, "w"]),
      "float32",
      [1.5, -2, 2 ** -24],
    ],
    [
      "raw float16",
      message(...dims(2n), [2, 10n], [8, "w"], [9, Uint8Array.of(0x00, 0x3e, 0x00, 0x7c)]),
      "float32",
      [1.5, Infinity],
    ],
    [
      "raw bfloat16",
      message(...dims(2n), [2, 16n], [8, "w"], [9, Uint8Array.of(0xc0, 0x3f, 0x00, 0xc0)]),
      "float32",
      [1.5, -2],
    ],
    ["scalar", message([2, 1n], [4, 1.5], [8, "w"]), "float32", [1.5]],
    ["nothing in no place", message(...dims(0n), [2, 1n], [8, "w"]), "float32", []],
  ];
  for (const [title, weight, type, values] of cases) {
    it(title, () => {
      const parameter = read(file({ weights: [weight] })).parameters.get("w");
      expect(parameter?.type).to.equal(type);
      expect(Array.from(parameter?.data as Iterable<number | bigint>, Number)).to.deep.equal(values);
    });
  }

  it("external data, with a reader; refused without", () => {
    const entry = (key: string, text: string): readonly [number, Uint8Array] => [
      13,
      message([1, key], [2, text]),
    ];
    const outside = (...more: (readonly [number, Uint8Array])[]): Uint8Array =>
      file({ weights: [message(...dims(2n), [2, 1n], [8, "w"], [14, 1n], ...more)] });
    const bytes = outside(entry("location", "w.bin"), entry("offset", "4"), entry("length", "8"));
    const bin = Buffer.concat([Buffer.alloc(4), floatBits, Buffer.alloc(4)]);
    const network = readOnnx(bytes, {
      name: "m",
      external: (location) => (location === "w.bin" ? bin : Buffer.alloc(0)),
    });
    expect(network.parameters.get("w")?.data).to.deep.equal(Float32Array.of(1.5, -2));
    expect(() => read(bytes)).to.throw('weight "w": its data lie in another file, "w.bin"');
    const external = (): Uint8Array => bin;
    for (const location of ["../w.bin", "/etc/passwd", "a/../../w", "C:\\w", ""]) {
      const stray = outside(entry("location", location));
      expect(() => readOnnx(stray, { name: "m", external })).to.throw(
        "a path inside the model's folder was needed",
      );
    }
    const long = outside(entry("location", "w.bin"), entry("offset", "12"), entry("length", "8"));
    expect(() => readOnnx(long, { name: "m", external })).to.throw("a range inside its 16 bytes was needed");
  });
});

describe("formats/onnx: graphs as other programs write them", () => {
  it("turns Constant nodes into parameters", () => {
    const tensor = message(...dims(1n), [2, 1n], [4, 2.5]);
    const constant = (
      output: string,
      ...fields: (readonly [number, string | number | bigint | Uint8Array])[]
    ) => node("Constant", [], [output], message(...fields));
    const network = read(
      file({
        nodes: [
          constant("a", [1, "value"], [5, tensor], [20, 4n]),
          constant("b", [1, "value_float"], [2, 0.25], [20, 1n]),
          constant("c", [1, "value_ints"], [8, 1n], [8, 2n ** 62n], [20, 7n]),
          constant("d", [1, "value_int"], [3, 5n], [20, 2n]),
          constant("e", [1, "value_floats"], [7, 1], [7, 2], [20, 6n]),
          node("Relu", ["x"], ["y"]),
        ],
      }),
    );
    expect(network.nodes).to.have.length(1);
    expect(Object.fromEntries(network.parameters)).to.deep.equal({
      a: float32([1], Float32Array.of(2.5)),
      b: float32([], Float32Array.of(0.25)),
      c: { type: "int64", shape: [2], data: BigInt64Array.of(1n, 2n ** 62n) },
      d: int64([5], []),
      e: float32([2], Float32Array.of(1, 2)),
    });
  });

  it("takes initialisers off the inputs, names unnamed nodes and unknown sizes, sorts, makes names unique", () => {
    const named = (bytes: Uint8Array, name: string): Uint8Array => Buffer.concat([bytes, message([3, name])]);
    const network = read(
      file({
        nodes: [
          node("Add", ["r", "w"], ["y"]),
          named(node("Relu", ["n"], ["r"]), "same"),
          named(node("Neg", ["x"], ["n"]), "same"),
        ],
        weights: [message(...dims(2n), [2, 1n], [4, 1], [4, 2], [8, "w"])],
        inputs: [value("x", 1n, [null, 0n]), value("w", 1n, [2n])],
        outputs: [value("y", 10n, [null, 2n])],
      }),
    );
    expect(network.inputs).to.deep.equal([{ name: "x", type: "float32", shape: ["batch", "x.1"] }]);
    const half = { type: "float32", stored: "float16" };
    expect(network.outputs).to.deep.equal([{ name: "y", ...half, shape: ["batch", 2] }]);
    expect(network.nodes.map(({ name, op }) => [name, op])).to.deep.equal([
      ["same_2", "Neg"],
      ["same", "Relu"],
      ["y", "Add"],
    ]);
  });

  it("reads a cast to half precision as one to float32, and attributes without a type", () => {
    const network = read(file({ nodes: [node("Cast", ["x"], ["y"], message([1, "to"], [3, 10n]))] }));
    expect(network.nodes[0]?.attributes).to.deep.equal({ to: { ...int(1), stored: "float16" } });
  });

  it("infers the shape of an output that the file leaves open", () => {
    const open = message([1, "y"], [2, message([1, message([1, 1n])])]);
    const nodes = [node("Concat", ["x", "x"], ["y"], message([1, "axis"], [3, 1n], [20, 2n]))];
    expect(read(file({ nodes, outputs: [open] })).outputs).to.deep.equal([
      { name: "y", type: "float32", shape: ["batch", 4] },
    ]);
    expect(read(file({ nodes: [node("NonZero", ["x"], ["y"])], outputs: [open] })).outputs).to.deep.equal([
      { name: "y", type: "float32", shape: [], unranked: true },
    ]);
  });

  it("keeps an old Softmax over the last axis as it is", () => {
    const softmax = node("Softmax", ["x"], ["y"], message([1, "axis"], [3, 1n], [20, 2n]));
    const network = read(file({ nodes: [softmax], opset: 9n }));
    expect(network.nodes.map(({ op, attributes }) => [op, attributes])).to.deep.equal([
      ["Softmax", { axis: int(-1) }],
    ]);
  });

  it("hands on a graph inside a node as it is, and follows what it reads from outside", () => {
    const inner = message([1, node("Neg", ["x"], ["t"])], [2, "g"]);
    const branch = message([1, "then_branch"], [6, inner], [20, 5n]);
    const [{ inputs, reads, attributes }] = read(file({ nodes: [node("If", ["x"], ["y"], branch)] })).nodes;
    expect({ inputs, reads }).to.deep.equal({ inputs: ["x", "x"], reads: ["x"] });
    expect(attributes["then_branch"]).to.deep.equal({ type: "opaque", bytes: branch });
  });

  it("keeps metadata and survives a deep graph", () => {
    const chain = Array.from({ length: 20_000 }, (_, i) =>
      node("Relu", [i === 0 ? "x" : `v${i - 1}`], [i === 19_999 ? "y" : `v${i}`]),
    );
    const network = read(
      file({ nodes: chain.toReversed(), extra: [[14, message([1, "__proto__"], [2, "kept"])]] }),
    );
    expect(network.nodes).to.have.length(20_000);
    expect(Object.entries(network.metadata)).to.deep.equal([["__proto__", "kept"]]);
  });
});

describe("formats/onnx: older operator sets mean the same in opset 17", () => {
  const image = [1, 3, 4, 4];
  const floats = (...values: number[]): Attribute => ({ type: "floats", value: values });
  type Case = [
    op: string,
    opset: number,
    attributes: Record<string, Attribute>,
    shape: number[],
    more?: Parameter[],
  ];
  const cases: Case[] = [
    ["Clip", 7, { min: float(-0.25), max: float(0.5) }, image],
    ["Clip", 7, { max: float(0.5) }, image],
    ["Pad", 9, { pads: ints([0, 0, 1, 0, 0, 1, 0, 2]), value: float(0.5) }, image],
    ["Pad", 9, { pads: ints([0, 0, 1, 1, 0, 0, 1, 1]), mode: textAttribute("reflect") }, image],
    ["Slice", 9, { starts: ints([1, -3]), ends: ints([3, 9]), axes: ints([1, 3]) }, image],
    ["Slice", 9, { starts: ints([0, 1]), ends: ints([1, 2]) }, image],
    ["Squeeze", 11, { axes: ints([0]) }, image],
    ["Squeeze", 11, {}, image],
    ["Unsqueeze", 9, { axes: ints([0, 3]) }, image],
    ["ReduceSum", 11, { axes: ints([2, 3]), keepdims: int(0) }, image],
    ["ReduceSum", 11, {}, image],
    ["Split", 11, { axis: int(1), split: ints([3]) }, image],
    ["Dropout", 10, { ratio: float(0.3) }, image],
    ["Upsample", 7, { scales: floats(1, 1, 2, 3), mode: textAttribute("nearest") }, image],
    ["Upsample", 9, { mode: textAttribute("linear") }, image, [float32([4], Float32Array.of(1, 1, 2, 2))]],
    ["Resize", 10, { mode: textAttribute("nearest") }, image, [float32([4], Float32Array.of(1, 1, 1.5, 2))]],
    ["Resize", 10, {}, [1, 1, 2, 4], [float32([4], Float32Array.of(1, 1, 0.6, 0.6))]],
    [
      "Resize",
      10,
      { mode: textAttribute("nearest") },
      image,
      [float32([4], Float32Array.of(1, 1, 2.5, 0.7))],
    ],
    ["Resize", 10, { mode: textAttribute("linear") }, image, [float32([4], Float32Array.of(1, 1, 2.5, 0.7))]],
    ["Softmax", 11, {}, image],
    ["Softmax", 9, { axis: int(2) }, image],
    ["Softmax", 9, { axis: int(-1) }, image],
    ["LogSoftmax", 11, { axis: int(1) }, [2, 5]],
    ["TopK", 9, { k: int(2), axis: int(1) }, image],
    [
      "BatchNormalization",
      8,
      { epsilon: float(0.01) },
      image,
      [wave(3), wave(3), wave(3), { shape: [3], data: Float32Array.of(1, 2, 3) }].map(({ shape, data }) =>
        float32(shape, data),
      ),
    ],
  ];
  for (const [op, opset, attributes, shape, more = []] of cases) {
    it(`${op}, opset ${opset}, ${Object.keys(attributes).join(", ") || "defaults"}`, async () => {
      const extra = more.map((parameter, i) => [`p${i}`, parameter] as const);
      const rank = op === "Unsqueeze" ? shape.length + 2 : 0;
      const outputs = op === "TopK" ? ["y", "i"] : ["y"];
      const old: Network = {
        name: "old",
        opset,
        inputs: [{ name: "x", type: "float32", shape }],
        outputs: [
          {
            name: "y",
            type: "float32",
            shape: Array.from({ length: rank || shape.length }, (_, i) => `d${i}`),
          },
        ],
        nodes: [
          { name: "n", op, domain: "", inputs: ["x", ...extra.map(([name]) => name)], outputs, attributes },
        ],
        parameters: new Map(extra),
        metadata: {},
      };
      const bytes = writeOnnx(old);
      const network = read(bytes);
      expect(network.opset).to.equal(17);
      const x = wave(...shape);
      const [before, after] = [await runOnnx(bytes, { x }), await runOnnx(network, { x })];
      expect(difference(before["y"], after["y"])).to.be.below(1e-5);
    });
  }

  it("aligns operands and slopes of operator set 6 as their axis says", async () => {
    const parameters = (rank: number): Map<string, Parameter> => {
      const shape = [3, 1, 1].slice(0, rank);
      const own = (...values: number[]): Parameter => float32(shape, Float32Array.of(...values));
      return new Map([
        ["a", own(0.5, -1, 2)],
        ["b", own(1.5, 0.7, -0.3)],
        ["s", own(0.1, 0.2, 0.3)],
      ]);
    };
    const written = (opset: number): Network => {
      const aligned = opset < 7 ? { broadcast: int(1), axis: int(1) } : {};
      const line = (op: string, inputs: string[], output: string, attributes = {}): Node => ({
        ...{ name: output, op, domain: "", inputs, outputs: [output], attributes },
      });
      return {
        ...everything(),
        opset,
        inputs: [{ name: "x", type: "float32", shape: ["n", 3, 4, 5] }],
        outputs: [{ name: "y", type: "float32", shape: ["n", 3, 4, 5] }],
        nodes: [
          line("Add", ["x", "a"], "first", aligned),
          line("PRelu", ["first", "s"], "second"),
          line("Mul", ["second", "b"], "y", opset < 7 ? { broadcast: int(1), axis: int(-3) } : {}),
        ],
        parameters: parameters(opset < 7 ? 1 : 3),
        metadata: {},
      };
    };
    const x = wave(2, 3, 4, 5);
    const [old, today] = [6, 17].map((opset) => read(writeOnnx(written(opset))));
    expect((await runOnnx(old, { x }))["y"].data).to.deep.equal((await runOnnx(today, { x }))["y"].data);
  });

  const refused: [string, number, string, Record<string, Attribute>, RegExp][] = [
    [
      "spatial = 0",
      8,
      "BatchNormalization",
      { spatial: int(0) },
      /node "y" \(BatchNormalization, opset 8\): .*spatial = 0/,
    ],
    ["a legacy broadcast axis", 6, "Add", { broadcast: int(1), axis: int(1) }, /a legacy broadcast axis/],
    [
      "tf_half_pixel_for_nn",
      11,
      "Resize",
      { coordinate_transformation_mode: textAttribute("tf_half_pixel_for_nn") },
      /tf_half_pixel/,
    ],
  ];
  for (const [title, opset, op, attributes, pattern] of refused) {
    it(`refuses ${title}`, () => {
      const nodes = [{ name: "y", op, domain: "", inputs: ["image"], outputs: ["y"], attributes }];
      const bytes = writeOnnx({
        ...everything(),
        opset,
        nodes,
        outputs: [{ name: "y", type: "float32", shape: [1] }],
      });
      expect(() => read(bytes))
        .to.throw(pattern)
        .and.to.satisfy((error: unknown) => isEtlError(error, "unsupported"));
    });
  }
});

describe("formats/onnx: damaged files", () => {
  const weight = (...fields: (readonly [number, string | number | bigint | Uint8Array])[]): Uint8Array =>
    file({ weights: [message(...fields, [8, "w"])] });
  const cases: [string, Uint8Array, RegExp][] = [
    ["nothing", new Uint8Array(), /model\.onnx: no graph in the file, an ONNX model was needed/],
    [
      "a picture",
      Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
      /not an ONNX model or damaged/,
    ],
    ["a zip", new TextEncoder().encode("PK\x03\x04 and more"), /not an ONNX model or damaged/],
    [
      "a huge weight",
      weight(...dims(1n << 40n, 1n << 20n), [2, 1n], [9, new Uint8Array(8)]),
      /weight "w": 8 bytes of data, \d+ for/,
    ],
    ["a weight without data", weight(...dims(1n << 31n), [2, 1n]), /0 values of data/],
    ["a negative size", weight(...dims(-1n), [2, 1n]), /a dimension of -1/],
    ["a weight of text", weight(...dims(1n), [2, 8n]), /elements of type string/],
    [
      "too few bytes",
      weight(...dims(3n), [2, 1n], [9, new Uint8Array(8)]),
      /8 bytes of data, 12 for the shape \[3\]/,
    ],
    [
      "a cycle",
      file({
        nodes: [node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"]), node("Relu", ["b"], ["y"])],
      }),
      /depends on its own output/,
    ],
    [
      "a dangling input",
      file({ nodes: [node("Add", ["x", "gone"], ["y"])] }),
      /node "y" \(Add\): input "gone" is made by nothing/,
    ],
    ["a missing output", file({ outputs: [value("z")] }), /output "z": made by nothing/],
    [
      "two producers",
      file({ nodes: [node("Relu", ["x"], ["y"]), node("Neg", ["x"], ["y"])] }),
      /makes "y", which exists already/,
    ],
    [
      "a value that is no entry of an object",
      file({ nodes: [node("Relu", ["x"], ["__proto__"]), node("Neg", ["__proto__"], ["y"])] }),
      /makes a value called "__proto__", another name was needed/,
    ],
    [
      "a node over an input",
      file({ nodes: [node("Relu", ["x"], ["x"])] }),
      /makes "x", which exists already/,
    ],
    ["no operator", file({ nodes: [node("", ["x"], ["y"])] }), /node "y" \(\?\): no operator/],
    ["no opset", message([7, message([2, "g"])]), /no version of the operator set/],
    ["an opset of the future", file({ opset: 99n }), /operator set 99, 26 or earlier/],
    [
      "a weight twice",
      file({ weights: [0, 1].map(() => message(...dims(0n), [2, 1n], [8, "w"])) }),
      /weight "w": stored twice/,
    ],
    [
      "an input without rank",
      file({ inputs: [message([1, "x"], [2, message([1, message([1, 1n])])])] }),
      /input "x": no shape/,
    ],
    [
      "a sequence",
      file({ inputs: [message([1, "x"], [2, message([4, message()])])] }),
      /input "x": not a tensor/,
    ],
    [
      "text that is not UTF-8",
      file({ nodes: [node("Relu", ["x"], ["y"], message([1, "a"], [4, Uint8Array.of(0xff)], [20, 3n]))] }),
      /text that is not UTF-8/,
    ],
  ];
  for (const [title, bytes, pattern] of cases) {
    it(title, () => {
      expect(() => read(bytes))
        .to.throw(pattern)
        .and.to.satisfy(isEtlError);
    });
  }

  it("cut at any place", () => {
    const bytes = writeOnnx(everything());
    let refused = 0;
    for (let length = 0; length < bytes.length; length++) {
      try {
        read(bytes.subarray(0, length));
      } catch (error) {
        expect(isEtlError(error), String(error)).to.equal(true);
        refused++;
      }
    }
    // Only a cut between the trailing metadata entries leaves a whole file.
    expect(refused).to.be.within(bytes.length - 8, bytes.length);
  });
});
