/** Open sizes under sliding windows and resampling. */
import { intAttribute, intsAttribute } from "../network.ts";
import { extentOf, isGiven, windowAttributes } from "../operators/attributes.ts";
import { type OpenNode, type OpenRule } from "./node.ts";
import { keyOf, type Size } from "./size.ts";

/** How a sliding window changes an open size. */
function slid(op: OpenNode, spatial: readonly Size[], kernel: readonly Size[]): readonly Size[] {
  const { node, sizes } = op;
  const { strides, dilations, pads, same, ceil } = windowAttributes(node, spatial.length);
  return spatial.map((size, i) => {
    const [stride, window] = [strides[i] ?? 1, kernel[i] ?? 1];
    if (same !== undefined) return sizes.floorDivide(sizes.add(size, stride - 1), stride);
    const front = pads[i] ?? 0;
    const padded = front + (pads[i + spatial.length] ?? 0);
    const extent = typeof window === "number" ? extentOf(window, dilations[i]) : undefined;
    if (extent !== undefined && ceil && typeof size === "number") {
      const count = Math.ceil((size + padded - extent) / stride) + 1;
      // The last window must start inside the input or its front padding.
      return (count - 1) * stride >= size + front ? count - 1 : count;
    }
    if (extent === undefined || ceil) {
      const how = [keyOf(size), keyOf(window), stride, dilations[i] ?? 1, front, padded].join(" ");
      return sizes.unknown(`window ${how}`, "count");
    }
    return sizes.add(sizes.floorDivide(sizes.add(size, padded - extent), stride), 1);
  });
}

const conv: OpenRule = (op) => {
  const [x, w] = [op.shape(0), op.shape(1)];
  return x && w && [[x[0] ?? 1, w[0] ?? 1, ...slid(op, x.slice(2), w.slice(2))]];
};

const convTranspose: OpenRule = (op) => {
  const [x, w] = [op.shape(0), op.shape(1)];
  if (x === undefined || w === undefined) return undefined;
  const { node, sizes } = op;
  const rank = x.length - 2;
  const explicit = intsAttribute(node, "output_shape", []);
  const { strides, dilations, pads, same } = windowAttributes(node, rank);
  const extra = intsAttribute(node, "output_padding", []);
  const spatial = x.slice(2).map((size, i): Size => {
    if (explicit.length > 0) return explicit.at(i - rank) ?? 0;
    const stride = strides[i] ?? 1;
    if (same !== undefined) return sizes.multiply(size, stride);
    const extent = sizes.multiply(sizes.subtract(w[i + 2] ?? 1, 1), dilations[i] ?? 1);
    const constant = (extra[i] ?? 0) + 1 - (pads[i] ?? 0) - (pads[i + rank] ?? 0);
    return sizes.add(sizes.multiply(sizes.subtract(size, 1), stride), sizes.add(extent, constant));
  });
  return [[x[0] ?? 1, sizes.multiply(w[1] ?? 1, intAttribute(node, "group", 1)), ...spatial]];
};

const pool: OpenRule = (op) => {
  const x = op.shape(0);
  const spatial = x && [
    ...x.slice(0, 2),
    ...slid(op, x.slice(2), windowAttributes(op.node, x.length - 2).kernel),
  ];
  return spatial && op.node.outputs.map(() => spatial);
};

const globalPool: OpenRule = ({ shape }) => {
  const x = shape(0);
  return x && [x.map((dim, i) => (i < 2 ? dim : 1))];
};

const resize: OpenRule = (op) => {
  const { node, sizes } = op;
  const x = op.shape(0);
  const isPlain =
    node.attributes["axes"] === undefined && node.attributes["keep_aspect_ratio_policy"] === undefined;
  const bySize = isGiven(op.node, 3);
  const values = op.table(bySize ? 3 : 2);
  if (x === undefined) return undefined;
  const unknown = (size: Size, axis: number): Size =>
    sizes.unknown(`resized ${node.name} ${axis} ${keyOf(size)}`, "count");
  if (!isPlain || values?.length !== x.length) return [x.map(unknown)];
  if (bySize) return [values];
  return [
    x.map((size, axis) => {
      const scale = values[axis] ?? 1;
      if (typeof scale !== "number") return unknown(size, axis);
      if (Number.isInteger(scale)) return sizes.multiply(size, scale);
      return typeof size === "number" ? Math.floor(size * scale) : unknown(size, axis);
    }),
  ];
};

const depthToSpace: OpenRule = ({ node, shape, sizes }) => {
  const x = shape(0);
  const block = intAttribute(node, "blocksize", 1);
  const channels = x && sizes.exact(x[1] ?? 1, block ** 2);
  return channels === undefined
    ? undefined
    : [[x?.[0] ?? 1, channels, ...(x?.slice(2).map((size) => sizes.multiply(size, block)) ?? [])]];
};

const spaceToDepth: OpenRule = ({ node, shape, sizes }) => {
  const x = shape(0);
  const block = intAttribute(node, "blocksize", 1);
  return (
    x && [
      [
        x[0] ?? 1,
        sizes.multiply(x[1] ?? 1, block ** 2),
        ...x.slice(2).map((size) => sizes.floorDivide(size, block)),
      ],
    ]
  );
};

export const openWindows: Readonly<Partial<Record<string, OpenRule>>> = {
  Conv: conv,
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
