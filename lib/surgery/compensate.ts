/** `--scaling compensated`: every class by one positive factor, its consumers by the inverse. */
import type { Coupling } from "../network/coupling/types.ts";
import { float32, type Network, type Node } from "../network/network.ts";
import { createDraft, type Draft } from "./draft.ts";
import { scalableValues } from "./homogeneous.ts";
import type { RefusedScaling, ScaledNetwork } from "./scaled.ts";
import { scaleWeights } from "./weights.ts";

/** Factors are held within 1/limit..limit, so that no channel leaves the range that training copes with. */
const limit = 16;

/** @param betas tap -> coefficient of each channel, NaN where there is none */
export function compensate(
  network: Network,
  coupling: Coupling,
  betas: ReadonlyMap<string, Float64Array>,
): ScaledNetwork {
  const { scaled, reasons } = scalableValues(network, coupling);
  const refused: RefusedScaling[] = [];
  const allowed = new Map<string, Float64Array>();
  for (const [tap, beta] of betas) {
    if (scaled.has(tap)) allowed.set(tap, beta);
    else refused.push({ tap, reason: reasons.get(tap) ?? "its channels are not followed" });
  }
  const factors = classFactors(coupling, allowed);
  const factorsOf = (value: string): Float64Array | undefined => {
    if (!scaled.has(value)) return undefined;
    const layout = coupling.layouts.get(value);
    const own = layout && Float64Array.from(layout.atoms, (atom) => factors[coupling.classOf[atom]]);
    return own?.some((factor) => factor !== 1) === true ? own : undefined;
  };
  const draft = createDraft(network);
  for (const node of network.nodes) scaleNode(draft, node, { network, coupling, factorsOf });
  return { network: draft.finish(), refused, notes: [] };
}

/** |beta| over the tap's mean |beta|; the largest of the taps that see a class; 1 for frozen classes. */
function classFactors(coupling: Coupling, betas: ReadonlyMap<string, Float64Array>): Float64Array {
  const factors = new Float64Array(coupling.classes);
  for (const [tap, beta] of betas) {
    const sizes = Array.from(beta, Math.abs).filter((size) => !Number.isNaN(size));
    const mean = sizes.reduce((sum, size) => sum + size, 0) / Math.max(1, sizes.length);
    for (const [i, atom] of (coupling.layouts.get(tap)?.atoms ?? []).entries()) {
      const size = Math.abs(beta[i]);
      if (Number.isNaN(size) || mean === 0) continue;
      const factor = Math.min(limit, Math.max(1 / limit, size / mean));
      const id = coupling.classOf[atom];
      if (!coupling.frozen.has(id)) factors[id] = Math.max(factors[id], factor);
    }
  }
  return factors.map((factor) => (factor === 0 ? 1 : factor));
}

interface Context {
  readonly network: Network;
  readonly coupling: Coupling;
  /** Factors of a value's channels; undefined where all are 1. */
  factorsOf(value: string): Float64Array | undefined;
}

function scaleNode(draft: Draft, node: Node, context: Context): void {
  const outputs = context.factorsOf(node.outputs[0]);
  const layer = context.coupling.layers.find(({ name }) => name === node.name);
  if (layer) {
    const inputs = context.factorsOf(layer.input);
    const index = node.inputs.indexOf(layer.weight);
    const weights = draft.weights(node.name, index);
    if (!weights || (!inputs && !outputs)) return;
    scaleWeights(layer, weights, {
      outputs: outputs ?? new Float64Array(layer.outputs.length).fill(1),
      inputs: inputs?.map((factor) => 1 / factor) ?? new Float64Array(layer.inputs.length).fill(1),
    });
    draft.setInput(node.name, index, float32(weights.shape, weights.data));
    if (outputs && layer.bias !== undefined) scaleAlong(draft, node.name, 2, outputs);
    return;
  }
  if (!outputs) return;
  if (node.op === "BatchNormalization" || node.op === "InstanceNormalization") {
    scaleAlong(draft, node.name, 1, outputs);
    scaleAlong(draft, node.name, 2, outputs);
  }
  if (node.op !== "Add" && node.op !== "Sub" && node.op !== "Sum") return;
  const fromEnd =
    (context.coupling.shapes.get(node.outputs[0])?.length ?? 0) -
    (context.coupling.layouts.get(node.outputs[0])?.axis ?? 0);
  for (const [index, input] of node.inputs.entries()) {
    const shape = context.network.parameters.get(input)?.shape;
    if (shape && shape.length >= fromEnd)
      scaleAlong(draft, node.name, index, outputs, shape.length - fromEnd);
  }
}

/** Multiplies a parameter along one axis; a single number is spread over the channels first. */
function scaleAlong(draft: Draft, name: string, index: number, factors: Float64Array, axis = 0): void {
  const old = draft.weights(name, index);
  if (!old) return;
  if (old.shape.length === 1 && old.data.length === 1) {
    draft.setInput(
      name,
      index,
      float32(
        [factors.length],
        Float32Array.from(factors, (f) => f * old.data[0]),
      ),
    );
    return;
  }
  const inner = old.shape.slice(axis + 1).reduce((product, size) => product * size, 1);
  const data = old.data.map((value, i) => value * factors[Math.floor(i / inner) % factors.length]);
  draft.setInput(name, index, float32(old.shape, data));
}
