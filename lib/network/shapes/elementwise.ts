/** Shapes of operators that work element by element, and of normalisations: the output has its input's shape. */
import { operatorsWhere } from "../operators/facts.ts";
import { intAttribute } from "../network.ts";
import {
  axisOf,
  broadcast,
  show,
  type OpContext,
  type Shape,
  type ShapeRule,
  type ShapeRules,
} from "./context.ts";

const unary: ShapeRule = (op) => op.node.outputs.map(() => op.input(0));

const variadic: ShapeRule = (op) => [
  op.node.inputs.reduce((sum, _, i) => broadcast(op, sum, op.input(i)), op.input(0)),
];

/** The slope broadcasts to the input, not the other way. */
const prelu: ShapeRule = (op) => {
  const [x, slope] = [op.input(0), op.input(1)];
  if (show(broadcast(op, x, slope)) !== show(x)) {
    op.fail(`a slope of shape ${show(slope)}`, `one that broadcasts to ${show(x)} was needed`);
  }
  return [x];
};

/** Per-channel parameters at `indices` must have one value for each channel (axis 1). */
function expectChannels(op: OpContext, indices: readonly number[]): number {
  const channels = op.input(0)[1];
  if (channels === undefined)
    return op.fail(`an input of shape ${show(op.input(0))}`, "at least rank 2 was needed");
  for (const index of indices) {
    if (!op.has(index)) continue;
    const shape = op.input(index);
    if (shape.length !== 1 || shape[0] !== channels) {
      op.fail(`"${op.node.inputs[index] ?? ""}" of shape ${show(shape)}`, `[${channels}] was needed`);
    }
  }
  return channels;
}

const batchNormalization: ShapeRule = (op) => {
  const channels = expectChannels(op, [1, 2, 3, 4]);
  return op.node.outputs.map((_, i) => (i === 0 ? op.input(0) : [channels]));
};

const instanceNormalization: ShapeRule = (op) => {
  expectChannels(op, [1, 2]);
  return [op.input(0)];
};

/** Scale and bias have one value per channel since opset 21, one per group before. */
const groupNormalization: ShapeRule = (op) => {
  const x = op.input(0);
  const groups = intAttribute(op.node, "num_groups", 0);
  const channels = x[1] ?? 0;
  if (groups < 1 || channels % groups !== 0) {
    op.fail(`${groups} groups of ${channels} channels`, "a divisor of the channels was needed");
  }
  const width = op.opset >= 21 ? channels : groups;
  for (const index of [1, 2]) {
    if (show(op.input(index)) !== `[${width}]`) {
      op.fail(`scale or bias of shape ${show(op.input(index))}`, `[${width}] was needed`);
    }
  }
  return [x];
};

/** Outputs: normalised, mean, inverse deviation; the last two with 1 for every normalised axis. */
const layerNormalization: ShapeRule = (op) => {
  const x = op.input(0);
  const axis = axisOf(op, intAttribute(op.node, "axis", -1), x.length);
  for (const index of [1, 2]) {
    if (!op.has(index)) continue;
    const shape = op.input(index);
    if (show(broadcast(op, x.slice(axis), shape)) !== show(x.slice(axis))) {
      op.fail(
        `scale or bias of shape ${show(shape)}`,
        `one that broadcasts to ${show(x.slice(axis))} was needed`,
      );
    }
  }
  const statistics: Shape = x.map((dim, i) => (i < axis ? dim : 1));
  return op.node.outputs.map((_, i) => (i === 0 ? x : statistics));
};

/** Along an axis that must exist. */
const alongAxis =
  (fallback: number): ShapeRule =>
  (op) => {
    axisOf(op, intAttribute(op.node, "axis", fallback), op.input(0).length);
    return [op.input(0)];
  };

const sharing = (shape: "same" | "broadcast", rule: ShapeRule): ShapeRules =>
  Object.fromEntries(operatorsWhere((facts) => facts.shape === shape).map((op) => [op, rule]));

export const elementwiseShapes: ShapeRules = {
  ...sharing("same", unary),
  ...sharing("broadcast", variadic),
  PRelu: prelu,
  BatchNormalization: batchNormalization,
  InstanceNormalization: instanceNormalization,
  GroupNormalization: groupNormalization,
  LayerNormalization: layerNormalization,
  RMSNormalization: layerNormalization,
  Softmax: alongAxis(-1),
  LogSoftmax: alongAxis(-1),
  Hardmax: alongAxis(-1),
  LpNormalization: alongAxis(-1),
};
