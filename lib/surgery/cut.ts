/** Rewrites a network so that only the kept channels are left. */
import { withoutAliases } from "../network/coupling/aliases.ts";
import { groupBy } from "../core/group-by.ts";
import { dropDead, freeName, readCounts } from "../network/edit.ts";
import type { Coupling, ParameterAxis } from "../network/coupling/types.ts";
import { dropIdentities } from "../network/simplify.ts";
import { sizeOf, type ElementArray, type Network, type Parameter } from "../network/network.ts";
import { createRewriter } from "./rewrite.ts";
import { withoutEmpty } from "./vanish.ts";

/**
 * The network without the classes that go. Nodes and parameters that lose nothing are the same objects as before.
 *
 * @param keep 1 for every class that stays, [classes]
 * @param content `shapes` copies no weights, the data of cut parameters has the right length only: enough for cost
 */
export function cutNetwork(
  original: Network,
  coupling: Coupling,
  keep: Uint8Array,
  content: "weights" | "shapes",
): Network {
  if (keep.every((bit) => bit === 1)) return original;
  const network = withoutAliases(original);
  const parameters = new Map(network.parameters);
  const cutInputs = cutParameters(network, { coupling, keep, content, parameters });
  const rewriter = createRewriter(network, coupling, keep, parameters);
  const nodes = network.nodes.flatMap((node) => {
    const names = cutInputs.get(node.name);
    const inputs = names ? node.inputs.map((input, i) => names.get(i) ?? input) : node.inputs;
    return rewriter.rewrite(names ? { ...node, inputs } : node);
  });
  // What nothing read before stays: it was not the cut that made it useless.
  const read = readCounts(network);
  const unread = [...parameters.keys(), ...network.nodes.flatMap(({ outputs }) => outputs)].filter(
    (name) => !read.has(name),
  );
  const before = new Set(network.nodes);
  const left = dropIdentities({ ...network, nodes, parameters }, (node) => !before.has(node));
  return dropDead(withoutEmpty(left), unread);
}

interface Cutting {
  readonly coupling: Coupling;
  readonly keep: Uint8Array;
  readonly content: "weights" | "shapes";
  /** Grows by the cut parameters. */
  readonly parameters: Map<string, Parameter>;
}

/**
 * Cuts every parameter for each of its readers. A parameter whose readers all cut it alike keeps its name.
 *
 * @returns node name -> input position -> name of the parameter to read instead
 */
function cutParameters(network: Network, cutting: Cutting): Map<string, Map<number, string>> {
  const renamed = new Map<string, Map<number, string>>();
  const readers = readCounts(network);
  for (const [name, uses] of groupBy(cutting.coupling.uses, ({ parameter }) => parameter)) {
    const parameter = network.parameters.get(name);
    if (!parameter) continue;
    const wanted = uses.map((use) => ({ use, kept: keptAlong(parameter, use.axes, cutting) }));
    const alike = groupBy(wanted, ({ kept }) =>
      kept.map((positions) => positions?.join() ?? "all").join(";"),
    );
    const keepsName = alike.size === 1 && uses.length === readers.get(name);
    for (const group of alike.values()) {
      const [{ kept }] = group;
      if (kept.every((positions) => positions === undefined)) continue;
      const own = keepsName ? name : freeName(name, cutting.parameters, (n) => `${name}_cut${n - 1}`);
      cutting.parameters.set(own, cutParameter(parameter, kept, cutting.content));
      for (const { use } of group) {
        const inputs = renamed.get(use.node) ?? new Map<number, string>();
        renamed.set(use.node, inputs.set(use.input, own));
      }
    }
  }
  return renamed;
}

/** Positions that stay along each axis; undefined where all do. */
function keptAlong(
  parameter: Parameter,
  axes: readonly ParameterAxis[],
  { coupling, keep }: Cutting,
): (Int32Array | undefined)[] {
  const kept = parameter.shape.map<Int32Array | undefined>(() => undefined);
  for (const { axis, atoms } of axes) {
    const positions: number[] = [];
    for (let i = 0; i < atoms.length; i++) if (keep[coupling.classOf[atoms[i]]] === 1) positions.push(i);
    if (positions.length < atoms.length) kept[axis] = Int32Array.from(positions);
  }
  return kept;
}

function cutParameter(
  parameter: Parameter,
  kept: readonly (Int32Array | undefined)[],
  content: "weights" | "shapes",
): Parameter {
  const shape = parameter.shape.map((size, axis) => kept[axis]?.length ?? size);
  if (content === "shapes") return { ...parameter, shape, data: parameter.data.subarray(0, sizeOf(shape)) };
  return { ...parameter, shape, data: takeAlong(parameter, kept) };
}

/** Copies the kept positions along every axis, row-major. */
function takeAlong(parameter: Parameter, kept: readonly (Int32Array | undefined)[]): ElementArray {
  let data: ElementArray = parameter.data;
  const shape = [...parameter.shape];
  for (const [axis, positions] of kept.entries()) {
    if (!positions) continue;
    const inner = shape.slice(axis + 1).reduce((product, size) => product * size, 1);
    const outer = shape.slice(0, axis).reduce((product, size) => product * size, 1);
    const taken = data.slice(0, outer * positions.length * inner);
    copyRows(data as Float32Array, taken as Float32Array, { outer, size: shape[axis], inner, positions });
    data = taken;
    shape[axis] = positions.length;
  }
  return data;
}

interface Rows {
  readonly outer: number;
  readonly size: number;
  readonly inner: number;
  readonly positions: Int32Array;
}

/** [outer, size, inner] -> [outer, positions, inner]. Both arrays are of one type, whichever it is. */
function copyRows(from: Float32Array, to: Float32Array, { outer, size, inner, positions }: Rows): void {
  let at = 0;
  for (let o = 0; o < outer; o++) {
    for (let p = 0; p < positions.length; p++) {
      const start = (o * size + positions[p]) * inner;
      if (inner < 32) for (let i = 0; i < inner; i++) to[at + i] = from[start + i];
      else to.set(from.subarray(start, start + inner), at);
      at += inner;
    }
  }
}
