/** Gradients of matrix products. */
import { floatAttribute, intAttribute } from "../network/network.ts";
import type { Shape } from "../network/shapes/context.ts";
import { reshaped, scale, transposed, unbroadcast } from "./arithmetic.ts";
import { float } from "../network/builder.ts";
import type { Graph } from "./graph.ts";
import { input, plainInput, type GradientRule, type Rules } from "./site.ts";

/** alpha op(A) op(B) without a bias. */
function gemm(
  g: Graph,
  a: string,
  b: string,
  options: { transA: number; transB: number; alpha: number },
): string {
  const { transA, transB, alpha } = options;
  return g.op("Gemm", [a, b], { transA, transB, alpha: float(alpha) });
}

/** Y = alpha op(A) op(B) + beta C */
const gemmRule: GradientRule = {
  backward: (site, _outputs, [dOutput]) => {
    if (dOutput === undefined) return [];
    const { graph: g, node } = site;
    const alpha = floatAttribute(node, "alpha", 1);
    const beta = floatAttribute(node, "beta", 1);
    const [ta, tb] = [intAttribute(node, "transA", 0), intAttribute(node, "transB", 0)];
    const dy = g.plain(dOutput);
    const da = (): string =>
      ta === 0
        ? gemm(g, dy, plainInput(site, 1), { transA: 0, transB: 1 - tb, alpha })
        : gemm(g, plainInput(site, 1), dy, { transA: tb, transB: 1, alpha });
    const db = (): string =>
      tb === 0
        ? gemm(g, plainInput(site, 0), dy, { transA: 1 - ta, transB: 0, alpha })
        : gemm(g, dy, plainInput(site, 0), { transA: 1, transB: ta, alpha });
    const dc = (): string => unbroadcast(g, scale(g, dy, beta), dOutput.shape, input(site, 2).shape);
    return [da, db, dc].map((make, i) => (site.wants(i) ? g.value(input(site, i).shape, make()) : undefined));
  },
};

const swapLast = (g: Graph, name: string, rank: number): string =>
  transposed(g, name, [...Array.from({ length: rank - 2 }, (_, i) => i), rank - 1, rank - 2]);

/** numpy's matmul: stacks of matrices are broadcast; vectors count as a row (left) or a column (right). */
const matmul: GradientRule = {
  backward: (site, _outputs, [dOutput]) => {
    if (dOutput === undefined) return [];
    const { graph: g } = site;
    const [a, b] = [input(site, 0), input(site, 1)];
    const aShape: Shape = a.shape.length === 1 ? [1, ...a.shape] : a.shape;
    const bShape: Shape = b.shape.length === 1 ? [...b.shape, 1] : b.shape;
    const dShape = [...dOutput.shape];
    if (a.shape.length === 1) dShape.splice(b.shape.length === 1 ? 0 : -1, 0, 1);
    if (b.shape.length === 1) dShape.push(1);
    const dy = reshaped(g, g.plain(dOutput), dShape);
    const [an, bn] = [reshaped(g, g.plain(a), aShape), reshaped(g, g.plain(b), bShape)];
    const stack = dShape.slice(0, -2);
    const da = (): string => {
      const full = g.op("MatMul", [dy, swapLast(g, bn, bShape.length)]);
      return reshaped(g, unbroadcast(g, full, [...stack, ...aShape.slice(-2)], aShape), a.shape);
    };
    const db = (): string => {
      const full = g.op("MatMul", [swapLast(g, an, aShape.length), dy]);
      return reshaped(g, unbroadcast(g, full, [...stack, ...bShape.slice(-2)], bShape), b.shape);
    };
    return [
      site.wants(0) ? g.value(a.shape, da()) : undefined,
      site.wants(1) ? g.value(b.shape, db()) : undefined,
    ];
  },
};

export const products: Rules = { Gemm: gemmRule, MatMul: matmul };
