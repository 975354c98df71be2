/**
 * How trained convolution weights are kept: in the order in which onnxruntime's NCHWc kernels read them, so that no
 * step has to rearrange them for the forward pass. Only weights that exactly one convolution reads, ungrouped or depthwise.
 */
import { consumersOf, intAttribute, sizeOf, type Network } from "../network/network.ts";
import type { Shape } from "../network/shapes/context.ts";
import { paddedChannels } from "./blocked.ts";

/** Most input channels for which the kernel for row-major input (a network's first layer) is used. */
const FEW_CHANNELS = 4;

/**
 * The packed form of weights [o, i, h, w], B = block, channels padded with zeros:
 *
 * - `blocks`: [o / B, i / B, h, w, B of i, B of o], for blocked inputs
 * - `rows`: [o / B, i, h, w, B of o], for row-major inputs with few channels
 * - `channels`: [o / B, 1, h, w, B of o], depthwise: every channel has a filter of its own
 */
export interface WeightForm {
  readonly kind: "blocks" | "rows" | "channels";
  readonly block: number;
  /** [o, i, h, w] as the network has it. */
  readonly shape: Shape;
  /** The same with padded channels: the shape that onnxruntime sees. */
  readonly packedShape: Shape;
}

/** The form of weights of an ungrouped or depthwise convolution over two axes, or undefined where there is none. */
export function weightForm(shape: Shape, group: number, block: number): WeightForm | undefined {
  if (block === 0 || shape.length !== 4) return undefined;
  const [o, i, h, w] = shape;
  const isDepthwise = group > 1 && group === o && i === 1;
  if (group !== 1 && !isDepthwise) return undefined;
  const kind = isDepthwise ? "channels" : i <= FEW_CHANNELS && i < block ? "rows" : "blocks";
  const outputs = paddedChannels(o, block);
  const inputs = kind === "blocks" ? paddedChannels(i, block) : i;
  return { kind, block, shape, packedShape: [outputs, inputs, h, w] };
}

/** Forms of all trained weights that are kept packed. */
export function weightForms(
  network: Network,
  trained: Iterable<string>,
  block: number,
): Map<string, WeightForm> {
  const consumers = consumersOf(network);
  const forms = new Map<string, WeightForm>();
  for (const name of trained) {
    const readers = consumers.get(name) ?? [];
    const [node] = readers;
    const shape = network.parameters.get(name)?.shape;
    const isOutput = network.outputs.some((output) => output.name === name);
    if (readers.length !== 1 || node.op !== "Conv" || node.inputs.indexOf(name) !== 1 || isOutput) continue;
    const form = shape && weightForm(shape, intAttribute(node, "group", 1), block);
    if (form) forms.set(name, form);
  }
  return forms;
}

/**
 * Copies every weight between [o, i, h, w] and the packed array: tile by tile of B x B filters, so that what is read and
 * written across its order stays in the nearest cache.
 */
function copyWeights(plain: Float32Array, packed: Float32Array, form: WeightForm, isPacking: boolean): void {
  const { kind, block, shape, packedShape } = form;
  const [outputs, inputs, h, w] = shape;
  const area = h * w;
  const step = kind === "blocks" ? block : 1;
  const tiles = packedShape[1] / step;
  const stride = step * block;
  for (let firstO = 0; firstO < outputs; firstO += block) {
    for (let firstI = 0; firstI < inputs; firstI += step) {
      const tile = ((firstO / block) * tiles + firstI / step) * area * stride;
      const [endO, endI] = [Math.min(outputs, firstO + block), Math.min(inputs, firstI + step)];
      for (let o = firstO; o < endO; o++) {
        for (let i = firstI; i < endI; i++) {
          let to = tile + (i - firstI) * block + (o - firstO);
          const from = (o * inputs + i) * area;
          for (let k = 0; k < area; k++, to += stride) {
            if (isPacking) packed[to] = plain[from + k];
            else plain[from + k] = packed[to];
          }
        }
      }
    }
  }
}

/** [o, i, h, w] -> packed */
export function pack(data: Float32Array, form: WeightForm): Float32Array {
  const packed = new Float32Array(sizeOf(form.packedShape));
  copyWeights(data, packed, form, true);
  return packed;
}

/** packed -> [o, i, h, w] */
export function unpack(packed: Float32Array, form: WeightForm): Float32Array {
  const data = new Float32Array(sizeOf(form.shape));
  copyWeights(data, packed, form, false);
  return data;
}
