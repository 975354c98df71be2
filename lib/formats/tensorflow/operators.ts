/** TensorFlow's operators of inference graphs, as operators of a network. */
import { int, ints } from "../../network/builder.ts";
import { int64 } from "../../network/network.ts";
import {
  beside,
  constantAt,
  emitNode,
  held,
  heldAxis,
  inputAt,
  numbersAt,
  plainName,
  refuseNode,
  string,
  type TfCall,
  type TfRule,
} from "./context.ts";
import { boolOf, floatOf, intOf, tfTextOf } from "./nodes.ts";
import { tfActivations, checkLayout, tfLayerRules } from "./layers.ts";
import { shapingRules } from "./shaping.ts";

const batchNorm: TfRule = (call) => {
  checkLayout(call);
  if (boolOf(call.node, "is_training"))
    throw refuseNode(call, "statistics of the batch", "is_training false");
  const parts = [1, 2, 3, 4].map((i) => constantAt(call, i, 1).data as Float32Array);
  const [scale, bias, mean, variance] = parts;
  const epsilon = floatOf(call.node, "epsilon", 1e-4);
  const x = held(call, inputAt(call, 0));
  return {
    name: call.net.batchNorm(x, { name: call.node.name, scale, bias, mean, variance, epsilon }),
    rank: 4,
  };
};

const binary =
  (op: string): TfRule =>
  (call) => {
    const [a, b] = [inputAt(call, 0), inputAt(call, 1)];
    const rank = Math.max(a.rank, b.rank);
    return { name: emitNode(call, op, [beside(call, a, rank), beside(call, b, rank)]), rank };
  };

const addAll: TfRule = (call) => {
  const rank = Math.max(...call.inputs.map((value) => value.rank));
  return {
    name: emitNode(
      call,
      "Sum",
      call.inputs.map((value) => beside(call, value, rank)),
    ),
    rank,
  };
};

const unary =
  (op: string): TfRule =>
  (call) => {
    const x = inputAt(call, 0);
    return { name: emitNode(call, op, [held(call, x)]), rank: x.rank };
  };

const activation =
  (name: string): TfRule =>
  (call) => {
    const x = inputAt(call, 0);
    return { name: tfActivations[name](call, held(call, x), call.node.name), rank: x.rank };
  };

const handOn: TfRule = (call) => inputAt(call, 0);

const reduce =
  (op: string): TfRule =>
  (call) => {
    const x = inputAt(call, 0);
    const axes = numbersAt(call, 1, "axes").map((axis) => heldAxis(axis, x.rank));
    const keeps = boolOf(call.node, "keep_dims");
    const rank = keeps ? x.rank : x.rank - axes.length;
    // What is left of an image without all of its places is in TensorFlow's order only behind these axes.
    const isOrdered =
      x.rank !== 4 || keeps || [2, 3].every((axis) => axes.includes(axis)) || axes.includes(1);
    if (!isOrdered) {
      const own = numbersAt(call, 1, "axes");
      return { name: reducedTo(call, op, { x: plainName(call, x), axes: own, keeps }), rank };
    }
    return { name: reducedTo(call, op, { x: held(call, x), axes, keeps }), rank };
  };

function reducedTo(
  call: TfCall,
  op: string,
  { x, axes, keeps }: { readonly x: string; readonly axes: readonly number[]; readonly keeps: boolean },
): string {
  const keepdims = int(keeps ? 1 : 0);
  if (op !== "ReduceSum") return emitNode(call, op, [x], { axes: ints(axes), keepdims });
  return emitNode(call, op, [x, call.net.parameter(call.part("axes"), int64(axes))], { keepdims });
}

const resize =
  (mode: "linear" | "nearest"): TfRule =>
  (call) => {
    const x = inputAt(call, 0);
    const size = inputAt(call, 1);
    const [corners, centres] = [boolOf(call.node, "align_corners"), boolOf(call.node, "half_pixel_centers")];
    if (mode === "nearest" && corners) throw refuseNode(call, "align_corners", "none for the nearest");
    // With half pixels TensorFlow's nearest takes floor((i + 0.5) scale), which half_pixel with these roundings is.
    const attributes = {
      mode: string(mode),
      coordinate_transformation_mode: string(
        corners ? "align_corners" : centres ? "half_pixel" : "asymmetric",
      ),
      ...(mode === "nearest" && { nearest_mode: string(centres ? "round_prefer_ceil" : "floor") }),
    };
    const shape = emitNode(call, "Shape", [held(call, x)], {}, call.part("shape"));
    const [start, end] = [0, 2].map((at) => call.net.parameter(call.part("at"), int64([at])));
    const front = emitNode(call, "Slice", [shape, start, end], {}, call.part("front"));
    const to = held(call, size);
    const sizes = emitNode(call, "Concat", [front, to], { axis: int(0) }, call.part("sizes"));
    return { name: emitNode(call, "Resize", [held(call, x), "", "", sizes], attributes), rank: 4 };
  };

const pad: TfRule = (call) => {
  const x = inputAt(call, 0);
  const pairs = numbersAt(call, 1, "paddings");
  if (pairs.length !== 2 * x.rank) throw refuseNode(call, `${pairs.length} paddings`, String(2 * x.rank));
  const pads = new Array<number>(2 * x.rank).fill(0);
  for (let axis = 0; axis < x.rank; axis++) {
    const own = heldAxis(axis, x.rank);
    [pads[own], pads[own + x.rank]] = [pairs[2 * axis], pairs[2 * axis + 1]];
  }
  const mode = call.node.op === "MirrorPad" ? tfTextOf(call.node, "mode", "REFLECT") : "CONSTANT";
  if (mode === "SYMMETRIC") throw refuseNode(call, "symmetric padding", "zeros or REFLECT");
  const value = call.node.op === "PadV2" ? [held(call, inputAt(call, 2))] : [];
  const attributes = mode === "REFLECT" ? { mode: string("reflect") } : {};
  const amounts = call.net.parameter(call.part("pads"), int64(pads));
  return { name: emitNode(call, "Pad", [held(call, x), amounts, ...value], attributes), rank: x.rank };
};

const prelu: TfRule = (call) => {
  const x = inputAt(call, 0);
  return {
    name: emitNode(call, "PRelu", [held(call, x), beside(call, inputAt(call, 1), x.rank)]),
    rank: x.rank,
  };
};

const softmax: TfRule = (call) => {
  const x = inputAt(call, 0);
  return {
    name: emitNode(call, "Softmax", [held(call, x)], { axis: int(heldAxis(-1, x.rank)) }),
    rank: x.rank,
  };
};

const clipByValue: TfRule = (call) => {
  const x = inputAt(call, 0);
  const [low, high] = [held(call, inputAt(call, 1)), held(call, inputAt(call, 2))];
  return { name: emitNode(call, "Clip", [held(call, x), low, high]), rank: x.rank };
};

const square: TfRule = (call) => {
  const x = held(call, inputAt(call, 0));
  return { name: emitNode(call, "Mul", [x, x]), rank: inputAt(call, 0).rank };
};

const rsqrt: TfRule = (call) => {
  const x = inputAt(call, 0);
  const root = emitNode(call, "Sqrt", [held(call, x)], {}, call.part("root"));
  return { name: emitNode(call, "Reciprocal", [root]), rank: x.rank };
};

const squaredDifference: TfRule = (call) => {
  const [a, b] = [inputAt(call, 0), inputAt(call, 1)];
  const rank = Math.max(a.rank, b.rank);
  const between = emitNode(
    call,
    "Sub",
    [beside(call, a, rank), beside(call, b, rank)],
    {},
    call.part("difference"),
  );
  return { name: emitNode(call, "Mul", [between, between]), rank };
};

const depthToSpace: TfRule = (call) => {
  checkLayout(call);
  const blocksize = int(intOf(call.node, "block_size", 1));
  // TensorFlow orders the channels of a block as ONNX's DCR.
  return {
    name: emitNode(call, "DepthToSpace", [held(call, inputAt(call, 0))], { blocksize, mode: string("DCR") }),
    rank: 4,
  };
};

export const tfRules: Readonly<Record<string, TfRule>> = {
  ...shapingRules,
  ...tfLayerRules,
  Identity: handOn,
  StopGradient: handOn,
  PreventGradient: handOn,
  Snapshot: handOn,
  PlaceholderWithDefault: handOn,
  BiasAdd: binary("Add"),
  FusedBatchNorm: batchNorm,
  FusedBatchNormV2: batchNorm,
  FusedBatchNormV3: batchNorm,
  Add: binary("Add"),
  AddN: addAll,
  AddV2: binary("Add"),
  Sub: binary("Sub"),
  Mul: binary("Mul"),
  RealDiv: binary("Div"),
  Div: binary("Div"),
  Maximum: binary("Max"),
  Minimum: binary("Min"),
  Pow: binary("Pow"),
  SquaredDifference: squaredDifference,
  ...Object.fromEntries(Object.keys(tfActivations).map((name) => [name, activation(name)])),
  Prelu: prelu,
  Softmax: softmax,
  Softplus: unary("Softplus"),
  Selu: unary("Selu"),
  Neg: unary("Neg"),
  Abs: unary("Abs"),
  Exp: unary("Exp"),
  Log: unary("Log"),
  Sqrt: unary("Sqrt"),
  Floor: unary("Floor"),
  Square: square,
  Rsqrt: rsqrt,
  ClipByValue: clipByValue,
  Mean: reduce("ReduceMean"),
  Max: reduce("ReduceMax"),
  Min: reduce("ReduceMin"),
  Sum: reduce("ReduceSum"),
  Pad: pad,
  PadV2: pad,
  MirrorPad: pad,
  ResizeBilinear: resize("linear"),
  ResizeNearestNeighbor: resize("nearest"),
  DepthToSpace: depthToSpace,
};
