/**
 * A network made plain after import: shape arithmetic replaced by constants with the batch left open, nodes without
 * effect dropped. The function the network computes does not change.
 */
import {
  int64,
  integersOf,
  intsAttribute,
  toInt64,
  type ElementArray,
  type Network,
  type Node,
  type Parameter,
} from "./network.ts";
import type { Constant } from "./shapes/context.ts";
import { propagate, type Bindings, type Propagated } from "./shapes/infer.ts";

/** Two batch sizes: what differs between them depends on the batch. */
const BATCHES = [3, 5] as const;
/** Two sizes for other dimensions that are open (height, width): multiples of 64, so that pyramids fit together. */
const SIZES = [128, 192] as const;
/** Weights up to this many elements are folded through Transpose, Reshape and the like. */
const LARGEST_WEIGHT = 1 << 22;

/**
 * Shape arithmetic becomes constants (a Reshape target that depends on the batch is written with 0 and -1), Identity
 * and Dropout go, nodes and parameters that no output needs go.
 */
export function simplify(network: Network, bindings: Bindings = {}): Network {
  return dropDead(dropIdentities(foldShapes(network, bindings)));
}

/** Replaces what is known before the run by parameters, whatever the batch and other open dimensions are. */
export function foldShapes(network: Network, bindings: Bindings = {}): Network {
  const first = network.inputs[0]?.shape[0];
  const open = network.inputs.flatMap(({ shape }) => shape.slice(1).filter((dim) => typeof dim === "string"));
  const at = (batch: number, size: number): Propagated =>
    propagate(network, {
      bindings: {
        ...Object.fromEntries(open.map((name) => [name, size])),
        ...bindings,
        ...(typeof first === "string" ? { [first]: batch } : {}),
        batch,
      },
      onError: "skip",
      largest: LARGEST_WEIGHT,
    });
  const known: readonly [Propagated, Propagated] = [at(BATCHES[0], SIZES[0]), at(BATCHES[1], SIZES[1])];
  const parameters = new Map(network.parameters);
  const values = new Set([...parameters.keys(), ...network.nodes.flatMap((node) => node.outputs)]);
  const add = (label: string, parameter: Parameter): string => {
    let name = label;
    for (let i = 2; values.has(name); i++) name = `${label}_${i}`;
    values.add(name);
    parameters.set(name, parameter);
    return name;
  };
  const nodes: Node[] = [];
  for (const node of network.nodes) {
    const constants = node.outputs.map((output) => sameInBoth(output, known));
    if (constants.every((constant) => constant !== undefined)) {
      node.outputs.forEach((output, i) => {
        const constant = constants[i];
        if (output !== "" && constant !== undefined) parameters.set(output, fromConstant(constant));
      });
      continue;
    }
    nodes.push(openBatch(node, known, add));
  }
  return dropDead({ ...network, nodes, parameters });
}

type Both = readonly [Propagated, Propagated];

function sameInBoth(value: string, [small, large]: Both): Constant | undefined {
  const a = small.constants.get(value);
  const b = large.constants.get(value);
  if (a === undefined || b === undefined || a.values.length !== b.values.length) return undefined;
  return a.values.every((x, i) => Object.is(x, b.values[i])) ? a : undefined;
}

/** A Reshape or Resize whose target is computed from the batch, with a target that holds for every batch. */
function openBatch(node: Node, known: Both, add: (label: string, parameter: Parameter) => string): Node {
  if (node.domain !== "") return node;
  if (node.op === "Reshape") {
    const target = openTarget(node, known);
    if (target === undefined) return node;
    const name = add(`${node.name}.target`, int64(target));
    return { ...node, inputs: [node.inputs[0] ?? "", name] };
  }
  if (node.op === "Resize" && (node.inputs[3] ?? "") !== "") {
    const scales = scalesOf(node, known);
    if (scales === undefined) return node;
    const data = Float32Array.from(scales);
    const name = add(`${node.name}.scales`, { type: "float32", shape: [scales.length], data });
    return { ...node, inputs: [node.inputs[0] ?? "", "", name] };
  }
  return node;
}

/** Entries that follow the batch become 0 (the input's dimension at the same place) or the one -1. */
function openTarget(node: Node, [small, large]: Both): number[] | undefined {
  const [from = "", target = ""] = node.inputs;
  const [a, b] = [small.constants.get(target), large.constants.get(target)];
  const [x, y] = [small.shapes.get(from), large.shapes.get(from)];
  if (a === undefined || b === undefined || x === undefined || y === undefined) return undefined;
  if (node.attributes["allowzero"] !== undefined && a.values.includes(0)) return undefined;
  const open = a.values.map((dim, i) => {
    if (dim === b.values[i]) return dim;
    return dim === x[i] && b.values[i] === y[i] ? 0 : -1;
  });
  return open.filter((dim) => dim === -1).length > 1 ? undefined : open;
}

/** Scales that give exactly the sizes that were computed, where there are such. */
function scalesOf(node: Node, [small, large]: Both): number[] | undefined {
  const [from = "", , , sizes = ""] = node.inputs;
  if (node.attributes["axes"] !== undefined || node.attributes["keep_aspect_ratio_policy"] !== undefined)
    return undefined;
  const ratios = [small, large].map(({ constants, shapes }) => {
    const x = shapes.get(from) ?? [];
    const values = constants.get(sizes)?.values ?? [];
    return values.length !== x.length
      ? undefined
      : x.map((dim, i) => {
          const ratio = Math.fround((values[i] ?? 0) / dim);
          return Math.floor(Math.fround(dim * ratio)) === values[i] ? ratio : NaN;
        });
  });
  const [a, b] = ratios;
  return a !== undefined && b !== undefined && a.every((ratio, i) => ratio === b[i]) ? a : undefined;
}

/** A known value as a parameter. */
function fromConstant({ type, shape, values }: Constant): Parameter {
  const data = ((): ElementArray => {
    switch (type) {
      case "int64":
        return toInt64(values);
      case "int32":
        return Int32Array.from(values);
      case "int8":
        return Int8Array.from(values);
      case "float64":
        return Float64Array.from(values);
      case "float32":
        return Float32Array.from(values);
      case "uint8":
      case "bool":
        return Uint8Array.from(values);
    }
  })();
  return { type, shape, data };
}

/** Drops nodes that hand on their input: Identity, Dropout at inference, Transpose in order, Pad by nothing. */
export function dropIdentities(network: Network): Network {
  const outputs = new Set(network.outputs.map(({ name }) => name));
  const inputs = new Set(network.inputs.map(({ name }) => name));
  const used = new Set(network.nodes.flatMap((node) => node.inputs).concat(...outputs));
  const alias = new Map<string, string>();
  const resolve = (name: string): string => alias.get(name) ?? name;
  const renamed = new Map<string, string>();
  const kept: Node[] = [];
  for (const node of network.nodes) {
    const source = resolve(node.inputs[0] ?? "");
    const [output = "", ...more] = node.outputs;
    const mapped = { ...node, inputs: node.inputs.map(resolve) };
    if (!handsOn(node, network) || more.some((other) => used.has(other))) {
      kept.push(mapped);
    } else if (!outputs.has(output)) {
      alias.set(output, source);
    } else if (
      inputs.has(source) ||
      network.parameters.has(source) ||
      outputs.has(source) ||
      renamed.has(source)
    ) {
      kept.push(mapped);
    } else {
      // The value before takes over the output's name.
      renamed.set(source, output);
    }
  }
  const final = (name: string): string => renamed.get(name) ?? name;
  const nodes = kept.map((node) => ({
    ...node,
    inputs: node.inputs.map((name) => final(name)),
    outputs: node.outputs.map((name) => final(name)),
  }));
  return { ...network, nodes };
}

function handsOn(node: Node, network: Network): boolean {
  if (node.domain !== "") return false;
  switch (node.op) {
    case "Identity":
      return true;
    case "Dropout": {
      const training = node.inputs[2] ?? "";
      return training === "" || integersOf(network, training)?.[0] === 0;
    }
    case "Transpose":
      return (
        node.attributes["perm"] !== undefined &&
        intsAttribute(node, "perm", []).every((axis, i) => axis === i)
      );
    case "Pad":
      return integersOf(network, node.inputs[1])?.every((pad) => pad === 0) === true;
    default:
      return false;
  }
}

/** Drops nodes and parameters that no output needs. */
export function dropDead(network: Network): Network {
  const needed = new Set(network.outputs.map(({ name }) => name));
  const nodes = network.nodes
    .toReversed()
    .filter((node) => {
      if (!node.outputs.some((output) => needed.has(output))) return false;
      for (const input of node.inputs) needed.add(input);
      return true;
    })
    .reverse();
  const parameters = new Map([...network.parameters].filter(([name]) => needed.has(name)));
  return { ...network, nodes, parameters };
}
