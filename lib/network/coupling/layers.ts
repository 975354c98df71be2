/** Layers make channels: Conv, ConvTranspose, Gemm, MatMul. */
import { intAttribute, type Node } from "../network.ts";
import {
  freeze,
  freezeInputs,
  isParameter,
  label,
  shapeOf,
  useParameter,
  type Coupler,
  type Rule,
} from "./coupler.ts";
import { einsumLetters } from "../shapes/mixed.ts";
import { layoutOf, multiplied } from "./spreads.ts";
import type { ParameterAxis } from "./types.ts";

/**
 * Conv. Depthwise (one input per group): a group goes with its outputs. Grouped: every group must keep as many inputs
 * and outputs as the others, so position j of a group is tied to position j of all other groups; removing it thins
 * every group and keeps their number.
 */
export const conv: Rule = (coupler, node) => {
  convolve(coupler, node, { inputAxis: 1, outputAxis: 0 });
};

/** ConvTranspose: as Conv, the weight is [inputs, outputs of one group, ...]. */
export const convTranspose: Rule = (coupler, node) => {
  convolve(coupler, node, { inputAxis: 0, outputAxis: 1 });
};

function convolve(
  coupler: Coupler,
  node: Node,
  axes: { readonly inputAxis: 0 | 1; readonly outputAxis: 0 | 1 },
): void {
  const [input, weight, bias] = node.inputs;
  const inputShape = shapeOf(coupler, input);
  const weightShape = shapeOf(coupler, weight);
  if (!isParameter(coupler, weight) || !inputShape || !weightShape) {
    freezeInputs(coupler, node, "has no constant weight");
    return;
  }
  if (bias !== undefined && bias !== "" && !isParameter(coupler, bias)) {
    freezeInputs(coupler, node, "has a computed bias");
    return;
  }
  const groups = intAttribute(node, "group", 1);
  const transposed = axes.inputAxis === 0;
  const totalOutputs = weightShape[axes.outputAxis] * (transposed ? groups : 1);
  const inputs = ensureLayout(coupler, node, input, 1);
  if (!inputs) return;
  const outputs = coupler.atoms.fresh(totalOutputs);
  const perGroupIn = inputs.length / groups;
  const perGroupOut = totalOutputs / groups;
  const depthwise = groups > 1 && perGroupIn === 1;
  const name = label(node);
  if (depthwise) {
    const made = Int32Array.from(outputs, (_, i) => inputs[Math.floor(i / perGroupOut)]);
    coupler.atoms.tie(outputs, made, `depthwise ${name}`);
  } else {
    tieGroups(coupler, inputs, groups, `the equal groups of ${name} (inputs)`);
    tieGroups(coupler, outputs, groups, `the equal groups of ${name} (outputs)`);
  }

  const ofOneGroup = (atoms: Int32Array, size: number): Int32Array => atoms.subarray(0, size);
  const weightAxes: ParameterAxis[] = [];
  if (transposed) {
    weightAxes.push({ axis: 0, atoms: inputs });
    if (!depthwise) weightAxes.push({ axis: 1, atoms: ofOneGroup(outputs, perGroupOut) });
  } else {
    weightAxes.push({ axis: 0, atoms: outputs });
    if (!depthwise) weightAxes.push({ axis: 1, atoms: ofOneGroup(inputs, perGroupIn) });
  }
  useParameter(coupler, node, 1, weightAxes);
  if (isParameter(coupler, bias)) useParameter(coupler, node, 2, [{ axis: 0, atoms: outputs }]);
  coupler.layouts.set(node.outputs[0], { axis: 1, atoms: outputs });
  coupler.layers.push({
    name: node.name,
    op: node.op,
    input,
    output: node.outputs[0],
    inputAxis: 1,
    inputs,
    outputs,
    weight,
    weightInputAxis: axes.inputAxis,
    weightOutputAxis: axes.outputAxis,
    groups,
    ...(isParameter(coupler, bias) ? { bias } : {}),
  });
}

function tieGroups(coupler: Coupler, atoms: Int32Array, groups: number, because: string): void {
  const size = atoms.length / groups;
  for (let group = 1; group < groups; group++) {
    coupler.atoms.tie(atoms.subarray(0, size), atoms.subarray(group * size, (group + 1) * size), because);
  }
}

/** Gemm: alpha * A' * B' + beta * C, one operand a parameter. */
export const gemm: Rule = (coupler, node) => {
  const [a, b, c] = node.inputs;
  const transA = intAttribute(node, "transA", 0) !== 0;
  const transB = intAttribute(node, "transB", 0) !== 0;
  const parameterSide = isParameter(coupler, b) ? "right" : isParameter(coupler, a) ? "left" : undefined;
  if (!parameterSide || (isParameter(coupler, a) && isParameter(coupler, b))) {
    freezeInputs(coupler, node, "multiplies two computed values");
    return;
  }
  const right = parameterSide === "right";
  addLinear(coupler, node, {
    input: right ? a : b,
    weight: right ? b : a,
    inputAxis: right ? (transA ? 0 : 1) : transB ? 1 : 0,
    outputAxis: right ? 1 : 0,
    weightInputAxis: right ? (transB ? 1 : 0) : transA ? 0 : 1,
    ...(isParameter(coupler, c) ? { bias: c } : {}),
  });
  if (c === undefined || c === "") return;
  addOperand(coupler, node, c);
};

/** The C of a Gemm: a parameter is cut along, a computed value is tied like an operand of Add. */
function addOperand(coupler: Coupler, node: Node, c: string): void {
  const output = coupler.layouts.get(node.outputs[0]);
  const shape = shapeOf(coupler, c);
  const outputShape = shapeOf(coupler, node.outputs[0]);
  if (!output || !shape || !outputShape) {
    freezeInputs(coupler, node, "has an operand C of unknown shape");
    return;
  }
  const axis = output.axis - outputShape.length + shape.length;
  const along = axis >= 0 && shape[axis] > 1;
  if (isParameter(coupler, c)) {
    useParameter(coupler, node, 2, along ? [{ axis, atoms: output.atoms }] : []);
    return;
  }
  const layout = layoutOf(coupler, node, c);
  if (layout && along && layout.axis === axis) {
    coupler.atoms.tie(output.atoms, layout.atoms, label(node));
  } else if (layout || along) {
    freezeInputs(coupler, node, "adds a value whose channels do not match");
    coupler.atoms.freeze(output.atoms, `${label(node)} adds a value whose channels do not match`);
  }
}

/** MatMul with a parameter of rank 2 on either side; a single row without a batch only in front of it. */
export const matMul: Rule = (coupler, node) => {
  const [a, b] = node.inputs;
  const [aParameter, bParameter] = [isParameter(coupler, a), isParameter(coupler, b)];
  if (aParameter && bParameter) return;
  const weight = aParameter ? a : b;
  const input = aParameter ? b : a;
  const weightRank = shapeOf(coupler, weight)?.length;
  const rank = shapeOf(coupler, input)?.length;
  const isRow = rank === 1 && bParameter;
  if (!(aParameter || bParameter) || weightRank !== 2 || rank === undefined || (rank < 2 && !isRow)) {
    matrices(coupler, node);
    return;
  }
  addLinear(coupler, node, {
    input,
    weight,
    inputAxis: aParameter ? rank - 2 : rank - 1,
    outputAxis: aParameter ? rank - 2 : rank - 1,
    weightInputAxis: aParameter ? 1 : 0,
  });
};

/** Two computed matrices, or stacks of them: rows of the first, columns of the second, and what both are stacked along. */
function matrices(coupler: Coupler, node: Node): void {
  const ranks = node.inputs.map((name) => shapeOf(coupler, name)?.length ?? 0);
  const rank = Math.max(...ranks);
  if (ranks.some((one) => one < 2)) {
    freezeInputs(coupler, node, "has a weight or an input of another form than a matrix");
    return;
  }
  const stack = Array.from({ length: rank - 2 }, (_, i) => `stack ${i}`);
  const terms = node.inputs.map((name, i) => ({
    name,
    letters: [...stack.slice(rank - ranks[i]), ...(i === 0 ? ["row", "sum"] : ["sum", "column"])],
  }));
  multiplied(coupler, node, terms, [...stack, "row", "column"]);
}

/** Einsum: as MatMul of computed values, for axes of any names. */
export const einsum: Rule = (coupler, node) => {
  const letters = einsumLetters(node);
  const isPlain = [...(letters?.operands ?? []), letters?.result ?? []].every(
    (list) => new Set(list).size === list.length,
  );
  if (!letters || !isPlain || letters.operands.length !== node.inputs.length) {
    freezeInputs(coupler, node, "is an operator whose channels are not followed");
    return;
  }
  const terms = node.inputs.map((name, i) => ({ name, letters: letters.operands[i] }));
  multiplied(coupler, node, terms, letters.result);
};

interface Linear {
  readonly input: string;
  readonly weight: string;
  readonly inputAxis: number;
  readonly outputAxis: number;
  readonly weightInputAxis: number;
  readonly bias?: string;
}

function addLinear(coupler: Coupler, node: Node, linear: Linear): void {
  const { input, weight, inputAxis, outputAxis, weightInputAxis } = linear;
  const weightOutputAxis = 1 - weightInputAxis;
  const shape = shapeOf(coupler, weight);
  const inputs = ensureLayout(coupler, node, input, inputAxis);
  if (!shape || !inputs) {
    freezeInputs(coupler, node, "has an input of unknown shape");
    return;
  }
  const outputs = coupler.atoms.fresh(shape[weightOutputAxis]);
  useParameter(coupler, node, node.inputs.indexOf(weight), [
    { axis: weightInputAxis, atoms: inputs },
    { axis: weightOutputAxis, atoms: outputs },
  ]);
  coupler.layouts.set(node.outputs[0], { axis: outputAxis, atoms: outputs });
  coupler.layers.push({
    name: node.name,
    op: node.op,
    input,
    output: node.outputs[0],
    inputAxis,
    inputs,
    outputs,
    weight,
    weightInputAxis,
    weightOutputAxis,
    groups: 1,
    ...(linear.bias === undefined ? {} : { bias: linear.bias }),
  });
}

/**
 * The channels of a layer's input along `axis`. A value that no layer made (the network's input, the result of an
 * operator that mixes channels) gets frozen atoms of its own.
 */
function ensureLayout(coupler: Coupler, node: Node, value: string, axis: number): Int32Array | undefined {
  const layout = layoutOf(coupler, node, value, (one) => one === axis);
  if (layout?.axis === axis) return layout.atoms;
  if (layout) {
    freeze(coupler, value, `${label(node)} sums over axis ${axis}, the channels lie on axis ${layout.axis}`);
  }
  const size = shapeOf(coupler, value)?.[axis];
  if (size === undefined) return undefined;
  const atoms = coupler.atoms.fresh(size);
  const isInput = coupler.network.inputs.some((input) => input.name === value);
  const because = isInput ? `network input ${value}` : `${value} has no channels that could be removed`;
  coupler.atoms.freeze(atoms, because);
  if (!layout && !coupler.spreads.has(value)) coupler.layouts.set(value, { axis, atoms });
  return atoms;
}
