/** Times of kernels as times of a network's layers, and why a layer has no fast kernel. Pure. */
import type { KernelTime } from "../engine/engine.ts";
import { intAttribute, producersOf, type Network, type Node } from "../network/network.ts";
import { factsOf } from "../network/operators/facts.ts";

/** What a layer, or another operator, takes in a run. */
export interface LayerTime {
  /** The layer; of what is no layer the node, or what the runtime added. */
  readonly name: string;
  /** The network's operator, or the runtime's where it added one. */
  readonly op: string;
  readonly ms: number;
  readonly kernel: KernelTime["form"];
  /** Why a convolution is computed by a plain kernel; absent where it is not, or where the reason is not known. */
  readonly reason?: string;
}

/**
 * Every kernel in the order of the run; those of layers under the layer's own name, also where what follows was fused into it.
 *
 * @param block channels that fast kernels compute at a time; 1 where there are none
 */
export function layerTimes(network: Network, kernels: readonly KernelTime[], block: number): LayerTime[] {
  const byName = new Map(network.nodes.map((node) => [node.name, node]));
  const producers = producersOf(network);
  return kernels.map(({ name, op, form, ms }) => {
    const given = byName.get(name) ?? producers.get(name);
    const node = given === undefined ? undefined : isLayerOp(op) ? layerBehind(given, producers) : given;
    const reason = node !== undefined && form === "plain" ? plainReason(network, node, block) : undefined;
    const shown = { name: node?.name ?? name, op: node?.op ?? op, ms, kernel: form };
    return reason === undefined ? shown : { ...shown, reason };
  });
}

const isLayerOp = (op: string): boolean => /Conv|Gemm|MatMul/.test(op);

const isLayer = ({ op, domain }: Node): boolean => domain === "" && factsOf(op).learned === true;

/** The layer whose result a fused node is: behind an activation or a sum. */
function layerBehind(node: Node, producers: ReadonlyMap<string, Node>): Node {
  for (let at: Node | undefined = node; at !== undefined; at = producers.get(at.inputs[0] ?? ""))
    if (isLayer(at)) return at;
  return node;
}

/** What onnxruntime's transformer to blocked layout asks of a convolution, and this one lacks. */
function plainReason({ parameters }: Network, node: Node, block: number): string | undefined {
  if (node.op !== "Conv") return undefined;
  if (block <= 1) return "this machine has no kernels that compute blocks of channels";
  const weight = parameters.get(node.inputs[1] ?? "");
  if (weight === undefined) return "its weights are computed";
  if (weight.type !== "float32") return `its weights are ${weight.type}`;
  if (weight.shape.length !== 4) return `it is ${weight.shape.length - 2}-dimensional`;
  const group = intAttribute(node, "group", 1);
  const [outputs = 0, inputs = 0] = weight.shape;
  if (group === 1)
    return inputs >= block && inputs % 4 !== 0 ? `${inputs} input channels are no multiple of 4` : undefined;
  const perGroup = outputs / group;
  if (inputs === 1 && perGroup === 1)
    return outputs % 4 === 0 ? undefined : `${outputs} channels are no multiple of 4`;
  return inputs % block === 0 && perGroup % block === 0
    ? undefined
    : `groups of ${inputs} and ${perGroup} channels are no multiples of ${block}`;
}
