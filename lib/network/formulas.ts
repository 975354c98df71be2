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

/** What a network costs in the accounting of ETL's Table 1. */
export interface PaperCost {
  /** Weights of the convolutions: that table's size is four bytes for each of them, and nothing else. */
  readonly weights: number;
  /** Multiplications by eqs. 6-8 where every map is as large as the picture: poolings and strides do not count. */
  readonly flops: number;
  readonly bytes: number;
}

/**
 * The cost of a network as ETL's Table 1 counts it. Its 7.38E+11 operations of VGG16 are the 14.71 M weights of the thirteen
 * convolutions times 224 x 224, and its four sizes of pruned networks are FLOPS / 50,176 x 4 bytes to three digits.
 * {@link costOf} says what is really computed and stored.
 */
export function paperCost(network: Network): PaperCost {
  const shapes = inferShapes(network, { batch: 1 });
  const [height = 1, width = 1] = (shapes.get(network.inputs[0].name) ?? []).slice(2);
  const weights = convolutionCosts(network).reduce(
    (sum, { kernel, inputs, groups, outputs }) =>
      sum + kernel.reduce((all, size) => all * size, (inputs / groups) * outputs),
    0,
  );
  const linear = network.nodes
    .filter(({ op }) => op === "Gemm" || op === "MatMul")
    .reduce((sum, { inputs }) => {
      const parameter = network.parameters.get(inputs[1] ?? "");
      return sum + (parameter === undefined ? 0 : parameter.shape.reduce((all, size) => all * size, 1));
    }, 0);
  return { weights, flops: weights * height * width + linear, bytes: 4 * weights };
}
