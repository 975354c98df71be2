/**
 * A network made plain after import: shape arithmetic replaced by constants with the batch left open, nodes without
 * effect dropped. The function the network computes does not change.
 */
import {
  consumersOf,
  int64,
  integersOf,
  intsAttribute,
  producersOf,
  toInt64,
  type ElementArray,
  type Network,
  type Node,
  type Parameter,
} from "./network.ts";
import { isEtlError } from "../core/errors.ts";
import { dropDead, freshNames } from "./edit.ts";
import { follow } from "./open/follow.ts";
import { withOpenTargets, withoutSpreads, type Rewriting } from "./open/targets.ts";
import type { Table } from "./open/values.ts";
import type { Constant } from "./shapes/context.ts";
import { propagate, type Bindings } from "./shapes/infer.ts";

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
function foldShapes(network: Network, bindings: Bindings = {}): Network {
  const followed = follow(network, {
    bindings,
    freeBatch: takesAnyBatch(network, bindings),
    largest: LARGEST_WEIGHT,
  });
  const parameters = new Map(network.parameters);
  const fresh = freshNames(network);
  const add = (label: string, parameter: Parameter): string => {
    const name = fresh(label);
    parameters.set(name, parameter);
    return name;
  };
  const opset = network.file?.opset ?? network.opset;
  const rewriting = { followed, add, fresh, producers: producersOf(network), opset };
  const nodes: Node[] = [];
  for (const node of withoutSpreads(network, followed)) {
    const constants = node.outputs.map((output) => constantOf(followed.tables.get(output)));
    if (constants.every((constant) => constant !== undefined)) {
      node.outputs.forEach((output, i) => {
        const constant = constants[i];
        if (output !== "" && constant !== undefined) parameters.set(output, fromConstant(constant));
      });
      continue;
    }
    const named = withNamedAxes(node, rewriting, network);
    nodes.push(...withOpenTargets(withPlainMatrix(named, rewriting, parameters), rewriting));
  }
  return dropDead({ ...network, nodes, parameters });
}

/** A MatMul whose weight has axes of size 1 in front, as a product with the matrix behind them: its channels can be told. */
function withPlainMatrix(
  node: Node,
  { followed, add }: Pick<Rewriting, "followed" | "add">,
  parameters: ReadonlyMap<string, Parameter>,
): Node {
  const [input = "", weight = ""] = node.inputs;
  const matrix = parameters.get(weight);
  if (node.op !== "MatMul" || node.domain !== "" || matrix === undefined) return node;
  const { shape } = matrix;
  const front = shape.slice(0, -2);
  const rank = followed.shapes.get(input)?.length ?? 0;
  if (front.length === 0 || rank < shape.length || front.some((size) => size !== 1)) return node;
  return { ...node, inputs: [input, add(`${weight}.matrix`, { ...matrix, shape: shape.slice(-2) })] };
}

/**
 * A Squeeze that names no axes takes the batch away where that is one picture. Whoever reads it as a matrix cannot have that, so that
 * naming the others changes nothing where the network runs, and lets it be counted, and used, for one picture.
 */
function withNamedAxes(
  node: Node,
  { followed, add }: Pick<Rewriting, "followed" | "add">,
  network: Network,
): Node {
  const [input = "", axes = ""] = node.inputs;
  if (node.op !== "Squeeze" || node.domain !== "" || axes !== "" || node.attributes["axes"] !== undefined)
    return node;
  const [batch, ...rest] = followed.shapes.get(input) ?? [];
  const readers = consumersOf(network).get(node.outputs[0]) ?? [];
  const isOutput = network.outputs.some(({ name }) => name === node.outputs[0]);
  if (batch === undefined || typeof batch === "number" || rest.some((size) => typeof size !== "number"))
    return node;
  if (isOutput || readers.length === 0 || readers.some(({ op, domain }) => op !== "Gemm" || domain !== ""))
    return node;
  const gone = rest.flatMap((size, i) => (size === 1 ? [i + 1] : []));
  return gone.length === 0 ? node : { ...node, inputs: [input, add(`${node.name}.axes`, int64(gone))] };
}

/** Whether a network made for a fixed batch takes any: then what it computes from its batch is not folded either. */
function takesAnyBatch(network: Network, bindings: Bindings): boolean {
  const fixed = network.inputs[0]?.shape[0];
  if (typeof fixed !== "number" || network.inputs.some(({ shape }) => shape[0] !== fixed)) return false;
  const batch = 2 * fixed + 1;
  const inputs = network.inputs.map((input) => ({ ...input, shape: [batch, ...input.shape.slice(1)] }));
  try {
    const { shapes } = propagate({ ...network, inputs }, { bindings, onError: "unknown" });
    return network.outputs.every(({ name }) => shapes.get(name)?.[0] === batch);
  } catch (error) {
    if (isEtlError(error)) return false;
    throw error;
  }
}

function constantOf(table: Table | undefined): Constant | undefined {
  if (table === undefined) return undefined;
  return table.values.every((value) => typeof value === "number") ? (table as Constant) : undefined;
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

/**
 * Drops nodes that hand on their input: Identity, Dropout at inference, Transpose in order, Pad by nothing. Nodes that read and make
 * what they did are the same objects as before.
 *
 * @param among only nodes of which this is true; default all
 */
export function dropIdentities(network: Network, among: (node: Node) => boolean = () => true): Network {
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
    const mapped = withNames(node, resolve);
    if (!among(node) || !handsOn(node, network) || more.some((other) => used.has(other))) {
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
  return { ...network, nodes: kept.map((node) => withNames(node, final)) };
}

/** The node with other names of what it reads and makes; itself where none is another. */
function withNames(node: Node, named: (name: string) => string): Node {
  const isSame = (name: string): boolean => named(name) === name;
  if (node.inputs.every(isSame) && node.outputs.every(isSame)) return node;
  return { ...node, inputs: node.inputs.map(named), outputs: node.outputs.map(named) };
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
