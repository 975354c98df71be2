/** Whether a network treats the pictures of a batch apart. */
import type { Network } from "./network.ts";
import { factsOf } from "./operators/facts.ts";
import { symbolicShapes } from "./open/symbolic.ts";

/**
 * Whether every value of the network has the batch as its first dimension and no row of it depends on another row,
 * so that parts of a batch give the parts of its results. Errs on the side of false: operators that could mix rows
 * count as mixing. Batch normalisation is taken to use its running statistics.
 */
export function hasIndependentRows(network: Network): boolean {
  const batch = network.inputs[0]?.shape[0];
  if (typeof batch !== "string") return false;
  const isOpen = network.inputs.every(
    ({ shape: [first, ...rest] }) => first === batch && rest.every((dim) => typeof dim === "number"),
  );
  if (!isOpen || !network.nodes.every(({ op, domain }) => domain === "" && factsOf(op).rows === true))
    return false;
  const shapes = symbolicShapes(network);
  return network.nodes.every(({ outputs }) =>
    outputs.every((name) => name === "" || shapes.get(name)?.[0] === batch),
  );
}
