/** Strides, pads and dilations of sliding-window operators, as numbers. */
import type { Node } from "./network.ts";
import { extentOf, windowAttributes } from "./operators/attributes.ts";
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
  const { strides, dilations, pads, same, ...stated } = windowAttributes(node, input.length);
  const kernel = kernelShape ?? (stated.kernel.length > 0 ? stated.kernel : input.map(() => 1));
  const total = output.map((size, i) =>
    Math.max(0, (size - 1) * strides[i] + extentOf(kernel[i], dilations[i]) - input[i]),
  );
  const before = input.map((_, i) => {
    if (same === undefined) return pads[i];
    return same === "upper" ? Math.floor(total[i] / 2) : Math.ceil(total[i] / 2);
  });
  const after = input.map((_, i) => (same === undefined ? pads[i + input.length] : total[i] - before[i]));
  return { kernel, strides, dilations, before, after, input, output };
}
