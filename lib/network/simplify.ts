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

/** Where only the batch is open: what differs between two of them depends on it. */
const BATCHES = [3, 5] as const;
/**
 * Where heights and widths are open, too: odd and coprime, another for each axis, small and large, broad and tall. What is the
 * same at all of them depends on none: not on a side, nor on what is missing to a multiple, nor on which side is longer.
 */
const ODD: readonly Probe[] = [
  { batch: 3, sizes: [97, 131] },
  { batch: 5, sizes: [163, 113] },
  { batch: 2, sizes: [61, 457] },
  { batch: 7, sizes: [1031, 229] },
];
/** For networks whose maps only fit together where sides are multiples: still another for each axis. */
const EVEN: readonly Probe[] = [
  { batch: 3, sizes: [128, 192] },
  { batch: 5, sizes: [448, 320] },
  { batch: 2, sizes: [64, 704] },
  { batch: 7, sizes: [1216, 576] },
];

interface Probe {
  readonly batch: number;
  /** Of the open dimensions behind the batch, in order, again from the first where there are more. */
  readonly sizes: readonly number[];
}
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
  const known = probed(network, bindings);
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
    const constants = node.outputs.map((output) => sameInAll(output, known));
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

/** Shapes and known values at several sizes. */
type Known = readonly Propagated[];

/** The network at the probes at which it can be followed furthest: of those that a network refuses nothing is concluded. */
function probed(network: Network, bindings: Bindings): Known {
  const first = network.inputs[0]?.shape[0];
  const open = new Set(
    network.inputs.flatMap(({ shape }) => shape.slice(1).filter((dim) => typeof dim === "string")),
  );
  for (const name of Object.keys(bindings)) open.delete(name);
  const at = ({ batch, sizes }: Probe): Propagated =>
    propagate(network, {
      bindings: {
        ...Object.fromEntries([...open].map((name, i) => [name, sizes[i % sizes.length]])),
        ...bindings,
        ...(typeof first === "string" ? { [first]: batch } : {}),
        batch,
      },
      onError: "skip",
      largest: LARGEST_WEIGHT,
    });
  if (open.size === 0) return BATCHES.map((batch) => at({ batch, sizes: [1] }));
  const odd = ODD.map(at);
  const even = EVEN.map(at);
  const reach = (known: Known): number => Math.min(...known.map(({ shapes }) => shapes.size));
  return reach(odd) >= reach(even) ? odd : even;
}

function sameInAll(value: string, known: Known): Constant | undefined {
  const [first, ...others] = known.map(({ constants }) => constants.get(value));
  if (first === undefined) return undefined;
  const same = others.every(
    (other) =>
      other?.values.length === first.values.length &&
      other.values.every((x, i) => Object.is(x, first.values[i])),
  );
  return same ? first : undefined;
}

/** A Reshape or Resize whose target is computed from the batch, with a target that holds for every batch. */
function openBatch(node: Node, known: Known, add: (label: string, parameter: Parameter) => string): Node {
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

/** Entries that follow an open dimension become 0 (the input's dimension at the same place) or the one -1. */
function openTarget(node: Node, known: Known): number[] | undefined {
  const [from = "", target = ""] = node.inputs;
  const targets = known.map(({ constants }) => constants.get(target)?.values);
  const inputs = known.map(({ shapes }) => shapes.get(from));
  const [first] = targets;
  if (first === undefined) return undefined;
  if (node.attributes["allowzero"] !== undefined && first.includes(0)) return undefined;
  const open = Array.from(first, (dim, i) => {
    if (targets.every((values) => values?.[i] === dim)) return dim;
    return targets.every((values, k) => values !== undefined && values[i] === inputs[k]?.[i]) ? 0 : -1;
  });
  const complete = targets.every((values, k) => values?.length === first.length && inputs[k] !== undefined);
  return !complete || open.filter((dim) => dim === -1).length > 1 ? undefined : open;
}

/** Scales that give exactly the sizes that were computed, where there are such. */
function scalesOf(node: Node, known: Known): number[] | undefined {
  const [from = "", , , sizes = ""] = node.inputs;
  if (node.attributes["axes"] !== undefined || node.attributes["keep_aspect_ratio_policy"] !== undefined)
    return undefined;
  const [first, ...others] = known.map(({ constants, shapes }) => {
    const x = shapes.get(from) ?? [];
    const values = constants.get(sizes)?.values ?? [];
    return values.length !== x.length
      ? undefined
      : x.map((dim, i) => {
          const ratio = Math.fround((values[i] ?? 0) / dim);
          return Math.floor(Math.fround(dim * ratio)) === values[i] ? ratio : NaN;
        });
  });
  return first !== undefined &&
    others.every((ratios) => ratios !== undefined && first.every((ratio, i) => ratio === ratios[i]))
    ? first
    : undefined;
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
