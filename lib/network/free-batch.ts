/** Networks exported for one fixed batch size, opened to any. */
import { EtlError } from "../core/errors.ts";
import { int64, integersOf, type Network, type Node, type Parameter } from "./network.ts";
import { nodeError, show } from "./shapes/context.ts";
import { symbolicShapes } from "./open/symbolic.ts";
import { inferShapes } from "./shapes/infer.ts";

/**
 * The same network for any batch size: the leading dimension of inputs and outputs becomes `batch`, and Reshape
 * targets that begin with the fixed size begin with 0 (the input's own). A network whose batch is open is returned
 * as it is.
 *
 * @throws EtlError kind `unsupported` that names the first node whose result would not follow the batch
 */
export function freeBatch(network: Network): Network {
  const fixed = network.inputs[0]?.shape[0];
  if (typeof fixed !== "number") return network;
  const before = inferShapes(network);
  const parameters = new Map(network.parameters);
  const nodes = network.nodes.map((node) => openReshape(network, node, fixed, { before, parameters }));
  const open: Network = {
    ...network,
    nodes,
    parameters,
    inputs: network.inputs.map((input) =>
      input.shape[0] === fixed ? { ...input, shape: ["batch", ...input.shape.slice(1)] } : input,
    ),
  };
  checkSame(open, before, fixed);
  const shapes = symbolicShapes(open);
  const outputs = network.outputs.map((output) => {
    const shape = shapes.get(output.name) ?? [];
    if (shape[0] === "batch" || output.shape[0] !== fixed) return { ...output, shape };
    throw new EtlError(
      "unsupported",
      `${network.name}: output "${output.name}": its first dimension stays ${fixed}, one that follows the batch was needed`,
      { hint: "export the model again with a dynamic batch axis" },
    );
  });
  return { ...open, outputs };
}

interface Opening {
  readonly before: ReadonlyMap<string, readonly number[]>;
  readonly parameters: Map<string, Parameter>;
}

function openReshape(network: Network, node: Node, fixed: number, { before, parameters }: Opening): Node {
  const [input = "", target = ""] = node.inputs;
  const sizes = node.op === "Reshape" && node.domain === "" ? integersOf(network, target) : undefined;
  if (sizes?.[0] !== fixed || before.get(input)?.[0] !== fixed || node.attributes["allowzero"] !== undefined)
    return node;
  let name = `${node.name}.open`;
  while (parameters.has(name) || before.has(name)) name += "_";
  parameters.set(name, int64([0, ...sizes.slice(1)]));
  return { ...node, inputs: [input, name] };
}

/** At the old batch size every value must have its old shape, at another one inference must still go through. */
function checkSame(open: Network, before: ReadonlyMap<string, readonly number[]>, fixed: number): void {
  const same = inferShapes(open, { batch: fixed });
  for (const node of open.nodes) {
    for (const output of node.outputs) {
      const [was = [], is = []] = [before.get(output), same.get(output)];
      if (show(was) === show(is)) continue;
      throw nodeError(
        { network: open.name, node },
        `shape ${show(is)}`,
        `${show(was)} was needed`,
        "unsupported",
      );
    }
  }
  try {
    inferShapes(open, { batch: fixed + 1 });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new EtlError("unsupported", `${reason} (with another batch size than ${fixed})`, {
      hint: "export the model again with a dynamic batch axis",
      cause,
    });
  }
}
