/** Shapes of operators that mix places or steps: sums in Einstein's notation, sampled maps, recurrent layers. */
import { intAttribute, stringAttribute, type Node } from "../network.ts";
import type { OpContext, Shape, ShapeRule, ShapeRules } from "./context.ts";

/** The letters of an Einsum: one list for each operand, one for the result. Undefined where it says "the rest" (...). */
export function einsumLetters(
  node: Node,
): { readonly operands: readonly (readonly string[])[]; readonly result: readonly string[] } | undefined {
  const equation = stringAttribute(node, "equation", "").replaceAll(/\s/g, "");
  if (equation.includes(".")) return undefined;
  const [left = "", right] = equation.split("->");
  const operands = left.split(",");
  const all = operands.join("");
  const once = [...new Set(all)].filter((letter) => all.indexOf(letter) === all.lastIndexOf(letter)).sort();
  return {
    operands: operands.map((letters) => Array.from(letters)),
    result: right === undefined ? once : Array.from(right),
  };
}

const einsum: ShapeRule = (op) => {
  const letters = einsumLetters(op.node);
  if (letters === undefined)
    return op.fail(
      `equation "${stringAttribute(op.node, "equation", "")}"`,
      "one without ... was needed",
      "unsupported",
    );
  const sizes = new Map<string, number>();
  letters.operands.forEach((operand, i) => {
    const shape = op.input(i);
    if (shape.length !== operand.length)
      op.fail(
        `an operand of rank ${shape.length} for "${operand.join("")}"`,
        `rank ${operand.length} was needed`,
      );
    operand.forEach((letter, axis) => {
      const [size, before] = [shape[axis] ?? 1, sizes.get(letter) ?? 1];
      if (size !== before && size !== 1 && before !== 1)
        op.fail(`sizes ${before} and ${size} of "${letter}"`, "equal ones were needed");
      sizes.set(letter, Math.max(size, before));
    });
  });
  return [letters.result.map((letter) => sizes.get(letter) ?? 1)];
};

const gridSample: ShapeRule = (op) => {
  const [x, grid] = [op.input(0), op.input(1)];
  if (grid.length !== x.length || grid.at(-1) !== x.length - 2)
    op.fail(
      `a grid of rank ${grid.length} for a map of rank ${x.length}`,
      "places for every axis were needed",
    );
  return [[...x.slice(0, 2), ...grid.slice(1, -1)]];
};

/** Y, Y_h and Y_c of RNN, GRU and LSTM; `layout` 1 puts the batch first. */
export function recurrent<T>(
  node: Node,
  x: readonly T[],
  state: T,
  one: (directions: number) => T,
): readonly (readonly T[])[] {
  const directions = one(stringAttribute(node, "direction", "forward") === "bidirectional" ? 2 : 1);
  const [first, second] = x as readonly [T, T];
  const isBatchFirst = intAttribute(node, "layout", 0) === 1;
  const last = isBatchFirst ? [first, directions, state] : [directions, second, state];
  return [isBatchFirst ? [first, second, directions, state] : [first, directions, second, state], last, last];
}

const recurrence: ShapeRule = (op: OpContext): readonly Shape[] => {
  const x = op.input(0);
  if (x.length !== 3) op.fail(`an input of rank ${x.length}`, "steps, batch and numbers were needed");
  return recurrent(op.node, x, op.input(2).at(-1) ?? 1, (directions) => directions);
};

export const mixing: ShapeRules = {
  Einsum: einsum,
  GridSample: gridSample,
  GRU: recurrence,
  LSTM: recurrence,
  RNN: recurrence,
};
