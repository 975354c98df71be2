/** `--scaling paper` and `paper-bias`: W' = beta W, literally (ETL, eq. 5), and the same with the biases. */
import type { Coupling } from "../network/coupling/types.ts";
import { float32, producersOf, type Network, type Node } from "../network/network.ts";
import { factsOf } from "../network/operators/facts.ts";
import { createDraft, sharedWeights, type Draft } from "./draft.ts";
import type { RefusedScaling } from "./scaled.ts";
import { scaleWeights } from "./weights.ts";

/** Whether an operator between a convolution and its tap hands channels on unchanged in number and order. */
function passes(op: string): boolean {
  const { activation, channels } = factsOf(op);
  return activation === true || channels === "pool";
}

interface Walk {
  readonly network: Network;
  readonly coupling: Coupling;
  readonly producers: ReadonlyMap<string, Node>;
  readonly taps: ReadonlyMap<string, Float64Array>;
  readonly draft: Draft;
  /** Weights that cannot be changed for one layer alone. */
  readonly shared: ReadonlySet<string>;
  /** Whether biases are scaled too: what stands beside the weights of eq. 5. */
  readonly biases: boolean;
  /** Nodes whose filters are scaled already. */
  readonly done: Set<string>;
}

/**
 * @param factors tap -> factor of each channel
 * @param what.biases `false`: the weights of the convolutions alone, as eq. 5 has it
 */
export function scaleLiterally(
  network: Network,
  coupling: Coupling,
  { factors, biases }: { readonly factors: ReadonlyMap<string, Float64Array>; readonly biases: boolean },
): { readonly network: Network; readonly refused: readonly RefusedScaling[] } {
  const draft = createDraft(network);
  const walk: Walk = {
    network,
    coupling,
    producers: producersOf(network),
    taps: factors,
    draft,
    shared: sharedWeights(network),
    biases,
    done: new Set(),
  };
  const refused: RefusedScaling[] = [];
  for (const [tap, ofTap] of factors) {
    if (!scaleBehind(walk, tap, ofTap, true))
      refused.push({ tap, reason: "no convolution with a weight of its own ends in it" });
  }
  return { network: draft.finish(), refused };
}

/** Walks back from a value to the filters that make it. @returns whether any were found */
function scaleBehind(walk: Walk, value: string, factors: Float64Array, first = false): boolean {
  if (!first && walk.taps.has(value)) return false;
  const node = walk.producers.get(value);
  if (!node) return false;
  if (walk.coupling.layers.some(({ name }) => name === node.name)) return scaleLayer(walk, node, factors);
  if (node.op === "BatchNormalization")
    return walk.biases ? scaleAffine(walk, node, factors) : scaleBehind(walk, node.inputs[0], factors);
  if (node.op === "Add" || node.op === "Sub" || node.op === "Mul" || node.op === "Sum") {
    return scaleOperands(walk, node, factors);
  }
  if (node.op === "Concat") {
    let start = 0;
    const found = node.inputs.map((input) => {
      const size =
        walk.coupling.layouts.get(input)?.atoms.length ?? walk.coupling.shapes.get(input)?.[1] ?? 0;
      return scaleBehind(walk, input, factors.slice(start, (start += size)));
    });
    return found.includes(true);
  }
  return passes(node.op) ? scaleBehind(walk, node.inputs[0], factors) : false;
}

/** Sums scale every summand, a constant along the channels too; products scale the map, not its gate. */
function scaleOperands(walk: Walk, node: Node, factors: Float64Array): boolean {
  const rank = walk.coupling.shapes.get(node.outputs[0])?.length ?? 0;
  const sizeOfOutput = walk.coupling.shapes.get(node.outputs[0])?.join();
  let found = false;
  const computed = node.inputs.filter((input) => !walk.network.parameters.has(input));
  for (const [index, input] of node.inputs.entries()) {
    if (!walk.network.parameters.has(input)) {
      const gate = node.op === "Mul" && walk.coupling.shapes.get(input)?.join() !== sizeOfOutput;
      if (gate || (node.op === "Mul" && computed.indexOf(input) > 0)) continue;
      found = scaleBehind(walk, input, factors) || found;
      continue;
    }
    if (!walk.biases || node.op === "Mul" || walk.done.has(node.name)) continue;
    const weights = walk.draft.weights(node.name, index);
    const axis =
      (walk.coupling.layouts.get(node.outputs[0])?.axis ?? 1) - rank + (weights?.shape.length ?? 0);
    if (!weights || axis < 0 || weights.shape[axis] !== factors.length) continue;
    const inner = weights.shape.slice(axis + 1).reduce((product, size) => product * size, 1);
    const data = weights.data.map((v, i) => v * factors[Math.floor(i / inner) % factors.length]);
    walk.draft.setInput(node.name, index, float32(weights.shape, data));
    walk.done.add(node.name);
  }
  return found;
}

function scaleLayer(walk: Walk, node: Node, factors: Float64Array): boolean {
  const layer = walk.coupling.layers.find(({ name }) => name === node.name);
  const index = layer ? node.inputs.indexOf(layer.weight) : -1;
  const weights = walk.draft.weights(node.name, index);
  if (!layer || !weights || factors.length !== layer.outputs.length) return false;
  if (walk.shared.has(layer.weight)) return false;
  if (walk.done.has(node.name)) return true;
  walk.done.add(node.name);
  scaleWeights(layer, weights, { outputs: factors, inputs: new Float64Array(layer.inputs.length).fill(1) });
  walk.draft.setInput(node.name, index, float32(weights.shape, weights.data));
  if (walk.biases && layer.bias !== undefined) scaleVector(walk.draft, node.name, 2, factors);
  return true;
}

/** Behind a normalisation the filter is conv and affine together: scale and shift take the factor. */
function scaleAffine(walk: Walk, node: Node, factors: Float64Array): boolean {
  if (walk.done.has(node.name)) return true;
  walk.done.add(node.name);
  scaleVector(walk.draft, node.name, 1, factors);
  scaleVector(walk.draft, node.name, 2, factors);
  return true;
}

function scaleVector(draft: Draft, name: string, index: number, factors: Float64Array): void {
  const vector = draft.weights(name, index);
  if (!vector) return;
  const data = Float32Array.from(factors, (factor, i) => factor * vector.data[i % vector.data.length]);
  draft.setInput(name, index, float32([data.length], data));
}
