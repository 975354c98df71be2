import { expect } from "chai";
import fc from "fast-check";
import { isEtlError } from "../../lib/core/errors.ts";
import { createBuilder, float, int, ints, textAttribute } from "../../lib/network/builder.ts";
import { float32, int64, type Attribute, type Network, type Parameter } from "../../lib/network/network.ts";
import { symbolicShapes } from "../../lib/network/open/symbolic.ts";
import { inferShapes, propagate, shapedOperators } from "../../lib/network/shapes/infer.ts";

type Input = readonly number[] | Parameter;

/** One node whose inputs are tensors of the given shapes, or parameters. */
function single(
  op: string,
  inputs: readonly Input[],
  attributes: Record<string, Attribute> = {},
  outputs = 1,
): Network {
  const names = inputs.map((_, i) => `in${i}`);
  return {
    name: "test",
    opset: 18,
    inputs: inputs.flatMap((input, i) =>
      "data" in input ? [] : [{ name: `in${i}`, type: "float32" as const, shape: input }],
    ),
    outputs: [],
    nodes: [
      {
        name: "n",
        op,
        domain: "",
        inputs: names,
        outputs: Array.from({ length: outputs }, (_, i) => `y${i}`),
        attributes,
      },
    ],
    parameters: new Map(inputs.flatMap((input, i) => ("data" in input ? [[`in${i}`, input] as const] : []))),
    metadata: {},
  };
}

const shapesOf = (network: Network): (readonly number[] | undefined)[] => {
  const shapes = inferShapes(network);
  return network.nodes[0]?.outputs.map((output) => shapes.get(output)) ?? [];
};

const kernel = (...sizes: number[]) => ({ kernel_shape: ints(sizes) });

describe("network/shapes", () => {
  const cases: [string, Network, number[][]][] = [
    [
      "Conv",
      single("Conv", [
        [2, 3, 9, 8],
        [4, 3, 3, 3],
      ]),
      [[2, 4, 7, 6]],
    ],
    [
      "Conv with strides, pads, dilations, groups",
      single(
        "Conv",
        [
          [1, 4, 11, 12],
          [6, 2, 3, 2],
        ],
        {
          strides: ints([2, 3]),
          pads: ints([1, 0, 2, 1]),
          dilations: ints([2, 3]),
          group: int(2),
        },
      ),
      [[1, 6, 5, 4]],
    ],
    [
      "Conv SAME_UPPER",
      single(
        "Conv",
        [
          [1, 1, 7, 8],
          [1, 1, 3, 3],
        ],
        { auto_pad: textAttribute("SAME_UPPER"), strides: ints([2, 2]) },
      ),
      [[1, 1, 4, 4]],
    ],
    [
      "Conv VALID",
      single(
        "Conv",
        [
          [1, 1, 7, 8],
          [1, 1, 3, 3],
        ],
        { auto_pad: textAttribute("VALID") },
      ),
      [[1, 1, 5, 6]],
    ],
    [
      "Conv, one axis",
      single("Conv", [
        [1, 2, 10],
        [3, 2, 4],
      ]),
      [[1, 3, 7]],
    ],
    [
      "ConvTranspose",
      single(
        "ConvTranspose",
        [
          [1, 4, 5, 5],
          [4, 3, 3, 3],
        ],
        {
          strides: ints([2, 2]),
          pads: ints([1, 1, 1, 1]),
          output_padding: ints([1, 0]),
          group: int(2),
        },
      ),
      [[1, 6, 10, 9]],
    ],
    [
      "MaxPool ceil",
      single("MaxPool", [[1, 2, 6, 7]], { ...kernel(3, 3), strides: ints([2, 2]), ceil_mode: int(1) }),
      [[1, 2, 3, 3]],
    ],
    [
      "MaxPool ceil drops a window that starts in the padding",
      single("MaxPool", [[1, 1, 4, 4]], {
        ...kernel(1, 1),
        strides: ints([2, 2]),
        pads: ints([0, 0, 1, 1]),
        ceil_mode: int(1),
      }),
      [[1, 1, 2, 2]],
    ],
    [
      "MaxPool with indices",
      single("MaxPool", [[1, 2, 6, 6]], kernel(2, 2), 2),
      [
        [1, 2, 5, 5],
        [1, 2, 5, 5],
      ],
    ],
    ["GlobalAveragePool", single("GlobalAveragePool", [[2, 3, 4, 5]]), [[2, 3, 1, 1]]],
    [
      "Add broadcasts",
      single("Add", [
        [2, 1, 4],
        [3, 1],
      ]),
      [[2, 3, 4]],
    ],
    ["Where", single("Where", [[2, 1], [1, 3], []]), [[2, 3]]],
    ["Gemm transposed", single("Gemm", [[5, 2], [4, 5], [4]], { transA: int(1), transB: int(1) }), [[2, 4]]],
    [
      "MatMul of stacks",
      single("MatMul", [
        [3, 1, 2, 4],
        [5, 4, 6],
      ]),
      [[3, 5, 2, 6]],
    ],
    ["MatMul with a vector", single("MatMul", [[3, 2, 4], [4]]), [[3, 2]]],
    ["Reshape", single("Reshape", [[2, 3, 4], int64([0, -1])]), [[2, 12]]],
    ["Flatten", single("Flatten", [[2, 3, 4]], { axis: int(-1) }), [[6, 4]]],
    ["Transpose without order", single("Transpose", [[2, 3, 4]]), [[4, 3, 2]]],
    [
      "Concat",
      single(
        "Concat",
        [
          [2, 3],
          [2, 5],
        ],
        { axis: int(-1) },
      ),
      [[2, 8]],
    ],
    [
      "Split by sizes",
      single("Split", [[2, 7], int64([3, 4])], { axis: int(1) }, 2),
      [
        [2, 3],
        [2, 4],
      ],
    ],
    ["Split with a smaller rest", single("Split", [[7]], { num_outputs: int(3) }, 3), [[3], [3], [1]]],
    [
      "Slice backwards",
      single("Slice", [[5, 6], int64([-1]), int64([-1e9]), int64([1]), int64([-2])]),
      [[5, 3]],
    ],
    ["Slice past the end", single("Slice", [[5, 6], int64([2]), int64([2 ** 53])]), [[3, 6]]],
    ["Slice to the largest int64", single("Slice", [[5, 6], int64([2]), int64([2 ** 63])]), [[3, 6]]],
    [
      "Pad of chosen axes",
      single("Pad", [[1, 2, 3], int64([1, 2]), float32([], new Float32Array(1)), int64([-1])]),
      [[1, 2, 6]],
    ],
    ["Squeeze", single("Squeeze", [[1, 3, 1], int64([-1])]), [[1, 3]]],
    ["Unsqueeze", single("Unsqueeze", [[3, 4], int64([0, -1])]), [[1, 3, 4, 1]]],
    ["Expand", single("Expand", [[3, 1], int64([2, 1, 4])]), [[2, 3, 4]]],
    [
      "Gather",
      single("Gather", [[3, 4, 5], int64([0, 1, 2, 0, 1, 2], [2, 3])], { axis: int(1) }),
      [[3, 2, 3, 5]],
    ],
    [
      "ReduceMean, axes as input",
      single("ReduceMean", [[2, 3, 4], int64([-1])], { keepdims: int(0) }),
      [[2, 3]],
    ],
    ["ReduceMean, axes as attribute", single("ReduceMean", [[2, 3, 4]], { axes: ints([1, 2]) }), [[2, 1, 1]]],
    ["ReduceSum of all", single("ReduceSum", [[2, 3]], { keepdims: int(0) }), [[]]],
    ["ArgMax", single("ArgMax", [[2, 3]], { axis: int(1), keepdims: int(0) }), [[2]]],
    [
      "Resize by scales",
      single("Resize", [
        [1, 2, 3, 5],
        float32([0], new Float32Array(0)),
        float32([4], Float32Array.of(1, 1, 2, 1.5)),
      ]),
      [[1, 2, 6, 7]],
    ],
    ["DepthToSpace", single("DepthToSpace", [[1, 8, 2, 3]], { blocksize: int(2) }), [[1, 2, 4, 6]]],
    ["SpaceToDepth", single("SpaceToDepth", [[1, 2, 4, 6]], { blocksize: int(2) }), [[1, 8, 2, 3]]],
    [
      "LayerNormalization with statistics",
      single("LayerNormalization", [[2, 3, 4], [4]], {}, 2),
      [
        [2, 3, 4],
        [2, 3, 1],
      ],
    ],
    [
      "TopK",
      single("TopK", [[2, 9], int64([4])], {}, 2),
      [
        [2, 4],
        [2, 4],
      ],
    ],
    [
      "PRelu",
      single("PRelu", [
        [2, 3, 4, 4],
        [3, 1, 1],
      ]),
      [[2, 3, 4, 4]],
    ],
  ];
  for (const [title, network, wanted] of cases) {
    it(title, () => {
      expect(shapesOf(network)).to.deep.equal(wanted);
    });
  }

  const wrong: [string, Network, RegExp][] = [
    [
      "channels",
      single("Conv", [
        [1, 3, 8, 8],
        [4, 4, 3, 3],
      ]),
      /test: node "n" \(Conv\): weights \[4, 4, 3, 3\] in 1 groups on 3 channels/,
    ],
    [
      "a window that is too large",
      single("Conv", [
        [1, 1, 2, 2],
        [1, 1, 3, 3],
      ]),
      /a window of 3 over 2 elements/,
    ],
    ["a bias", single("Conv", [[1, 1, 5, 5], [2, 1, 3, 3], [3]]), /a bias of shape \[3\], \[2\] was needed/],
    [
      "a place outside",
      single("Gather", [[2, 3], int64([0, 9])], { axis: int(1) }),
      /\(Gather\): index 9 into 3 places of axis 1, -3 to 2 was needed/,
    ],
    [
      "a scale below zero",
      single("Resize", [
        [1, 3, 4, 4],
        float32([0], new Float32Array()),
        float32([4], Float32Array.of(1, 1, -1, 1)),
      ]),
      /a scale of -1, scales above 0 were needed/,
    ],
    ["a sum of nothing", single("Sum", []), /\(Sum\): no input 0, it was needed/],
    ["shapes that do not broadcast", single("Add", [[2, 3], [4]]), /shapes \[2, 3\] and \[4\]/],
    ["a Reshape that loses elements", single("Reshape", [[2, 3], int64([4])]), /\[2, 3\] into \[4\]/],
    [
      "inner sizes",
      single("MatMul", [
        [2, 3],
        [4, 5],
      ]),
      /equal inner sizes/,
    ],
    [
      "statistics",
      single("BatchNormalization", [[1, 3, 2], [3], [3], [3], [4]]),
      /of shape \[4\], \[3\] was needed/,
    ],
    [
      "a stride of zero",
      single("MaxPool", [[1, 1, 4, 4]], { ...kernel(2, 2), strides: ints([0, 1]) }),
      /numbers above zero/,
    ],
    [
      "a shape that comes from data",
      single("Reshape", [[2, 3], [2]]),
      /computed from data, a constant was needed/,
    ],
  ];
  for (const [what, network, message] of wrong) {
    it(`refuses ${what}`, () => {
      expect(() => inferShapes(network))
        .to.throw(message)
        .and.to.satisfy(isEtlError);
    });
  }

  it("names an operator it does not know, with its node", () => {
    const unknown = (op: string): void => void inferShapes(single(op, [[2]]));
    expect(() => {
      unknown("NonMaxSuppression");
    })
      .to.throw(
        'test: node "n" (NonMaxSuppression): an operator without a shape rule, a supported one was needed',
      )
      .and.to.satisfy((error: unknown) => isEtlError(error, "unsupported"));
    expect(() => {
      unknown("constructor");
    }).to.throw("an operator without a shape rule");
  });

  it("counts windows as a loop over positions does", () => {
    const size = fc.record({
      input: fc.integer({ min: 1, max: 20 }),
      kernel: fc.integer({ min: 1, max: 5 }),
      stride: fc.integer({ min: 1, max: 4 }),
      dilation: fc.integer({ min: 1, max: 3 }),
      before: fc.integer({ min: 0, max: 3 }),
      after: fc.integer({ min: 0, max: 3 }),
    });
    fc.assert(
      fc.property(size, ({ input, kernel: taps, stride, dilation, before, after }) => {
        let count = 0;
        for (let at = -before; at + (taps - 1) * dilation < input + after; at += stride) count++;
        fc.pre(count > 0);
        const attributes = {
          ...kernel(taps),
          strides: ints([stride]),
          dilations: ints([dilation]),
          pads: ints([before, after]),
        };
        expect(shapesOf(single("MaxPool", [[1, 1, input]], attributes))).to.deep.equal([[1, 1, count]]);
      }),
    );
  });

  /** x.view(x.size(0), 2, x.size(1) // 2, -1) as PyTorch writes it. */
  const viewed = (): Network => {
    const b = createBuilder("view");
    const x = b.input("x", ["n", 6, 4, 5]);
    const shape = b.node("Shape", [x], { name: "shape" });
    const entry = (i: number): string =>
      b.node("Gather", [shape, b.parameter(`i${i}`, int64([i], []))], { attributes: { axis: int(0) } });
    const half = b.node(
      "Cast",
      [
        b.node("Floor", [
          b.node("Div", [
            b.node("Cast", [entry(1)], { attributes: { to: int(1) } }),
            b.parameter("two", float32([], Float32Array.of(2))),
          ]),
        ]),
      ],
      { attributes: { to: int(7) } },
    );
    const axes = b.parameter("axes", int64([0]));
    const list = [entry(0), b.parameter("groups", int64([2], [])), half].map((part) =>
      b.node("Unsqueeze", [part, axes]),
    );
    const target = b.concat([...list, b.parameter("rest", int64([-1]))], { axis: 0, name: "target" });
    return b.build([b.node("Reshape", [x, target], { name: "y" })]);
  };

  it("follows shape arithmetic", () => {
    const { shapes, constants } = propagate(viewed(), { bindings: { n: 3 } });
    expect(constants.get("target")).to.deep.equal({ type: "int64", shape: [4], values: [3, 2, 3, -1] });
    expect(shapes.get("y")).to.deep.equal([3, 2, 3, 20]);
    expect(symbolicShapes(viewed()).get("y")).to.deep.equal(["n", 2, 3, 20]);
  });

  it("binds names, and asks for a size where one is missing", () => {
    const network: Network = {
      ...single("Relu", [[1]]),
      inputs: [{ name: "in0", type: "float32", shape: ["n", 3, "h"] }],
    };
    expect(inferShapes(network, { h: 9 }).get("y0")).to.deep.equal([1, 3, 9]);
    expect(inferShapes(network, { n: 2, h: 9 }).get("y0")).to.deep.equal([2, 3, 9]);
    expect(inferShapes(network, { batch: 4, h: 9 }).get("y0")).to.deep.equal([4, 3, 9]);
    expect(() => inferShapes(network)).to.throw('dimension 2 is the name "h"');
  });

  it("goes on after a node it does not know, where asked to", () => {
    const b = createBuilder("partial");
    const x = b.input("x", ["batch", 3, 4, 4]);
    b.node("NonZero", [x], { name: "unknown" });
    b.leakyRelu(b.relu(x), 0.1, { name: "known" });
    expect(() => b.build(["known"])).to.throw('node "unknown" (NonZero)');
    const nodes = [
      { name: "u", op: "NonZero", domain: "", inputs: ["x"], outputs: ["u"], attributes: {} },
      { name: "r", op: "Elu", domain: "", inputs: ["x"], outputs: ["r"], attributes: { alpha: float(1) } },
    ];
    const network: Network = { ...viewed(), nodes };
    const { shapes } = propagate(network, { onError: "skip" });
    expect(shapes.has("u")).to.equal(false);
    expect(shapes.get("r")).to.deep.equal([1, 6, 4, 5]);
  });

  it("lists what it knows", () => {
    expect(shapedOperators).to.include.members(["Conv", "GroupNormalization", "Where"]);
  });
});
