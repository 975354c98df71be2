/** Operators that normalise, pool or reduce: harmless beside the channel axis, freezing along it. */
import { intAttribute, integersOf, intsAttribute, type Node } from "../network.ts";
import { fromFront } from "../operators/attributes.ts";
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
import { unary } from "./elementwise.ts";
import { collapse, handOn, layoutOf, moved } from "./spreads.ts";

/** BatchNormalization, InstanceNormalization: every channel by itself, parameters [C]. */
export const perChannel: Rule = (coupler, node) => {
  const layout = layoutOf(coupler, node, node.inputs[0], (axis) => axis === 1);
  const parameters = node.inputs.slice(1).filter((name) => name !== "");
  if (!layout) return;
  if (layout.axis !== 1 || !parameters.every((name) => isParameter(coupler, name))) {
    freezeInputs(coupler, node, "does not run over the channels that the layer made");
    return;
  }
  for (const index of parameters.keys())
    useParameter(coupler, node, index + 1, [{ axis: 0, atoms: layout.atoms }]);
  coupler.layouts.set(node.outputs[0], layout);
};

/** Pooling over all axes from 2 on. The positions that MaxPool returns count through all channels. */
export const pool: Rule = (coupler, node) => {
  const layout = layoutOf(coupler, node, node.inputs[0], (axis) => axis === 1);
  if (!layout) return;
  const indices = node.outputs[1] as string | undefined;
  if (layout.axis !== 1) freezeInputs(coupler, node, `pools over the channels on axis ${layout.axis}`);
  else if (indices !== undefined && indices !== "")
    freezeInputs(coupler, node, "returns positions across channels");
  if (layout.axis <= 1) coupler.layouts.set(node.outputs[0], layout);
};

/** Softmax and its kin: over `axis` alone from opset 13 on, over all axes from `axis` on before. */
export const softmax: Rule = (coupler, node) => {
  const rank = shapeOf(coupler, node.inputs[0])?.length ?? 0;
  const modern = coupler.network.opset >= 13;
  const axis = fromFront(intAttribute(node, "axis", modern ? -1 : 1), rank);
  normalizes(coupler, node, (channel) => (modern ? channel === axis : channel >= axis));
};

/** LayerNormalization, RMSNormalization: over all axes from `axis` on. */
export const layerNorm: Rule = (coupler, node) => {
  const rank = shapeOf(coupler, node.inputs[0])?.length ?? 0;
  const axis = fromFront(intAttribute(node, "axis", -1), rank);
  normalizes(coupler, node, (channel) => channel >= axis);
};

/** LpNormalization, CumSum-like: over one axis. */
export const alongAxis: Rule = (coupler, node) => {
  const rank = shapeOf(coupler, node.inputs[0])?.length ?? 0;
  const axis = fromFront(intAttribute(node, "axis", -1), rank);
  normalizes(coupler, node, (channel) => channel === axis);
};

/** LRN, MeanVarianceNormalization over channels: a window of channels. */
export const acrossChannels: Rule = (coupler, node) => {
  normalizes(coupler, node, (channel) => channel === 1);
};

/** GroupNormalization: groups go as a whole. Scale and shift are given for a channel (opset 21) or for a group (opset 18). */
export const groupNorm: Rule = (coupler, node) => {
  const [input, ...vectors] = node.inputs;
  const layout = layoutOf(coupler, node, input, (axis) => axis === 1);
  if (!layout) return;
  const groups = intAttribute(node, "num_groups", 1);
  const { axis, atoms } = layout;
  const size = atoms.length / groups;
  if (axis !== 1 || !Number.isInteger(size) || !vectors.every((name) => isParameter(coupler, name))) {
    freezeInputs(coupler, node, "does not run over the channels that the layer made");
    return;
  }
  const first = Int32Array.from({ length: groups }, (_, group) => atoms[group * size]);
  for (let at = 1; at < size; at++) {
    const other = Int32Array.from(first, (_, group) => atoms[group * size + at]);
    coupler.atoms.tie(first, other, `a group of ${label(node)}`);
  }
  vectors.forEach((name, i) => {
    const length = shapeOf(coupler, name)?.[0];
    useParameter(coupler, node, i + 1, [{ axis: 0, atoms: length === groups ? first : atoms }]);
  });
  coupler.layouts.set(node.outputs[0], layout);
};

/** MeanVarianceNormalization: over `axes`. */
export const meanVariance: Rule = (coupler, node) => {
  const rank = shapeOf(coupler, node.inputs[0])?.length ?? 0;
  const axes = intsAttribute(node, "axes", [0, 2, 3]).map((axis) => fromFront(axis, rank));
  normalizes(coupler, node, (channel) => axes.includes(channel));
};

function normalizes(coupler: Coupler, node: Node, over: (axis: number) => boolean): void {
  const spread = coupler.spreads.get(node.inputs[0]);
  if (spread && !spread.axes.some(over)) {
    handOn(coupler, node, spread);
    return;
  }
  const layout = layoutOf(coupler, node, node.inputs[0], (axis) => !over(axis));
  if (!layout) return;
  if (over(layout.axis)) {
    coupler.atoms.freeze(layout.atoms, `${label(node)} normalises over the channels`);
  }
  coupler.layouts.set(node.outputs[0], layout);
}

/** ReduceMean, ReduceSum ...: the axes of the channels survive unless they are among those reduced. */
export const reduce: Rule = (coupler, node) => {
  const input = node.inputs[0];
  const rank = shapeOf(coupler, input)?.length;
  const tracked = coupler.spreads.get(input) ?? coupler.layouts.get(input);
  if (!tracked || rank === undefined) return;
  const axesInput = node.inputs[1] as string | undefined;
  let axes = integersOf(coupler.network, axesInput) ?? intsAttribute(node, "axes", []);
  if (axesInput !== undefined && axesInput !== "" && !isParameter(coupler, axesInput)) {
    freeze(coupler, input, `${label(node)} reduces over axes that are computed`);
    return;
  }
  if (axes.length === 0) {
    if (intAttribute(node, "noop_with_empty_axes", 0) !== 0) {
      unary(coupler, node);
      return;
    }
    axes = Array.from({ length: rank }, (_, axis) => axis);
  }
  const reduced = axes.map((axis) => fromFront(axis, rank));
  const spread =
    "axes" in tracked ? tracked : { axes: [tracked.axis], dims: [tracked.atoms.length], ...tracked };
  // What is summed up cannot lose a part of the sum: it goes as a whole.
  const left = collapse(coupler, node, spread, (axis) => reduced.includes(axis));
  if (!left) {
    freeze(coupler, input, `${label(node)} reduces over the channels`);
    return;
  }
  const keepDims = intAttribute(node, "keepdims", 1) !== 0;
  const shifted = (axis: number): number =>
    keepDims ? axis : axis - reduced.filter((one) => one < axis).length;
  handOn(coupler, node, moved(left, shifted));
};
