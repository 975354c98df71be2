import { EtlError } from "../core/errors.ts";
import { dropDead, readCounts } from "./edit.ts";
import type { Network, ValueInfo } from "./network.ts";
import { inferShapes } from "./shapes/infer.ts";

/**
 * The part of a network that `values` need, with exactly these as its outputs.
 *
 * @param values names of values that nodes of the network make
 */
export function subnetwork(network: Network, values: readonly string[]): Network {
  const alive = dropDead({ ...network, outputs: [] }, values);
  const read = readCounts(alive);
  const inputs = network.inputs.filter(({ name }) => read.has(name) || values.includes(name));
  const part: Network = { ...alive, inputs };
  const shapes = inferShapes(part);
  const batch = inputs[0]?.shape[0] ?? "batch";
  const outputs = values.map((name): ValueInfo => {
    const shape = shapes.get(name);
    if (shape === undefined) {
      throw new EtlError("usage", `${network.name}: no value "${name}", one that a node makes was needed`);
    }
    return { name, type: "float32", shape: shape.length === 0 ? [] : [batch, ...shape.slice(1)] };
  });
  return { ...part, outputs };
}

/** A run of consecutive nodes as a network of its own, and what flows in and out of it. */
export interface Segment {
  readonly network: Network;
  /** Values made before `from` (or inputs of the network) that nodes from `from` on read. */
  readonly inputs: readonly string[];
}

/**
 * Nodes `from` to `to` (exclusive) of a network.
 *
 * @param outputs values that come out: made by these nodes, or passed through
 * @param shapes static shape of every value (see inferShapes)
 */
export function segment(
  network: Network,
  [from, to]: readonly [number, number],
  {
    outputs,
    shapes,
  }: { readonly outputs: readonly string[]; readonly shapes: ReadonlyMap<string, readonly number[]> },
): Segment {
  const nodes = network.nodes.slice(from, to);
  const made = new Set(nodes.flatMap((node) => node.outputs));
  const read = new Set(nodes.flatMap((node) => node.inputs));
  const inputs = [...read].filter((name) => name !== "" && !made.has(name) && !network.parameters.has(name));
  const info = (name: string): ValueInfo => ({
    name,
    type: "float32",
    shape: ["batch", ...(shapes.get(name) ?? []).slice(1)],
  });
  return {
    inputs,
    network: {
      ...network,
      inputs: inputs.map(info),
      outputs: outputs.filter((name) => made.has(name)).map(info),
      nodes,
      parameters: new Map([...network.parameters].filter(([name]) => read.has(name))),
    },
  };
}

/** Values made before node `position` (or inputs of the network) that it or a later node reads. */
export function liveBefore(network: Network, position: number): string[] {
  const before = new Set([
    ...network.inputs.map(({ name }) => name),
    ...network.nodes.slice(0, position).flatMap((node) => node.outputs),
  ]);
  const read = network.nodes.slice(position).flatMap((node) => node.inputs);
  return [...new Set([...read, ...network.outputs.map(({ name }) => name)])].filter((name) =>
    before.has(name),
  );
}
