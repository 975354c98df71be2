/** Gradients of sums and means over axes. */
import { intAttribute, intsAttribute, sizeOf } from "../network/network.ts";
import { expanded, frontAxes, reshaped, scale } from "./arithmetic.ts";
import { input, type GradientRule, type Rules } from "./site.ts";

/** Every element gets the gradient of its sum, times 1 / count for means. */
function reduction(kind: "sum" | "mean"): GradientRule {
  return {
    backward: (site, _outputs, [dOutput]) => {
      if (dOutput === undefined || !site.wants(0)) return [];
      const { graph: g, node } = site;
      const { shape } = input(site, 0);
      const all = shape.map((_, i) => i);
      const given = site.constant(1) ?? intsAttribute(node, "axes", []);
      if (given.length === 0 && intAttribute(node, "noop_with_empty_axes", 0) === 1) return [dOutput];
      const axes = given.length === 0 ? all : frontAxes(given, shape.length);
      const kept = shape.map((size, i) => (axes.includes(i) ? 1 : size));
      const factor = kind === "mean" ? 1 / sizeOf(axes.map((axis) => shape[axis])) : 1;
      const narrow = reshaped(g, scale(g, g.plain(dOutput), factor), kept);
      return [g.value(shape, expanded(g, narrow, shape))];
    },
  };
}

export const reductions: Rules = { ReduceMean: reduction("mean"), ReduceSum: reduction("sum") };
