/** Strides, pads and dilations of sliding-window operators, as numbers. */
import { intsAttribute, stringAttribute, type Node } from "./network.ts";
import type { Shape } from "./shapes/context.ts";

/** One entry for each spatial axis. */
export interface Windows {
  readonly kernel: Shape;
  readonly strides: Shape;
  readonly dilations: Shape;
  /** In front of and behind each spatial axis; negative pads cut. */
  readonly before: Shape;
  readonly after: Shape;
  /** Spatial sizes of input and output. */
  readonly input: Shape;
  readonly output: Shape;
}

/**
 * Windows of a node, with `auto_pad` and `ceil_mode` resolved from the shapes.
 *
 * @param shapes spatial sizes of its input 0 and its output
 * @param kernelShape where it is not the node's attribute (a convolution's weight)
 */
export function resolveWindows(
  node: Node,
  { input, output }: { readonly input: Shape; readonly output: Shape },
  kernelShape?: Shape,
): Windows {
  const ones = input.map(() => 1);
  const kernel = kernelShape ?? intsAttribute(node, "kernel_shape", ones);
  const strides = intsAttribute(node, "strides", ones);
  const dilations = intsAttribute(node, "dilations", ones);
  const pads = intsAttribute(
    node,
    "pads",
    [...input, ...input].map(() => 0),
  );
  const auto = stringAttribute(node, "auto_pad", "NOTSET");
  const total = output.map((size, i) =>
    Math.max(0, (size - 1) * strides[i] + (kernel[i] - 1) * dilations[i] + 1 - input[i]),
  );
  const isSame = auto.startsWith("SAME");
  const before = input.map((_, i) => {
    if (isSame) return auto === "SAME_UPPER" ? Math.floor(total[i] / 2) : Math.ceil(total[i] / 2);
    return auto === "VALID" ? 0 : pads[i];
  });
  const after = input.map((_, i) => {
    if (isSame) return total[i] - before[i];
    return auto === "VALID" ? 0 : pads[i + input.length];
  });
  return { kernel, strides, dilations, before, after, input, output };
}
