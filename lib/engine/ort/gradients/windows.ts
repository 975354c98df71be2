/** Strides, pads and dilations of sliding-window operators, as numbers. */
import { intsAttribute, stringAttribute } from "../../../network/network.ts";
import type { Shape } from "../../../network/shapes-context.ts";
import { input, type Site } from "./site.ts";

export interface Windows {
  readonly kernel: Shape;
  readonly strides: Shape;
  readonly dilations: Shape;
  /** In front of and behind each spatial axis. */
  readonly before: Shape;
  readonly after: Shape;
  /** Spatial sizes of input and output. */
  readonly input: Shape;
  readonly output: Shape;
}

/** Windows of a node whose input 0 is [n, c, ...spatial], with `auto_pad` and `ceil_mode` resolved from the shapes. */
export function windowsOf(site: Site, kernelShape?: Shape): Windows {
  const { node } = site;
  const sizes = input(site, 0).shape.slice(2);
  const output = site.outputShapes[0].slice(2);
  const rank = sizes.length;
  const ones = sizes.map(() => 1);
  const kernel = kernelShape ?? intsAttribute(node, "kernel_shape", ones);
  const strides = intsAttribute(node, "strides", ones);
  const dilations = intsAttribute(node, "dilations", ones);
  const pads = intsAttribute(
    node,
    "pads",
    [...sizes, ...sizes].map(() => 0),
  );
  const auto = stringAttribute(node, "auto_pad", "NOTSET");
  const total = output.map((size, i) =>
    Math.max(0, (size - 1) * strides[i] + (kernel[i] - 1) * dilations[i] + 1 - sizes[i]),
  );
  const before = sizes.map((_, i) =>
    auto === "SAME_UPPER"
      ? Math.floor(total[i] / 2)
      : auto === "SAME_LOWER"
        ? Math.ceil(total[i] / 2)
        : auto === "VALID"
          ? 0
          : pads[i],
  );
  const after = sizes.map((_, i) =>
    auto === "SAME_UPPER" || auto === "SAME_LOWER"
      ? total[i] - before[i]
      : auto === "VALID"
        ? 0
        : pads[i + rank],
  );
  return { kernel, strides, dilations, before, after, input: sizes, output };
}
