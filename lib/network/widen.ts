/** Zeros around maps as what kernels in blocks of channels can compute: they know convolutions, not Pad. */
import { freshNames } from "./edit.ts";
import { float32, hasOpenSizes, int64, intAttribute, sizeOf, stringAttribute } from "./network.ts";
import type { Network, Node, Parameter } from "./network.ts";
import { inputsFrom, padAmounts, windowAttributes } from "./operators/attributes.ts";
import { propagate } from "./shapes/infer.ts";

/** More multiplications than these take longer than the Pad that they stand for. */
const MOST_MACS = 2 ** 20;

/** Depthwise kernels compute so many channels at a time, where they are quick. */
const BLOCK = 8;

/**
 * A network with other nodes; the parameter that one reads second is replaced where it stands, so that the way there and back ends
 * in the same file.
 */
function rewritten(
  network: Network,
  how: (node: Node, replace: (label: string, parameter: Parameter) => string) => Node,
): Network {
  const brought = new Map<string, [string, Parameter][]>();
  const fresh = freshNames(network);
  const nodes = network.nodes.map((node) =>
    how(node, (label, parameter) => {
      const [name, before] = [fresh(label), node.inputs[1]];
      brought.set(before, [...(brought.get(before) ?? []), [name, parameter]]);
      return name;
    }),
  );
  const changed = network.nodes.filter((node, i) => node !== nodes[i]);
  if (changed.length === 0) return network;
  const left = new Set(changed.flatMap(({ inputs }) => inputs));
  for (const name of nodes.flatMap(({ inputs }) => inputs)) left.delete(name);
  for (const { name } of network.outputs) left.delete(name);
  const parameters = [...network.parameters].flatMap(([name, parameter]) => [
    ...(left.has(name) ? [] : [[name, parameter] as const]),
    ...(brought.get(name) ?? []),
  ]);
  return { ...network, nodes, parameters: new Map(parameters) };
}

/**
 * Every Pad that adds channels of zeros to maps becomes a 1x1 convolution with the identity as its weights, zeros around the
 * picture its padding; every Pad of zeros around maps that are added to others a depthwise one. The function stays, and costs up to
 * inputs x outputs multiplications a place more; runtimes that leave their blocked layout for a Pad no longer do. A Pad
 * that is quicker as it is, or of unknown size, stays.
 */
export function padsAsConvolutions(network: Network): Network {
  if (hasOpenSizes(network) || !network.nodes.some(({ op }) => op === "Pad")) return network;
  const { shapes } = propagate(network, { bindings: { batch: 1 }, onError: "skip" });
  const added = onlyAdded(network);
  return rewritten(network, (node, replace) => {
    const [x = ""] = node.inputs;
    const shape = shapes.get(x);
    const pads = zerosAdded(network, node, shape);
    if (pads === undefined || shape === undefined) return node;
    const [, before, top, left, , after, bottom, right] = pads;
    const [, channels, ...sides] = shape;
    const width = before + channels + after;
    const isWider = width > channels;
    const isQuick = isWider
      ? width * channels * sizeOf(sides) <= MOST_MACS
      : channels % BLOCK === 0 && added.has(node.outputs[0]);
    if (!isQuick) return node;
    const identity = new Float32Array(isWider ? width * channels : channels).fill(isWider ? 0 : 1);
    if (isWider) for (let c = 0; c < channels; c++) identity[(before + c) * channels + c] = 1;
    const weight = replace(`${node.name}.weight`, float32([width, isWider ? channels : 1, 1, 1], identity));
    const attributes = {
      kernel_shape: { type: "ints", value: [1, 1] },
      ...(isWider ? {} : { group: { type: "int", value: channels } as const }),
      pads: { type: "ints", value: [top, left, bottom, right] },
    } as const;
    return { ...node, op: "Conv", inputs: [x, weight], attributes };
  });
}

/** The way back: what {@link padsAsConvolutions} wrote. A layer that was trained has other weights than zeros and ones. */
export function convolutionsAsPads(network: Network): Network {
  return rewritten(network, (node, replace) => {
    const [x = "", weight = ""] = node.inputs;
    const before = network.parameters.get(weight);
    if (node.op !== "Conv" || node.domain !== "" || node.inputs.length !== 2 || before === undefined)
      return node;
    const pads = padOf(node, before);
    if (pads === undefined) return node;
    return { ...node, op: "Pad", inputs: [x, replace(`${node.name}.pads`, int64(pads))], attributes: {} };
  });
}

/** The eight sizes of the Pad that a convolution is; undefined where it is none. */
function padOf(node: Node, { shape, data }: Parameter): number[] | undefined {
  const [width = 0, inputs = 0, ...kernel] = shape;
  const attributes = ["kernel_shape", "group", "pads"];
  const others = Object.keys(node.attributes).filter((name) => !attributes.includes(name));
  if (kernel.join() !== "1,1" || others.length > 0 || !(data instanceof Float32Array)) return undefined;
  const [top, left, bottom, right] = windowAttributes(node, 2).pads;
  const group = intAttribute(node, "group", 1);
  if (group !== 1) {
    const isCopy = group === width && inputs === 1 && data.every((value) => value === 1);
    return isCopy && top + left + bottom + right > 0 ? [0, 0, top, left, 0, 0, bottom, right] : undefined;
  }
  const first = data.indexOf(1);
  if (first < 0) return undefined;
  const front = first / inputs;
  const after = width - inputs - front;
  const isIdentity = data.every(
    (value, i) => value === Number(Math.floor(i / inputs) === front + (i % inputs)),
  );
  if (!Number.isInteger(front) || after < 0 || width === inputs || !isIdentity) return undefined;
  return [0, front, top, left, 0, after, bottom, right];
}

/** Values that nothing but sums read: other readers of a Pad, as convolutions and pools, take it into themselves. */
function onlyAdded({ nodes, outputs }: Network): Set<string> {
  const [sums, others] = [new Set<string>(), new Set(outputs.map(({ name }) => name))];
  for (const { op, inputs } of nodes) for (const name of inputs) (op === "Add" ? sums : others).add(name);
  for (const name of others) sums.delete(name);
  return sums;
}

/** The eight sizes of a Pad that adds zeros to NCHW maps, and takes nothing; undefined of anything else. */
export function zerosAdded(
  network: Network,
  node: Node,
  shape: readonly number[] | undefined,
): number[] | undefined {
  const [, , value = ""] = node.inputs;
  if (node.op !== "Pad" || node.domain !== "" || shape?.length !== 4) return undefined;
  const amounts = padAmounts(node, 4, inputsFrom(network, node));
  if (amounts === undefined || stringAttribute(node, "mode", "constant") !== "constant") return undefined;
  if (value !== "" && Number(network.parameters.get(value)?.data[0] ?? Number.NaN) !== 0) return undefined;
  const { before, after } = amounts;
  const pads = [...before, ...after];
  const adds = pads.every((size) => size >= 0) && before[0] === 0 && after[0] === 0;
  return adds && pads.some((size) => size > 0) ? pads : undefined;
}
