/** Operator -> how it passes channels on. What is not here freezes the channels it reads. */
import { operatorsWhere, type ChannelKind } from "../operators/facts.ts";
import type { Rule } from "./coupler.ts";
import { elementwise, unary } from "./elementwise.ts";
import { conv, convTranspose, einsum, gemm, matMul } from "./layers.ts";
import { depthToSpace, spaceToDepth } from "./blocks.ts";
import {
  acrossChannels,
  alongAxis,
  groupNorm,
  layerNorm,
  meanVariance,
  perChannel,
  pool,
  reduce,
  softmax,
} from "./normalize.ts";
import { expand, reshape, squeeze, tile, transpose } from "./reshape.ts";
import { concat, gatherRule, pad, sampled, slice, split } from "./select.ts";
import { sameWidth, shapeReader } from "./sizes.ts";

/** Kind of operator -> rule. */
const kinds: Readonly<Record<Exclude<ChannelKind, "own">, Rule>> = {
  each: unary,
  operands: elementwise,
  pool,
  reduce,
  affine: perChannel,
  softmax,
  "layer-norm": layerNorm,
  "along-axis": alongAxis,
  across: acrossChannels,
  "mean-variance": meanVariance,
  reshape,
  squeeze,
  "same-width": sameWidth,
  "shape-reader": shapeReader,
};

const shared = (kind: Exclude<ChannelKind, "own">): [string, Rule][] =>
  operatorsWhere(({ channels }) => channels === kind).map((op) => [op, kinds[kind]]);

/** The operators of ai.onnx whose channels can be followed. */
export const rules: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ...(Object.keys(kinds) as Exclude<ChannelKind, "own">[]).flatMap(shared),
  ["Conv", conv],
  ["ConvTranspose", convTranspose],
  ["Gemm", gemm],
  ["MatMul", matMul],
  ["Einsum", einsum],
  ["Concat", concat],
  ["Split", split],
  ["Slice", slice],
  ["Gather", gatherRule],
  ["GridSample", sampled],
  ["Pad", pad],
  ["Transpose", transpose],
  ["GroupNormalization", groupNorm],
  ["DepthToSpace", depthToSpace],
  ["SpaceToDepth", spaceToDepth],
  ["Expand", expand],
  ["Tile", tile],
]);
