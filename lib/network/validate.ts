/** What every network must be before anything is computed from it. */
import { EtlError } from "../core/errors.ts";
import { fit } from "./fit.ts";
import { elementArrays, sizeOf, type Network } from "./network.ts";
import { nodeError, show } from "./shapes/context.ts";
import { inferShapes } from "./shapes/infer.ts";

/**
 * Checks names, order, parameters and shapes.
 *
 * - node names are unique; every value is made once, before it is used
 * - parameters hold as many numbers as their shape says, in the array that belongs to their type
 * - weights fit their inputs (shape inference with batch 1), outputs exist and have the declared shape
 *
 * @throws EtlError kind `format` (or `unsupported` for an operator without a shape rule) that names the node
 */
export function validateNetwork(network: Network): void {
  checkParameters(network);
  checkOrder(network);
  const shapes = inferShapes(network, { ...fit(network).sizes, batch: 1 });
  for (const output of network.outputs) {
    const shape = shapes.get(output.name) ?? [];
    const fits = output.shape.every((dim, i) => typeof dim === "string" || dim === shape[i]);
    if (shape.length !== output.shape.length || !fits) {
      throw new EtlError(
        "format",
        `${network.name}: output "${output.name}": declared as [${output.shape.join(", ")}], ${show(shape)} was needed`,
      );
    }
  }
}

function checkParameters(network: Network): void {
  for (const [name, { type, shape, data }] of network.parameters) {
    const where = `${network.name}: parameter "${name}"`;
    if (!(data instanceof elementArrays[type])) {
      throw new EtlError(
        "format",
        `${where}: ${type} in a ${data.constructor.name}, ${elementArrays[type].name} was needed`,
      );
    }
    if (data.length !== sizeOf(shape) || shape.some((dim) => !Number.isInteger(dim) || dim < 0)) {
      throw new EtlError(
        "format",
        `${where}: ${data.length} numbers, ${sizeOf(shape)} for ${show(shape)} were needed`,
      );
    }
  }
}

function checkOrder(network: Network): void {
  const known = new Set(network.parameters.keys());
  for (const { name } of network.inputs) {
    if (known.has(name)) {
      throw new EtlError(
        "format",
        `${network.name}: input "${name}": the name is taken, a new one was needed`,
      );
    }
    known.add(name);
  }
  const made = new Set(network.nodes.flatMap((node) => node.outputs));
  const names = new Set<string>();
  for (const node of network.nodes) {
    const where = { network: network.name, node };
    if (node.name === "" || names.has(node.name))
      throw nodeError(where, "the name is taken or empty", "a new one was needed");
    names.add(node.name);
    for (const input of node.inputs) {
      if (input === "" || known.has(input)) continue;
      throw made.has(input)
        ? nodeError(where, `"${input}" is used before it is made`, "topological order was needed")
        : nodeError(where, `input "${input}" is made by nothing`, "a node, parameter or input was needed");
    }
    if (!node.outputs.some((output) => output !== "")) throw nodeError(where, "no output", "one was needed");
    for (const output of node.outputs) {
      if (output === "") continue;
      if (known.has(output)) throw nodeError(where, `"${output}" exists already`, "a new name was needed");
      // engines hand on values by name in plain objects, of which this one is no entry
      if (output === "__proto__")
        throw nodeError(where, `a value called "${output}"`, "another name was needed");
      known.add(output);
    }
  }
  for (const { name } of network.outputs) {
    if (known.has(name)) continue;
    throw new EtlError(
      "format",
      `${network.name}: output "${name}": made by nothing, a value of the network was needed`,
    );
  }
}
