/** Blocks of places made of channels by hand (PixelShuffle): apart, turned, together. */
import { intsAttribute, type Node } from "../network.ts";
import type { Followed } from "./follow.ts";
import { isSame } from "./size.ts";

/** How the six axes between the two Reshapes are turned, and where the channels and the sides of a block stand before. */
const forms = [
  { mode: "CRD", order: [0, 1, 4, 2, 5, 3], channels: 1, block: [2, 3] },
  { mode: "DCR", order: [0, 3, 4, 1, 5, 2], channels: 3, block: [1, 2] },
] as const;

/** The operator set in which DepthToSpace got its `mode`. */
const MODES = 11;

/** The Reshape that ends a PixelShuffle as the DepthToSpace that it is, where the file's operator set has it. */
export function asBlocks(
  node: Node,
  {
    followed: { shapes, sizes },
    producers,
    opset,
  }: {
    readonly followed: Followed;
    readonly producers: ReadonlyMap<string, Node>;
    readonly opset: number;
  },
): Node | undefined {
  const turn = producers.get(node.inputs[0] ?? "");
  const apart = producers.get(turn?.inputs[0] ?? "");
  if (turn?.op !== "Transpose" || apart?.op !== "Reshape" || turn.domain + apart.domain !== "")
    return undefined;
  const order = intsAttribute(turn, "perm", []);
  const form = forms.find((one) => one.order.every((axis, i) => axis === order[i]));
  const [from, between, to] = [apart.inputs[0], apart.outputs[0], node.outputs[0]].map((name) =>
    shapes.get(name ?? ""),
  );
  if (form === undefined || from?.length !== 4 || between?.length !== 6 || to?.length !== 4) return undefined;
  if (form.mode === "CRD" && opset < MODES) return undefined;
  const [channels, side, other] = [form.channels, ...form.block].map((axis) => between[axis]);
  if (typeof channels !== "number" || typeof side !== "number" || side !== other) return undefined;
  const whole = [from[0], channels, sizes.multiply(from[2], side), sizes.multiply(from[3], side)];
  const isWhole = whole.every((size, i) => isSame(size, to[i]));
  const isApart = [0, 4, 5].every((axis, i) => isSame(between[axis], from[i === 0 ? 0 : i + 1]));
  if (!isWhole || !isApart || from[1] !== channels * side ** 2) return undefined;
  return {
    ...{ ...node, op: "DepthToSpace", inputs: [apart.inputs[0]] },
    attributes: {
      blocksize: { type: "int", value: side },
      ...(opset >= MODES && { mode: { type: "string", value: form.mode } }),
    },
  };
}
