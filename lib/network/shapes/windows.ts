/** Shapes of operators that slide a window or resample: convolutions, pools, Resize, depth and space. */
import { intAttribute, intsAttribute, stringAttribute } from "../network.ts";
import { extentOf, windowAttributes, type WindowAttributes } from "../operators/attributes.ts";
import {
  axisOf,
  known,
  show,
  type OpContext,
  type Shape,
  type ShapeRule,
  type ShapeRules,
} from "./context.ts";

/** Settings that were checked against the shapes; the kernel is that of the weights where there are some. */
function windows(op: OpContext, spatial: number, weights?: Shape): WindowAttributes {
  const stated = windowAttributes(op.node, spatial);
  const kernel = stated.kernel.length === 0 ? (weights ?? []) : stated.kernel;
  if (kernel.length !== spatial || kernel.some((size) => size < 1)) {
    op.fail(`kernel_shape ${show(kernel)}`, `${spatial} sizes above zero were needed`);
  }
  if (weights !== undefined && show(kernel) !== show(weights)) {
    op.fail(
      `kernel_shape ${show(kernel)} beside weights of ${show(weights)}`,
      "the weights' size was needed",
    );
  }
  const { strides, dilations, pads } = stated;
  for (const [name, list, length] of [
    ["strides", strides, spatial],
    ["dilations", dilations, spatial],
    ["pads", pads, 2 * spatial],
  ] as const) {
    if (list.length !== length) {
      op.fail(`${name} of ${list.length} numbers`, `${length} for ${spatial} spatial axes were needed`);
    }
  }
  if ([...strides, ...dilations].some((step) => step < 1)) {
    op.fail(`strides ${show(strides)}, dilations ${show(dilations)}`, "numbers above zero were needed");
  }
  return { ...stated, kernel };
}

/** Output sizes of a sliding window; with `ceil` a last window that starts inside the input or its front padding stays. */
function slide(op: OpContext, sizes: Shape, { ceil, ...w }: WindowAttributes): Shape {
  return sizes.map((size, i) => {
    const stride = w.strides[i];
    const extent = extentOf(w.kernel[i], w.dilations[i]);
    if (w.same !== undefined) return Math.ceil(size / stride);
    const [front, back] = [w.pads[i], w.pads[i + sizes.length]];
    const room = size + front + back - extent;
    if (room < 0) {
      op.fail(
        `a window of ${extent} over ${size + front + back} elements`,
        "a window inside its padded input was needed",
      );
    }
    if (!ceil) return Math.floor(room / stride) + 1;
    const count = Math.ceil(room / stride) + 1;
    return (count - 1) * stride >= size + front ? count - 1 : count;
  });
}

function expectRank(op: OpContext, shape: Shape, least: number): void {
  if (shape.length < least) op.fail(`an input of shape ${show(shape)}`, `at least rank ${least} was needed`);
}

function expectBias(op: OpContext, channels: number): void {
  if (op.has(2) && show(op.input(2)) !== `[${channels}]`) {
    op.fail(`a bias of shape ${show(op.input(2))}`, `[${channels}] was needed`);
  }
}

/** x [N, C, ...], w [M, C / group, ...] -> [N, M, ...] */
const conv: ShapeRule = (op) => {
  const [x, w] = [op.input(0), op.input(1)];
  expectRank(op, x, 3);
  if (w.length !== x.length) op.fail(`weights ${show(w)} on an input ${show(x)}`, "equal ranks were needed");
  const [batch = 0, channels = 0, ...sizes] = x;
  const [filters = 0, perGroup = 0, ...kernel] = w;
  const group = intAttribute(op.node, "group", 1);
  if (perGroup * group !== channels || filters % group !== 0) {
    op.fail(`weights ${show(w)} in ${group} groups on ${channels} channels`, "matching channels were needed");
  }
  expectBias(op, filters);
  return [[batch, filters, ...slide(op, sizes, { ...windows(op, sizes.length, kernel), ceil: false })]];
};

/** x [N, C, ...], w [C, M / group, ...] -> [N, M, ...] */
const convTranspose: ShapeRule = (op) => {
  const [x, w] = [op.input(0), op.input(1)];
  expectRank(op, x, 3);
  if (w.length !== x.length) op.fail(`weights ${show(w)} on an input ${show(x)}`, "equal ranks were needed");
  const [batch = 0, channels = 0, ...sizes] = x;
  const [inputs, perGroup = 0, ...kernel] = w;
  const group = intAttribute(op.node, "group", 1);
  if (inputs !== channels || channels % group !== 0) {
    op.fail(`weights ${show(w)} in ${group} groups on ${channels} channels`, "matching channels were needed");
  }
  expectBias(op, perGroup * group);
  const shape = windows(op, sizes.length, kernel);
  const extra = intsAttribute(op.node, "output_padding", []);
  const explicit = intsAttribute(op.node, "output_shape", []);
  const out = sizes.map((size, i) => {
    const stride = shape.strides[i];
    if (explicit.length > 0) return explicit.at(i - sizes.length) ?? 0;
    if (shape.same !== undefined) return size * stride;
    const extent = extentOf(shape.kernel[i], shape.dilations[i]);
    const pads = shape.pads[i] + shape.pads[i + sizes.length];
    return stride * (size - 1) + (extra[i] ?? 0) + extent - pads;
  });
  if (out.some((size) => size < 1)) op.fail(`an output of ${show(out)}`, "sizes above zero were needed");
  return [[batch, perGroup * group, ...out]];
};

const pool: ShapeRule = (op) => {
  const x = op.input(0);
  expectRank(op, x, 3);
  const sizes = x.slice(2);
  const shape = [...x.slice(0, 2), ...slide(op, sizes, windows(op, sizes.length))];
  return op.node.outputs.map(() => shape);
};

const globalPool: ShapeRule = (op) => {
  expectRank(op, op.input(0), 3);
  return [op.input(0).map((dim, i) => (i < 2 ? dim : 1))];
};

/** Inputs X, roi, scales, sizes. Size = floor(size x scale), or as given. */
const resize: ShapeRule = (op) => {
  const x = op.input(0);
  const axes = intsAttribute(
    op.node,
    "axes",
    x.map((_, i) => i),
  ).map((axis) => axisOf(op, axis, x.length));
  const listed = (index: number, what: string): readonly number[] | undefined =>
    op.has(index) && op.input(index)[0] !== 0 ? known(op, index, what) : undefined;
  const sizes = listed(3, "sizes");
  const scales = sizes === undefined ? listed(2, "scales") : undefined;
  const values = sizes ?? scales ?? op.fail("neither scales nor sizes", "one of them was needed");
  if (values.length !== axes.length) {
    op.fail(`${values.length} scales or sizes`, `${axes.length} for ${axes.length} axes were needed`);
  }
  const wrong = scales?.find((scale) => !(scale > 0));
  if (wrong !== undefined) op.fail(`a scale of ${wrong}`, "scales above 0 were needed");
  const policy = stringAttribute(op.node, "keep_aspect_ratio_policy", "stretch");
  const ratios = axes.map((axis, i) => (values[i] ?? 0) / (x[axis] ?? 1));
  const ratio = policy === "not_larger" ? Math.min(...ratios) : Math.max(...ratios);
  return [
    x.map((dim, axis) => {
      const i = axes.indexOf(axis);
      if (i < 0) return dim;
      if (sizes === undefined) return Math.floor(dim * (values[i] ?? 1));
      return policy === "stretch" ? (values[i] ?? 0) : Math.round(dim * ratio);
    }),
  ];
};

const depthToSpace: ShapeRule = (op) => {
  const [n = 0, c = 0, h = 0, w = 0] = imageShape(op);
  const block = intAttribute(op.node, "blocksize", 0);
  if (block < 1 || c % block ** 2 !== 0) {
    op.fail(`${c} channels in blocks of ${block}`, "a multiple of the squared block was needed");
  }
  return [[n, c / block ** 2, h * block, w * block]];
};

const spaceToDepth: ShapeRule = (op) => {
  const [n = 0, c = 0, h = 0, w = 0] = imageShape(op);
  const block = intAttribute(op.node, "blocksize", 0);
  if (block < 1 || h % block !== 0 || w % block !== 0) {
    op.fail(`${h} x ${w} in blocks of ${block}`, "multiples of the block were needed");
  }
  return [[n, c * block ** 2, h / block, w / block]];
};

function imageShape(op: OpContext): Shape {
  const x = op.input(0);
  if (x.length !== 4) op.fail(`an input of shape ${show(x)}`, "[N, C, H, W] was needed");
  return x;
}

export const windowed: ShapeRules = {
  Conv: conv,
  // What onnxruntime writes when it saves an optimised network: a convolution with its activation.
  "com.microsoft:FusedConv": conv,
  ConvTranspose: convTranspose,
  MaxPool: pool,
  AveragePool: pool,
  LpPool: pool,
  GlobalAveragePool: globalPool,
  GlobalMaxPool: globalPool,
  GlobalLpPool: globalPool,
  Resize: resize,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
};
