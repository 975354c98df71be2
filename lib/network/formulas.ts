/**
 * Where the multiplications of convolutions come from: the cost formulas of depthwise-separable convolutions (Howard et
 * al. 2017; Wang and Wong, eqs. 1-7), layer by layer. D_K: side of the kernel, M: input channels, N: output channels, D_F:
 * side of the output map.
 */
import { consumersOf, intAttribute, type Network, type Node } from "./network.ts";
import { factsOf } from "./operators/facts.ts";
import { inferShapes } from "./shapes/infer.ts";

/** One convolution. */
export interface ConvolutionCost {
  readonly name: string;
  /** Pointwise is standard with a kernel of 1x1; of several groups, each is a convolution of its own. */
  readonly kind: "standard" | "depthwise" | "pointwise" | "grouped";
  readonly kernel: readonly number[];
  readonly inputs: number;
  readonly outputs: number;
  readonly map: readonly number[];
  readonly groups: number;
  readonly formula: string;
  readonly macs: number;
}

/** A depthwise convolution and the pointwise one that reads it, beside the standard one in their place. */
export interface SeparableCost {
  readonly depthwise: string;
  readonly pointwise: string;
  /** Eq. 6: D_K D_K M D_F D_F + M N D_F D_F. */
  readonly macs: number;
  /** Eq. 2: D_K D_K M N D_F D_F. */
  readonly standardMacs: number;
  /** Eq. 7: 1 / N + 1 / D_K^2. */
  readonly share: number;
}

const formulas = {
  standard: "D_K D_K M N D_F D_F",
  depthwise: "D_K D_K M D_F D_F",
  pointwise: "M N D_F D_F",
  grouped: "D_K D_K M N D_F D_F / groups",
} as const;

/** Every convolution of a network at batch 1, in order. */
export function convolutionCosts(network: Network): ConvolutionCost[] {
  const shapes = inferShapes(network, { batch: 1 });
  return network.nodes.flatMap((node): ConvolutionCost[] => {
    const [weight, output] = [shapes.get(node.inputs[1] ?? ""), shapes.get(node.outputs[0] ?? "")];
    if (node.op !== "Conv" || weight === undefined || output === undefined) return [];
    const groups = intAttribute(node, "group", 1);
    const [outputs, perGroup, ...kernel] = weight;
    const inputs = perGroup * groups;
    const map = output.slice(2);
    const kind = kindOf({ kernel, inputs, outputs, groups });
    const product = [...kernel, ...map].reduce((all, size) => all * size, 1);
    const macs = product * perGroup * outputs;
    return [{ name: node.name, kind, kernel, inputs, outputs, map, groups, formula: formulas[kind], macs }];
  });
}

function kindOf(shape: {
  readonly kernel: readonly number[];
  readonly inputs: number;
  readonly outputs: number;
  readonly groups: number;
}): ConvolutionCost["kind"] {
  const { kernel, inputs, outputs, groups } = shape;
  if (groups === 1) return kernel.every((size) => size === 1) ? "pointwise" : "standard";
  return groups === inputs && outputs === inputs ? "depthwise" : "grouped";
}

/** Every depthwise convolution that a pointwise one reads, through normalisation and activation. */
export function separableCosts(network: Network): SeparableCost[] {
  const costs = new Map(convolutionCosts(network).map((cost) => [cost.name, cost]));
  const consumers = consumersOf(network);
  const nextConvolution = (from: Node): ConvolutionCost | undefined => {
    let readers = consumers.get(from.outputs[0]) ?? [];
    while (readers.length === 1 && !costs.has(readers[0].name)) {
      const [{ op, outputs }] = readers;
      if (factsOf(op).activation !== true) return undefined;
      readers = consumers.get(outputs[0]) ?? [];
    }
    return readers.length === 1 ? costs.get(readers[0].name) : undefined;
  };
  return network.nodes.flatMap((node): SeparableCost[] => {
    const depthwise = costs.get(node.name);
    const pointwise = depthwise?.kind === "depthwise" ? nextConvolution(node) : undefined;
    if (depthwise === undefined || pointwise?.kind !== "pointwise") return [];
    const macs = depthwise.macs + pointwise.macs;
    const standardMacs = depthwise.macs * pointwise.outputs;
    return [
      {
        depthwise: depthwise.name,
        pointwise: pointwise.name,
        macs,
        standardMacs,
        share: macs / standardMacs,
      },
    ];
  });
}
