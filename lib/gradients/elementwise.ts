/** Gradients of arithmetic with broadcasting. */
import type { Shape } from "../network/shapes/context.ts";
import { add, div, mul, neg, scale, shift, square, unbroadcast } from "./arithmetic.ts";
import type { Graph, Value } from "./graph.ts";
import { input, type InputGradients, plainInput, type GradientRule, type Rules, type Site } from "./site.ts";

/** The gradient of one input of a broadcasting operator, where wanted: summed to the input's shape. */
function share(site: Site, index: number, make: () => string): Value | undefined {
  if (!site.wants(index)) return undefined;
  const { shape } = input(site, index);
  return site.graph.value(shape, unbroadcast(site.graph, make(), site.outputShapes[0], shape));
}

/** A rule for y = f(x): the row-major gradient from x, y and dy. */
export function unaryGradient(
  gradient: (g: Graph, names: { x: string; y: string; dy: string }, site: Site) => string,
): GradientRule {
  return {
    backward: (site, [output], [dOutput]) => {
      if (dOutput === undefined || !site.wants(0)) return [];
      const { graph } = site;
      const names = {
        get x(): string {
          return plainInput(site, 0);
        },
        get y(): string {
          return graph.plain(output);
        },
        dy: graph.plain(dOutput),
      };
      return [graph.value(input(site, 0).shape, gradient(graph, names, site))];
    },
  };
}

type Pieces = (g: Graph, a: string, b: string, dy: string, y: () => string) => [() => string, () => string];

/** A rule for y = f(a, b) with broadcasting: both gradients before summing. */
function binary(pieces: Pieces): GradientRule {
  return {
    backward: (site, [output], [dOutput]): InputGradients => {
      if (dOutput === undefined) return [];
      const { graph } = site;
      const [left, right] = pieces(
        graph,
        plainInput(site, 0),
        plainInput(site, 1),
        graph.plain(dOutput),
        () => graph.plain(output),
      );
      return [share(site, 0, left), share(site, 1, right)];
    },
  };
}

const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((dim, i) => dim === b[i]);

const divide = binary((g, _a, b, dy, y) => [() => div(g, dy, b), () => neg(g, div(g, mul(g, dy, y()), b))]);

const multiply = binary((g, a, b, dy) => [() => mul(g, dy, b), () => mul(g, dy, a)]);

const subtract = binary((g, _a, _b, dy) => [() => dy, () => neg(g, dy)]);

/** Sum: where nothing is broadcast, the gradient passes in whatever layout it has. */
const addition: GradientRule = {
  forward: (site) => {
    const { graph } = site;
    const [a, b] = [input(site, 0), input(site, 1)];
    const shape = site.outputShapes[0];
    const blocked = sameShape(a.shape, b.shape) && (a.blockedName ?? b.blockedName) !== undefined;
    return [
      blocked
        ? graph.blockedValue(shape, add(graph, graph.blocked(a), graph.blocked(b)))
        : graph.value(shape, add(graph, graph.plain(a), graph.plain(b))),
    ];
  },
  backward: (site, _outputs, [dOutput]) => {
    if (dOutput === undefined) return [];
    return [0, 1].map((index) =>
      sameShape(input(site, index).shape, dOutput.shape)
        ? dOutput
        : share(site, index, () => site.graph.plain(dOutput)),
    );
  },
};

/** y = a^b; b constant, or trained with a > 0. */
const power: GradientRule = {
  backward: (site, [output], [dOutput]) => {
    if (dOutput === undefined) return [];
    const { graph: g } = site;
    const [a, b, dy] = [plainInput(site, 0), plainInput(site, 1), g.plain(dOutput)];
    const exponent = site.constant(1);
    const slope = (): string =>
      exponent?.length === 1 && exponent[0] === 2
        ? scale(g, a, 2)
        : mul(g, b, g.op("Pow", [a, shift(g, b, -1)]));
    return [
      share(site, 0, () => mul(g, dy, slope())),
      share(site, 1, () => mul(g, dy, mul(g, g.plain(output), g.op("Log", [a])))),
    ];
  },
};

/** d erf(x) / dx = 2 / sqrt(pi) exp(-x^2) */
const erf = unaryGradient((g, { x, dy }) =>
  mul(g, dy, scale(g, g.op("Exp", [neg(g, square(g, x))]), 2 / Math.sqrt(Math.PI))),
);

const identity: GradientRule = {
  forward: (site) => [input(site, 0)],
  backward: (_site, _outputs, [dOutput]) => [dOutput],
};

export const elementwiseGradients: Rules = {
  Add: addition,
  Sub: subtract,
  Mul: multiply,
  Div: divide,
  Pow: power,
  Neg: unaryGradient((g, { dy }) => neg(g, dy)),
  Exp: unaryGradient((g, { y, dy }) => mul(g, dy, y)),
  Log: unaryGradient((g, { x, dy }) => div(g, dy, x)),
  Sqrt: unaryGradient((g, { y, dy }) => div(g, scale(g, dy, 0.5), y)),
  Reciprocal: unaryGradient((g, { y, dy }) => neg(g, mul(g, dy, square(g, y)))),
  Abs: unaryGradient((g, { x, dy }) => mul(g, dy, g.op("Sign", [x]))),
  Erf: erf,
  Identity: identity,
};
