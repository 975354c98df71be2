/**
 * Refit: after the cut, every convolution's weights are fitted once more by least squares, in the order of the
 * network, so that its output matches what the original network had there, given the inputs that the cut network
 * really delivers. Errors are corrected where they arise instead of adding up. In front of a residual sum the target
 * is the original sum minus the cut network's shortcut, so that the stream is corrected, too.
 *
 * The idea of least-squares reconstruction layer by layer is that of He, Zhang and Sun, "Channel Pruning for
 * Accelerating Very Deep Neural Networks" (ICCV 2017); the targets in front of sums and the ridge towards the weights
 * at hand are ours. Pure: patches and targets come from the caller.
 */
import { choleskySolve } from "../math/cholesky-tiles.ts";
import {
  consumersOf,
  float32,
  intAttribute,
  type Network,
  type Node,
  type Tensor,
} from "../network/network.ts";
import { inputsFrom, padAmounts, windowAttributes } from "../network/operators/attributes.ts";
import type { Plan } from "./plan.ts";

/** Where a convolution reads its patches. */
export interface Geometry {
  readonly kernel: readonly [number, number];
  readonly strides: readonly [number, number];
  /** Top and left. */
  readonly pads: readonly [number, number];
  readonly dilations: readonly [number, number];
}

/** One convolution to be fitted. */
export interface RefitStep {
  /** Name of the node, the same in both networks. */
  readonly layer: string;
  /** Value it reads in the cut network. */
  readonly input: string;
  /** Value of the original network that is the target: the convolution's output, or the sum it goes into. */
  readonly target: string;
  /** Value of the cut network that is subtracted from the target: the other side of the sum. */
  readonly minus?: string;
  /** Channels of the target that the cut network has, ascending. */
  readonly kept: Uint32Array;
  readonly geometry: Geometry;
  readonly weight: string;
  readonly bias: string;
}

/**
 * The convolutions of the cut network whose inputs differ from the original's, in order. Grouped convolutions,
 * convolutions without a bias and automatic padding are left as they are.
 */
export function planRefit(original: Network, cut: Network, plan: Plan): RefitStep[] {
  const layers = new Map(plan.layers.map((layer) => [layer.name, layer]));
  const originals = new Map(original.nodes.map((node) => [node.name, node]));
  const consumers = consumersOf(cut);
  const order = new Map(cut.nodes.flatMap((node, i) => node.outputs.map((output) => [output, i] as const)));
  const dirty = new Set<string>();
  const steps: RefitStep[] = [];
  cut.nodes.forEach((node, position) => {
    const layer = layers.get(node.name);
    const changed = layer !== undefined && layer.keptInputs.length < layer.totalInputs;
    if (!changed && !node.inputs.some((input) => dirty.has(input))) return;
    for (const output of node.outputs) dirty.add(output);
    const twin = originals.get(node.name);
    const geometry = node.op === "Conv" ? geometryOf(node, cut) : undefined;
    const [input, weight, bias] = node.inputs;
    if (
      layer === undefined ||
      twin === undefined ||
      geometry === undefined ||
      !cut.parameters.has(bias ?? "")
    )
      return;
    const sum = sumAfter(node, { network: cut, consumers, order, position });
    const originalSum = sum && originals.get(sum.node);
    steps.push({
      layer: node.name,
      input,
      target: originalSum?.outputs[0] ?? twin.outputs[0],
      ...(sum && originalSum ? { minus: sum.other } : {}),
      kept: layer.keptOutputs,
      geometry,
      weight,
      bias,
    });
  });
  return steps;
}

function geometryOf(node: Node, network: Network): Geometry | undefined {
  const weight = network.parameters.get(node.inputs[1]);
  const { isAutomatic, strides, pads, dilations } = windowAttributes(node, 2);
  if (weight?.shape.length !== 4 || isAutomatic || intAttribute(node, "group", 1) !== 1) return undefined;
  const pair = ([a, b]: readonly number[]): readonly [number, number] => [a, b];
  const kernel = pair(weight.shape.slice(2));
  return { kernel, strides: pair(strides), pads: pair(pads), dilations: pair(dilations) };
}

/** The residual sum a convolution ends in, where its other side is computed before it. Padding at the end is passed. */
function sumAfter(
  node: Node,
  at: {
    readonly network: Network;
    readonly consumers: ReadonlyMap<string, readonly Node[]>;
    readonly order: ReadonlyMap<string, number>;
    readonly position: number;
  },
): { readonly node: string; readonly other: string } | undefined {
  let value = node.outputs[0];
  for (;;) {
    const [next, ...more] = at.consumers.get(value) ?? [];
    if (next === undefined || more.length > 0) return undefined;
    if (next.op === "Add") {
      const other = next.inputs.find((input) => input !== value);
      const made = other === undefined ? undefined : at.order.get(other);
      return other !== undefined && made !== undefined && made < at.position
        ? { node: next.name, other }
        : undefined;
    }
    if (next.op !== "Pad" || !padsAtEndOnly(next, at.network)) return undefined;
    value = next.outputs[0];
  }
}

function padsAtEndOnly(node: Node, network: Network): boolean {
  const amounts = padAmounts(node, 4, inputsFrom(network, node));
  return (
    amounts !== undefined && [...amounts.before, ...amounts.after.slice(0, 2)].every((size) => size === 0)
  );
}

/**
 * Gathers patches.
 *
 * @param x input of the convolution, [n, channels, height, width]
 * @param at positions [m, 3]: picture, row and column of the convolution's output
 * @param into [m, channels * kernel], row-major in the order of a weight's row; written from row `start`
 */
export function gatherPatches(
  x: Tensor,
  at: Int32Array,
  {
    geometry,
    into,
    start,
  }: { readonly geometry: Geometry; readonly into: Float32Array; readonly start: number },
): void {
  const [, channels, height, width] = x.shape;
  const { kernel, strides, pads, dilations } = geometry;
  const { data } = x;
  const area = height * width;
  const size = kernel[0] * kernel[1];
  // where the elements of a patch lie in its channel; below 0: in the padding
  const offsets = new Int32Array(size);
  let to = start * channels * size;
  for (let i = 0; i < at.length; i += 3) {
    const [top, left] = [at[i + 1] * strides[0] - pads[0], at[i + 2] * strides[1] - pads[1]];
    for (let a = 0, k = 0; a < kernel[0]; a++) {
      const row = top + a * dilations[0];
      for (let b = 0; b < kernel[1]; b++, k++) {
        const column = left + b * dilations[1];
        const inside = row >= 0 && row < height && column >= 0 && column < width;
        offsets[k] = inside ? row * width + column : -1;
      }
    }
    let base = at[i] * channels * area;
    for (let c = 0; c < channels; c++, base += area) {
      for (let k = 0; k < size; k++, to++) {
        const offset = offsets[k];
        into[to] = offset < 0 ? 0 : data[base + offset];
      }
    }
  }
}

/** Values of some channels at some positions, [m, channels.length], written from row `start`. */
export function gatherPoints(
  x: Tensor,
  at: Int32Array,
  {
    channels,
    into,
    start,
  }: { readonly channels: ArrayLike<number>; readonly into: Float32Array; readonly start: number },
): void {
  const [, total, height, width] = x.shape;
  const { data } = x;
  const area = height * width;
  let to = start * channels.length;
  for (let i = 0; i < at.length; i += 3) {
    const place = at[i] * total * area + at[i + 1] * width + at[i + 2];
    for (let c = 0; c < channels.length; c++, to++) into[to] = data[place + channels[c] * area];
  }
}

/** Moments of patches and residuals about their means. */
export interface RefitMoments {
  /** (A - mean)'(A - mean), [d, d] row-major; overwritten. */
  readonly gram: Float64Array;
  /** (R - mean)'(A - mean), [outputs, d] row-major, R = target minus the present output; overwritten. */
  readonly cross: Float64Array;
  /** [d] */
  readonly meanPatch: Float64Array;
  /** [outputs] */
  readonly meanResidual: Float64Array;
}

/**
 * The change of weights dW that minimises ||R - A dW'||^2 + ridge * mean(diag A'A) ||dW||^2: ridge regression towards
 * the weights at hand. The bias takes up the means.
 */
export function refitWeights(
  network: Network,
  step: RefitStep,
  moments: RefitMoments,
  ridge: number,
): Network {
  const { gram, cross, meanPatch, meanResidual } = moments;
  const d = meanPatch.length;
  let trace = 0;
  for (let i = 0; i < d; i++) trace += gram[i * d + i];
  const added = ridge * (trace / d);
  for (let i = 0; i < d; i++) gram[i * d + i] += added;
  if (!(added > 0)) return network; // nothing varies: nothing to fit
  choleskySolve(gram, d, cross);
  const weight = network.parameters.get(step.weight);
  const bias = network.parameters.get(step.bias);
  if (weight === undefined || bias === undefined) return network;
  const w = Float32Array.from(weight.data as Float32Array, (value, i) => value + cross[i]);
  const b = Float32Array.from(bias.data as Float32Array, (value, o) => {
    let shift = meanResidual[o];
    for (let i = 0; i < d; i++) shift -= cross[o * d + i] * meanPatch[i];
    return value + shift;
  });
  const parameters = new Map(network.parameters)
    .set(step.weight, float32(weight.shape, w))
    .set(step.bias, float32(bias.shape, b));
  return { ...network, parameters };
}
