/** Operators that work element by element, with ONNX (numpy) broadcasting. */
import type { Node } from "../network.ts";
import {
  freeze,
  freezeInputs,
  isParameter,
  label,
  layoutOf,
  shapeOf,
  useParameter,
  type Coupler,
  type Rule,
} from "./coupler.ts";
import type { Layout } from "./types.ts";

/** One computed input of any rank and scalar options: channels pass. Clip, Relu, Cast, Dropout ... */
export const unary: Rule = (coupler, node) => {
  const input = node.inputs[0];
  const layout = layoutOf(coupler, node, input);
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
