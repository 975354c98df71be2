/**
 * How trained convolution weights are kept: in the order in which onnxruntime's NCHWc kernels read them, so that no
 * step has to rearrange them for the forward pass. Only weights that exactly one convolution reads, ungrouped or depthwise.
 */
import { consumersOf, intAttribute, type Network } from "../../../network/network.ts";
import type { Shape } from "../../../network/shapes-context.ts";
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

/** Calls `visit(index in [o, i, h, w], index in the packed array)` for every weight. */
function forEachWeight(
  { kind, block, shape, packedShape }: WeightForm,
  visit: (plain: number, packed: number) => void,
): void {
  const [outputs, inputs, h, w] = shape;
  const area = h * w;
  const step = kind === "blocks" ? block : 1;
  for (let o = 0; o < outputs; o++) {
    for (let i = 0; i < inputs; i++) {
      const row = Math.floor(o / block) * (packedShape[1] / step) + Math.floor(i / step);
      for (let k = 0; k < area; k++) {
        const packed = ((row * area + k) * step + (i % step)) * block + (o % block);
        visit((o * inputs + i) * area + k, packed);
      }
    }
  }
}

/** [o, i, h, w] -> packed */
export function pack(data: Float32Array, form: WeightForm): Float32Array {
  const packed = new Float32Array(form.packedShape.reduce((product, dim) => product * dim, 1));
  forEachWeight(form, (from, to) => (packed[to] = data[from]));
  return packed;
}

/** packed -> [o, i, h, w] */
export function unpack(packed: Float32Array, form: WeightForm): Float32Array {
  const data = new Float32Array(form.shape.reduce((product, dim) => product * dim, 1));
  forEachWeight(form, (to, from) => (data[to] = packed[from]));
  return data;
}
