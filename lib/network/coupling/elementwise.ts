/** Operators that work element by element, with ONNX (numpy) broadcasting. */
import type { Node } from "../network.ts";
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
import { handOn, layoutOf } from "./spreads.ts";
import type { Layout } from "./types.ts";

/** One computed input of any rank and scalar options: channels pass. Clip, Relu, Cast, Dropout ... */
export const unary: Rule = (coupler, node) => {
  const [input] = node.inputs;
  const spread = coupler.spreads.get(input);
  if (spread) {
    handOn(coupler, node, spread);
    return;
  }
  const layout = coupler.layouts.get(input);
  if (!layout) return;
  for (const output of node.outputs) {
    if (output !== "") coupler.layouts.set(output, layout);
  }
};

interface Operand {
  readonly name: string;
  /** Position among the node's inputs. */
  readonly index: number;
  readonly shape: readonly number[];
  readonly layout: Layout | undefined;
  readonly parameter: boolean;
}

/**
 * Add, Sub, Mul, Div, Where, PRelu ...: the channels of all computed operands are tied, constants are cut along,
 * operands of size 1 along the channel axis are free.
 */
export const elementwise: Rule = (coupler, node) => {
  if (togetherOnAxes(coupler, node)) return;
  const operands = operandsOf(coupler, node);
  if (!operands) {
    freezeInputs(coupler, node, "has an operand of unknown shape");
    return;
  }
  const rank = Math.max(...operands.map(({ shape }) => shape.length));
  const sizeAt = ({ shape }: Operand, axis: number): number => shape[axis - rank + shape.length] ?? 1;
  const tracked = operands.flatMap(({ layout, shape, name }) =>
    layout ? [{ name, atoms: layout.atoms, axis: layout.axis + rank - shape.length }] : [],
  );
  if (tracked.length === 0) return;
  // A single channel that is spread over many is no partner of any of them.
  const wide = tracked.filter(({ atoms, axis }) =>
    operands.every((other) => sizeAt(other, axis) <= atoms.length),
  );
  for (const { name } of tracked.filter((one) => !wide.includes(one))) {
    freeze(coupler, name, `${label(node)} spreads the only channel of ${name} over many`);
  }
  if (wide.length === 0) return;
  const [{ axis, atoms }] = wide;
  if (wide.some((one) => one.axis !== axis)) {
    freezeInputs(coupler, node, "meets channels on different axes");
    return;
  }
  for (const one of wide.slice(1)) coupler.atoms.tie(atoms, one.atoms, label(node));
  for (const operand of operands) {
    const along = atoms.length > 1 && sizeAt(operand, axis) === atoms.length;
    if (operand.parameter) {
      const own = axis - rank + operand.shape.length;
      useParameter(coupler, node, operand.index, along ? [{ axis: own, atoms }] : []);
    } else if (!operand.layout && along) {
      coupler.atoms.freeze(atoms, `${label(node)} meets ${operand.name}, whose channels cannot be removed`);
    }
  }
  coupler.layouts.set(node.outputs[0], { axis, atoms });
};

function operandsOf(coupler: Coupler, node: Node): Operand[] | undefined {
  const operands: Operand[] = [];
  for (const [index, name] of node.inputs.entries()) {
    if (name === "") continue;
    const shape = shapeOf(coupler, name);
    if (!shape) return undefined;
    const layout = layoutOf(coupler, node, name);
    operands.push({ name, index, shape, layout, parameter: isParameter(coupler, name) });
  }
  return operands;
}

/**
 * Operands whose channels stand on several axes: alike ones are tied place by place, what is one number there is free. Else all
 * come down to an axis that the others know.
 *
 * @returns whether nothing is left to do
 */
function togetherOnAxes(coupler: Coupler, node: Node): boolean {
  const names = node.inputs.filter((name) => name !== "");
  const shapes = names.map((name) => shapeOf(coupler, name));
  const rank = Math.max(...shapes.map((shape) => shape?.length ?? 0));
  const operands = names.map((name, i) => {
    const shift = rank - (shapes[i]?.length ?? 0);
    const [spread, layout] = [coupler.spreads.get(name), coupler.layouts.get(name)];
    const axes = (spread?.axes ?? (layout ? [layout.axis] : [])).map((axis) => axis + shift);
    const sizeAt = (axis: number): number => shapes[i]?.[axis - shift] ?? 1;
    return { name, shift, spread, layout, axes, sizeAt };
  });
  const spreads = operands.flatMap(({ spread, axes }) => (spread ? [{ ...spread, axes }] : []));
  if (spreads.length === 0 || shapes.includes(undefined)) return false;
  const [first] = spreads;
  const alike = spreads.every(
    (one) => one.axes.join() === first.axes.join() && one.dims.join() === first.dims.join(),
  );
  const others = operands.filter(({ spread }) => !spread);
  if (
    alike &&
    others.every(({ layout, sizeAt }) => !layout && first.axes.every((axis) => sizeAt(axis) === 1))
  ) {
    for (const one of spreads.slice(1)) coupler.atoms.tie(first.atoms, one.atoms, label(node));
    node.inputs.forEach((name, index) => {
      if (isParameter(coupler, name)) useParameter(coupler, node, index, []);
    });
    handOn(coupler, node, first);
    return true;
  }
  // An axis on which every wide operand has channels, or is a constant that is cut along.
  const isKnown = (axis: number): boolean =>
    operands.every(
      ({ name, axes, sizeAt }) => sizeAt(axis) === 1 || axes.includes(axis) || isParameter(coupler, name),
    );
  const layouts = operands.flatMap(({ layout, axes }) => (layout ? axes : []));
  const shared = first.axes.filter((axis) => isKnown(axis) && layouts.every((one) => one === axis));
  for (const { name, spread, shift } of operands)
    if (spread) layoutOf(coupler, node, name, (axis) => shared.length === 0 || shared.includes(axis + shift));
  return false;
}
