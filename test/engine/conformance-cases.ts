/** One small network for each operator with a gradient, in every form it has: what both engines must agree on. */
import { float32, type Parameter, sizeOf } from "../../lib/network/network.ts";
import { type Case, node, randomParameter } from "./gradient-check.ts";

const p = (shape: readonly number[], seed = 1): Parameter => randomParameter(shape, { seed });
const away = (shape: readonly number[], kinks: readonly number[], seed = 1): Parameter =>
  randomParameter(shape, { seed, kinks, spread: 2 });
const positive = (shape: readonly number[], seed = 1): Parameter =>
  randomParameter(shape, { seed, positive: true });
const scalar = (value: number): Parameter => float32([], Float32Array.of(value));

const conv = (
  title: string,
  x: readonly number[],
  w: readonly number[],
  values: Parameters<typeof node>[4] = {},
): Case => ({
  title: `Conv ${title}`,
  nodes: [node("y", "Conv", ["x", "w", "b"], ["y"], values)],
  parameters: { x: p(x), w: p(w, 2), b: p([w[0]], 3) },
});

const unary = (
  op: string,
  x: Parameter,
  values: Parameters<typeof node>[4] = {},
  extra: Partial<Case> = {},
): Case => ({
  title: `${op} ${JSON.stringify(values)}`,
  nodes: [node("y", op, ["x"], ["y"], values)],
  parameters: { x },
  ...extra,
});

export const cases: readonly Case[] = [
  conv("1x1", [2, 3, 4, 5], [4, 3, 1, 1]),
  conv("3x3 padded", [2, 3, 5, 6], [4, 3, 3, 3], { pads: [1, 1, 1, 1] }),
  conv("stride 2 that does not divide", [2, 3, 8, 7], [4, 3, 3, 3], { strides: [2, 2], pads: [1, 0, 0, 1] }),
  conv("stride 3, kernel 2", [2, 2, 9, 8], [3, 2, 2, 2], { strides: [3, 3] }),
  conv("dilated", [2, 2, 9, 8], [3, 2, 3, 2], { dilations: [2, 3], pads: [2, 1, 2, 1] }),
  conv("strided and dilated", [2, 2, 11, 9], [3, 2, 3, 2], {
    dilations: [2, 1],
    strides: [2, 3],
    pads: [1, 1, 0, 2],
  }),
  conv("two groups", [2, 4, 5, 5], [6, 2, 3, 3], { group: 2, pads: [1, 1, 1, 1] }),
  conv("depthwise, stride 2", [2, 5, 7, 6], [5, 1, 3, 3], { group: 5, strides: [2, 2], pads: [1, 1, 1, 1] }),
  conv("depthwise with multiplier", [2, 3, 5, 5], [6, 1, 3, 3], { group: 3 }),
  conv("SAME_UPPER", [2, 3, 6, 5], [4, 3, 3, 2], { auto_pad: "SAME_UPPER", strides: [2, 1] }),
  conv("one axis", [2, 3, 9], [4, 3, 3], { strides: [2], pads: [1, 1] }),
  conv("whole blocks", [2, 16, 5, 6], [32, 16, 3, 3], { pads: [1, 1, 1, 1] }),
  conv("whole blocks, stride 2", [3, 16, 7, 8], [16, 16, 3, 3], { pads: [1, 1, 1, 1], strides: [2, 2] }),
  conv("broken blocks", [2, 20, 5, 6], [23, 20, 3, 3], { pads: [1, 1, 1, 1] }),
  conv("few channels in, blocks out", [2, 3, 9, 9], [32, 3, 5, 5], { strides: [2, 2] }),
  conv("asymmetric pads, blocks", [2, 17, 6, 6], [19, 17, 2, 3], { pads: [0, 2, 1, 1] }),
  conv("1x1 stride 2, blocks", [2, 16, 6, 6], [16, 16, 1, 1], { strides: [2, 2] }),
  conv("seventeen images", [17, 16, 3, 3], [16, 16, 3, 3], { pads: [1, 1, 1, 1] }),
  conv("depthwise in blocks", [2, 32, 5, 5], [32, 1, 3, 3], { group: 32, pads: [1, 1, 1, 1] }),
  {
    title: "ConvTranspose stride 2, groups",
    nodes: [
      node("y", "ConvTranspose", ["x", "w", "b"], ["y"], {
        strides: [2, 2],
        pads: [1, 0, 0, 1],
        group: 2,
        output_padding: [1, 0],
      }),
    ],
    parameters: { x: p([2, 4, 3, 4]), w: p([4, 3, 3, 2], 2), b: p([6], 3) },
  },
  unary("Relu", away([2, 3, 4], [0])),
  unary("LeakyRelu", away([2, 3, 4], [0]), { alpha: { float: 0.2 } }),
  {
    title: "PRelu",
    nodes: [node("y", "PRelu", ["x", "s"])],
    parameters: { x: away([2, 3, 2, 2], [0]), s: p([3, 1, 1], 2) },
  },
  {
    title: "Clip (Relu6)",
    nodes: [node("y", "Clip", ["x", "low", "high"])],
    parameters: { x: away([2, 3, 4], [0, 1.5]) },
    fixed: { low: scalar(0), high: scalar(1.5) },
  },
  {
    title: "Clip from below",
    nodes: [node("y", "Clip", ["x", "low"])],
    parameters: { x: away([2, 3, 4], [0.5]) },
    fixed: { low: scalar(0.5) },
  },
  unary("Sigmoid", p([2, 3, 4])),
  unary("HardSigmoid", away([2, 3, 4], [-2, 2]), { alpha: { float: 0.25 } }),
  unary("HardSwish", away([4, 3, 4], [-3, 3])),
  unary("Tanh", p([2, 3, 4])),
  unary("Softplus", p([2, 3, 4])),
  unary("Elu", away([2, 3, 4], [0]), { alpha: { float: 0.7 } }),
  unary("Gelu", p([2, 3, 4]), {}, { opset: 20 }),
  unary("Gelu", p([2, 3, 4]), { approximate: "tanh" }, { opset: 20 }),
  unary("Erf", p([2, 3, 4])),
  unary("Exp", p([2, 3, 4])),
  unary("Log", positive([2, 3, 4])),
  unary("Sqrt", positive([2, 3, 4])),
  unary("Reciprocal", positive([2, 3, 4])),
  unary("Abs", away([2, 3, 4], [0])),
  unary("Neg", p([2, 3, 4])),
  unary("Identity", p([2, 3, 4])),
  unary("Softmax", p([2, 3, 4]), { axis: 1 }),
  unary("Softmax", p([3, 4])),
  unary("LogSoftmax", p([3, 4])),
  {
    title: "Pow 2",
    nodes: [node("y", "Pow", ["x", "two"])],
    parameters: { x: p([2, 3]) },
    fixed: { two: scalar(2) },
  },
  {
    title: "Pow trained",
    nodes: [node("y", "Pow", ["x", "e"])],
    parameters: { x: positive([2, 3]), e: p([3], 2) },
  },
  ...["Add", "Sub", "Mul", "Div"].flatMap((op): Case[] => [
    {
      title: `${op} same shape`,
      nodes: [node("y", op, ["a", "b"])],
      parameters: { a: positive([2, 3, 4]), b: positive([2, 3, 4], 2) },
    },
    {
      title: `${op} broadcast`,
      nodes: [node("y", op, ["a", "b"])],
      parameters: { a: positive([2, 1, 4]), b: positive([3, 1], 2) },
    },
  ]),
  { title: "Mul with itself", nodes: [node("y", "Mul", ["x", "x"])], parameters: { x: p([2, 3]) } },
  unary("MaxPool", p([2, 3, 7, 6]), { kernel_shape: [3, 3], strides: [2, 2] }, { epsilon: 2e-3 }),
  unary(
    "MaxPool",
    p([2, 2, 6, 6]),
    { kernel_shape: [3, 2], strides: [1, 1], pads: [1, 0, 1, 1] },
    { epsilon: 2e-3 },
  ),
  unary(
    "MaxPool",
    p([2, 2, 6, 6]),
    { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 },
    { epsilon: 2e-3 },
  ),
  unary("MaxPool", p([2, 2, 6, 6]), { kernel_shape: [2, 2], strides: [2, 2] }, { epsilon: 2e-3 }),
  unary("AveragePool", p([2, 3, 6, 5]), { kernel_shape: [2, 2], strides: [2, 2] }),
  unary("AveragePool", p([2, 3, 7, 6]), { kernel_shape: [3, 2], strides: [2, 1], pads: [1, 0, 1, 1] }),
  unary("AveragePool", p([2, 3, 7, 6]), {
    kernel_shape: [3, 3],
    strides: [2, 2],
    pads: [1, 1, 1, 1],
    count_include_pad: 1,
  }),
  unary("AveragePool", p([2, 3, 6, 6]), { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 }),
  unary("GlobalAveragePool", p([2, 3, 4, 5])),
  unary("GlobalMaxPool", p([2, 3, 3, 4]), {}, { epsilon: 2e-3 }),
  unary("ReduceMean", p([2, 3, 4]), { axes: [0, -1], keepdims: 0 }),
  unary("ReduceMean", p([2, 3, 4]), { keepdims: 1 }),
  {
    title: "ReduceMean, axes as input",
    opset: 18,
    nodes: [node("y", "ReduceMean", ["x", "axes"])],
    parameters: { x: p([2, 3, 4]) },
    tables: { axes: [1] },
  },
  {
    title: "ReduceSum",
    nodes: [node("y", "ReduceSum", ["x", "axes"], ["y"], { keepdims: 0 })],
    parameters: { x: p([2, 3, 4]) },
    tables: { axes: [1, 2] },
  },
  {
    title: "Concat",
    nodes: [node("y", "Concat", ["a", "b", "a"], ["y"], { axis: -2 })],
    parameters: { a: p([2, 3, 4]), b: p([2, 1, 4], 2) },
  },
  {
    title: "Split, one part unused",
    nodes: [
      node("split", "Split", ["x", "sizes"], ["s0", "s1", "s2"], { axis: 1 }),
      node("y", "Concat", ["s2", "s0"], ["y"], { axis: 1 }),
    ],
    parameters: { x: p([2, 6, 3]) },
    tables: { sizes: [1, 2, 3] },
  },
  {
    title: "Pad, also negative",
    nodes: [node("y", "Pad", ["x", "pads"])],
    parameters: { x: p([2, 3, 4]) },
    tables: { pads: [0, 1, -1, 2, 0, 1] },
  },
  {
    title: "Slice",
    nodes: [node("y", "Slice", ["x", "starts", "ends", "axes"])],
    parameters: { x: p([4, 5, 6]) },
    tables: { starts: [1, -4], ends: [1000, -1], axes: [0, 2] },
  },
  {
    title: "Slice with steps",
    nodes: [node("y", "Slice", ["x", "starts", "ends", "axes", "steps"])],
    parameters: { x: p([4, 5, 6]) },
    tables: { starts: [0, 5], ends: [5, 0], axes: [1, 2], steps: [2, -2] },
  },
  {
    title: "Reshape",
    nodes: [node("y", "Reshape", ["x", "shape"])],
    parameters: { x: p([2, 3, 4]) },
    tables: { shape: [0, -1] },
  },
  unary("Flatten", p([2, 3, 4]), { axis: 2 }),
  {
    title: "Squeeze",
    nodes: [node("y", "Squeeze", ["x", "axes"])],
    parameters: { x: p([2, 1, 4]) },
    tables: { axes: [1] },
  },
  {
    title: "Unsqueeze",
    nodes: [node("y", "Unsqueeze", ["x", "axes"])],
    parameters: { x: p([2, 4]) },
    tables: { axes: [0, 2] },
  },
  unary("Transpose", p([2, 3, 4]), { perm: [2, 0, 1] }),
  {
    title: "Gather, one index twice",
    nodes: [node("y", "Gather", ["x", "i"], ["y"], { axis: 1 })],
    parameters: { x: p([2, 5, 3]) },
    tables: { i: [3, 0, 3, -1] },
  },
  {
    title: "Expand",
    nodes: [node("y", "Expand", ["x", "shape"])],
    parameters: { x: p([3, 1]) },
    tables: { shape: [2, 3, 4] },
  },
  {
    title: "Resize nearest",
    nodes: [
      node("y", "Resize", ["x", "", "scales"], ["y"], {
        mode: "nearest",
        coordinate_transformation_mode: "asymmetric",
        nearest_mode: "floor",
      }),
    ],
    parameters: { x: p([2, 3, 2, 3]) },
    fixed: { scales: float32([4], Float32Array.of(1, 1, 2, 3)) },
  },
  {
    title: "Gemm",
    nodes: [node("y", "Gemm", ["a", "b", "c"])],
    parameters: { a: p([3, 4]), b: p([4, 2], 2), c: p([2], 3) },
  },
  ...[
    [0, 1],
    [1, 0],
    [1, 1],
  ].map(([transA, transB]): Case => ({
    title: `Gemm transA ${transA} transB ${transB}`,
    nodes: [
      node("y", "Gemm", ["a", "b", "c"], ["y"], {
        transA,
        transB,
        alpha: { float: 0.5 },
        beta: { float: 2 },
      }),
    ],
    parameters: {
      a: p(transA === 1 ? [4, 3] : [3, 4]),
      b: p(transB === 1 ? [2, 4] : [4, 2], 2),
      c: p([3, 1], 3),
    },
  })),
  {
    title: "MatMul",
    nodes: [node("y", "MatMul", ["a", "b"])],
    parameters: { a: p([3, 4]), b: p([4, 2], 2) },
  },
  {
    title: "MatMul broadcast stacks",
    nodes: [node("y", "MatMul", ["a", "b"])],
    parameters: { a: p([2, 1, 3, 4]), b: p([5, 4, 2], 2) },
  },
  {
    title: "MatMul vector",
    nodes: [node("y", "MatMul", ["a", "b"])],
    parameters: { a: p([2, 3, 4]), b: p([4], 2) },
  },
  {
    title: "BatchNormalization, batch statistics",
    nodes: [node("y", "BatchNormalization", ["x", "g", "b", "m", "v"])],
    parameters: { x: p([3, 4, 2, 3]), g: p([4], 2), b: p([4], 3) },
    fixed: { m: p([4], 4), v: positive([4], 5) },
  },
  {
    title: "BatchNormalization, frozen",
    nodes: [node("y", "BatchNormalization", ["x", "g", "b", "m", "v"])],
    parameters: { x: p([3, 4, 2, 3]) },
    fixed: { g: p([4], 2), b: p([4], 3), m: p([4], 4), v: positive([4], 5) },
  },
  {
    title: "LayerNormalization",
    nodes: [node("y", "LayerNormalization", ["x", "g", "b"], ["y"], { axis: -2 })],
    parameters: { x: p([2, 3, 4]), g: p([3, 4], 2), b: p([3, 4], 3) },
  },
  unary("LRN", p([2, 5, 2, 3]), {
    size: 3,
    alpha: { float: 0.5 },
    beta: { float: 0.75 },
    bias: { float: 1 },
  }),
  unary("LRN", p([2, 5, 2, 3]), { size: 5, alpha: { float: 0.5 } }),
  {
    title: "Dropout",
    nodes: [node("y", "Dropout", ["x", "ratio"])],
    parameters: { x: p([4, 6]) },
    fixed: { ratio: scalar(0.4) },
  },
];

/** The face ResNet in small: few channels, all kinds of blocks, an odd side. */
export function residual(): Case {
  const nodes = [
    node("c0", "Conv", ["x", "c0.w", "c0.b"], ["c0"], { strides: [2, 2] }),
    node("r0", "Relu", ["c0"]),
    node("pool", "MaxPool", ["r0"], ["pool"], { kernel_shape: [3, 3], strides: [2, 2] }),
    node("c1", "Conv", ["pool", "c1.w", "c1.b"], ["c1"], { pads: [1, 1, 1, 1] }),
    node("r1", "Relu", ["c1"]),
    node("c2", "Conv", ["r1", "c2.w", "c2.b"], ["c2"], { pads: [1, 1, 1, 1] }),
    node("a1", "Add", ["c2", "pool"]),
    node("r2", "Relu", ["a1"]),
    node("c3", "Conv", ["r2", "c3.w", "c3.b"], ["c3"], { strides: [2, 2] }),
    node("r3", "Relu", ["c3"]),
    node("c4", "Conv", ["r3", "c4.w", "c4.b"], ["c4"], { pads: [1, 1, 1, 1] }),
    node("padded", "Pad", ["c4", "main.pads"]),
    node("half", "AveragePool", ["r2"], ["half"], { kernel_shape: [2, 2], strides: [2, 2] }),
    node("wide", "Pad", ["half", "short.pads"]),
    node("a2", "Add", ["padded", "wide"]),
    node("r4", "Relu", ["a2"]),
    node("gap", "GlobalAveragePool", ["r4"]),
    node("flat", "Flatten", ["gap"]),
    node("y", "Gemm", ["flat", "fc.w", "fc.b"]),
  ];
  const conv = (name: string, shape: readonly number[], seed: number): Record<string, Parameter> => ({
    [`${name}.w`]: randomParameter(shape, { seed, spread: Math.sqrt(6 / sizeOf(shape.slice(1))) / 1.5 }),
    [`${name}.b`]: randomParameter([shape[0]], { seed: seed + 20, spread: 0.1 }),
  });
  return {
    title: "a residual network with every block of the face ResNet",
    nodes,
    parameters: {
      ...conv("c0", [16, 3, 7, 7], 1),
      ...conv("c1", [16, 16, 3, 3], 2),
      ...conv("c2", [16, 16, 3, 3], 3),
      ...conv("c3", [32, 16, 3, 3], 4),
      ...conv("c4", [32, 32, 3, 3], 5),
      "fc.w": p([32, 3], 6),
      "fc.b": p([3], 7),
    },
    tables: { "main.pads": [0, 0, 0, 0, 0, 0, 1, 1], "short.pads": [0, 0, 0, 0, 0, 16, 0, 0] },
    fixed: { x: p([3, 3, 39, 39], 8) },
    epsilon: 1e-3,
    tolerance: 3e-2,
  };
}
