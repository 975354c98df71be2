/**
 * Removed filters are predicted from the kept ones, and the prediction is folded into the layers that read them
 * (DESIGN 3.6): x_r ~ A x_k + c with A = G_rk (G_kk + ridge)^-1, from the pooled responses' covariance G.
 */
import { refuseUnknown } from "../core/options.ts";
import type { Moments } from "../core/artifacts.ts";
import { withoutAliases } from "../network/coupling/aliases.ts";
import { analyseCoupling } from "../network/coupling/analyse.ts";
import type { CoupledLayer, Coupling } from "../network/coupling/types.ts";
import { float32, floatAttribute, producersOf, type Network, type Node } from "../network/network.ts";
import { factsOf } from "../network/operators/facts.ts";
import { createDraft, sharedWeights, type Draft } from "./draft.ts";
import type { Plan } from "./plan.ts";
import { predictFilters, type PredictedFilters } from "./predict.ts";

/** Mean and covariance of a tap's pooled responses. */
export interface TapStatistics {
  /** [channels] */
  readonly mean: Float64Array;
  /** [channels, channels], row-major */
  readonly cov: Float64Array;
}

/** Mean and covariance from the sums. */
export function statisticsOf({ n, p, sumX, xx }: Moments): TapStatistics {
  const mean = sumX.map((sum) => sum / n);
  const cov = new Float64Array(p * p);
  for (let i = 0; i < p; i++) {
    for (let j = 0; j < p; j++) cov[i * p + j] = xx[i * p + j] / n - mean[i] * mean[j];
  }
  return { mean, cov };
}

/** What happened at one layer that reads removed channels. */
export interface ReconstructedLayer {
  readonly layer: string;
  /** The tap whose moments were used; absent where there was none. */
  readonly tap?: string;
  /** Number of removed input channels. */
  readonly removed: number;
  /** Share of the removed channels' variance that the kept ones explain, 0..1; absent where nothing was folded. */
  readonly explained?: number;
  /** Why nothing was folded in. */
  readonly reason?: string;
}

export interface ReconstructOptions {
  /** Added to the diagonal of G_kk, relative to its mean. Default 1e-3. */
  readonly ridge?: number;
  readonly coupling?: Coupling;
  /** Told before every layer how many of how many are done. */
  readonly onLayer?: (done: number, of: number) => void;
}

/**
 * Folds predicted channels into the weights and biases of the layers that read them. The network stays whole: the
 * plan is applied afterwards.
 *
 * Pooling, Flatten and the like between tap and layer are passed; the prediction is then made for what the pool hands
 * on (exact for averages, an approximation for maxima and at zero-padded borders).
 *
 * @param statistics tap (value name) -> mean and covariance of its pooled responses
 */
export function reconstruct(
  original: Network,
  plan: Plan,
  statistics: ReadonlyMap<string, TapStatistics>,
  options: ReconstructOptions = {},
): { readonly network: Network; readonly layers: readonly ReconstructedLayer[] } {
  refuseUnknown("reconstruct", options, { ridge: true, coupling: true, onLayer: true });
  const network = withoutAliases(original);
  const coupling = options.coupling ?? analyseCoupling(network);
  const shared = sharedWeights(network);
  const ridge = options.ridge ?? 1e-3;
  const draft = createDraft(network);
  const producers = producersOf(network);
  const known = new Map<string, PredictedFilters | undefined>();
  const layers: ReconstructedLayer[] = [];
  for (const [index, layer] of coupling.layers.entries()) {
    options.onLayer?.(index, coupling.layers.length);
    const gone = layer.inputs.filter((atom) => plan.keep[coupling.classOf[atom]] === 0).length;
    if (gone === 0) continue;
    const refuse = (reason: string): void => void layers.push({ layer: layer.name, removed: gone, reason });
    const tap = tapBehind(layer.input, producers, statistics);
    const found = tap === undefined ? undefined : statistics.get(tap);
    const atoms = tap === undefined ? undefined : coupling.layouts.get(tap)?.atoms;
    if (tap === undefined || !found || !atoms) {
      refuse("no moments of its input were harvested");
      continue;
    }
    if (shared.has(layer.weight)) {
      refuse("it shares its weight with another layer");
      continue;
    }
    if (layer.op === "ConvTranspose") {
      refuse("a transposed convolution adds a different number of kernel positions to each pixel");
      continue;
    }
    if (layer.groups > 1 && layer.inputs.length === layer.groups) {
      refuse("a depthwise convolution reads every channel by itself");
      continue;
    }
    const order = orderOf(layer.inputs, atoms);
    if (order === undefined || found.mean.length !== atoms.length) {
      refuse(`its inputs are not the channels of ${tap} in order`);
      continue;
    }
    const stays = (channel: number): boolean => plan.keep[coupling.classOf[atoms[channel]]] === 1;
    const share = foldLayer(draft, layer, {
      order,
      predictionFor: (from, to) => {
        const key = `${tap} ${from} ${to}`;
        if (!known.has(key)) known.set(key, predictFilters(found, { from, to, stays, ridge }));
        return known.get(key);
      },
    });
    if (typeof share === "string") refuse(share);
    else layers.push({ layer: layer.name, tap, removed: gone, explained: share });
  }
  return { network: draft.finish(), layers };
}

function tapBehind(
  value: string,
  producers: ReadonlyMap<string, Node>,
  statistics: ReadonlyMap<string, TapStatistics>,
): string | undefined {
  let current = value;
  while (!statistics.has(current)) {
    const node = producers.get(current);
    if (!node || factsOf(node.op).linear !== true) return undefined;
    [current] = node.inputs;
  }
  return current;
}

/** How a layer's inputs repeat a tap's channels: [C, copies] (Flatten of NCHW) or [copies, C] (of NHWC). */
interface Order {
  readonly copies: number;
  readonly channelStride: number;
  readonly copyStride: number;
}

function orderOf(inputs: Int32Array, atoms: Int32Array): Order | undefined {
  const channels = atoms.length;
  const copies = inputs.length / channels;
  if (inputs.every((atom, i) => atom === atoms[Math.floor(i / copies)])) {
    return { copies, channelStride: copies, copyStride: 1 };
  }
  if (inputs.every((atom, i) => atom === atoms[i % channels])) {
    return { copies, channelStride: 1, copyStride: channels };
  }
  return undefined;
}

interface Folding {
  readonly order: Order;
  /** The prediction among the tap's channels from..to-1 (one group); undefined where none of them is gone. */
  predictionFor(from: number, to: number): PredictedFilters | undefined;
}

/** @returns share of variance explained, or why nothing could be done */
function foldLayer(draft: Draft, layer: CoupledLayer, folding: Folding): number | string {
  const node = draft.node(layer.name);
  const index = node?.inputs.indexOf(layer.weight) ?? -1;
  const weights = draft.weights(layer.name, index);
  const alpha = node?.op === "Gemm" ? floatAttribute(node, "alpha", 1) : 1;
  const beta = node?.op === "Gemm" ? floatAttribute(node, "beta", 1) : 1;
  if (!node || !weights) return "its weight is not a parameter";
  if (beta === 0) return "its bias is multiplied by zero";
  if (layer.op !== "Conv" && layer.weight === node.inputs[0]) return "its weight stands on the left";
  const outputs = layer.outputs.length;
  const shift = new Float64Array(outputs);
  const { data, shape } = weights;
  const { order } = folding;
  const kernel = layer.op === "Conv" ? shape.slice(2).reduce((product, size) => product * size, 1) : 1;
  const inputs = layer.inputs.length / layer.groups;
  const channels = inputs / order.copies;
  // Index of a weight = output * outputStride + position * inputStride + kernel position.
  const outputFirst = layer.weightOutputAxis === 0;
  const outputStride = outputFirst ? inputs * kernel : 1;
  const inputStride = outputFirst ? kernel : outputs;
  let [explained, variance] = [0, 0];
  for (let group = 0; group < layer.groups; group++) {
    const prediction = folding.predictionFor(group * channels, (group + 1) * channels);
    if (!prediction) continue;
    explained += prediction.explained;
    variance += prediction.variance;
    const perGroup = outputs / layer.groups;
    for (let output = group * perGroup; output < (group + 1) * perGroup; output++) {
      for (let copy = 0; copy < order.copies; copy++) {
        for (let k = 0; k < kernel; k++) {
          const start = output * outputStride + copy * order.copyStride * inputStride + k;
          const stride = order.channelStride * inputStride;
          shift[output] += foldRow(data, start, stride, prediction);
        }
      }
    }
  }
  draft.setInput(layer.name, index, float32(shape, data));
  addBias(
    draft,
    node,
    shift.map((value) => (value * alpha) / beta),
  );
  return variance > 0 ? explained / variance : 1;
}

/**
 * w_k += A' w_r along one row of weights.
 *
 * @returns c' w_r
 */
function foldRow(data: Float32Array, start: number, stride: number, prediction: PredictedFilters): number {
  const { kept, removed, a, c } = prediction;
  const size = kept.length;
  const sum = new Float64Array(size);
  let shift = 0;
  for (let r = 0; r < removed.length; r++) {
    const weight = data[start + removed[r] * stride];
    if (weight === 0) continue;
    shift += weight * c[r];
    const row = r * size;
    for (let k = 0; k < size; k++) sum[k] += weight * a[row + k];
  }
  for (let k = 0; k < size; k++) data[start + kept[k] * stride] += sum[k];
  return shift;
}

function addBias(draft: Draft, node: Node, shift: Float64Array): void {
  if (node.op === "MatMul") {
    draft.addAfter(node.name, Float32Array.from(shift));
    return;
  }
  const old = draft.weights(node.name, 2);
  const values = Float32Array.from(shift, (value, i) => value + (old ? old.data[i % old.data.length] : 0));
  draft.setInput(node.name, 2, float32([values.length], values));
}
