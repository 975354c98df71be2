/** A model file made ready to be cut: its layers as the file names them, and the plain network that surgery works on. */
import { EtlError } from "../../core/errors.ts";
import { own } from "../../core/own.ts";
import { factsOf } from "../../network/operators/facts.ts";
import { isModelFile, readModel } from "../../backbones/read-model.ts";
import { analyseCoupling } from "../../network/coupling/analyse.ts";
import type { Coupling } from "../../network/coupling/types.ts";
import {
  assumptions,
  boundTo,
  fitSaid,
  openSizes,
  sides,
  type Assumed,
  type SaidSizes,
} from "../../network/fit.ts";
import { intAttribute, type Network, type Node } from "../../network/network.ts";
import { propagate } from "../../network/shapes/infer.ts";
import { simplify } from "../../network/simplify.ts";
import type { LayerPlan, Plan } from "../../surgery/plan.ts";
import { openModel } from "../run/model.ts";

/** A model that can be planned on and cut. */
export interface CuttableModel {
  /** As the file has it. */
  readonly original: Network;
  /** Shape arithmetic folded, open sizes other than the batch bound to a number. */
  readonly network: Network;
  readonly coupling: Coupling;
  /** Sizes at which it is analysed: the open dimensions of the inputs, and pictures in a batch (1 where it takes no more). */
  readonly assumed: Assumed;
  /** What had to be assumed. */
  readonly notes: readonly string[];
}

/** Opens a model file (or a run folder, or a backbone by name) for data-free planning. */
export async function openCuttable(nameOrPath: string, said?: SaidSizes): Promise<CuttableModel> {
  const original = isModelFile(nameOrPath)
    ? await readModel(nameOrPath)
    : (await openModel(nameOrPath)).network;
  return toCuttable(original, said);
}

/** The network of a file, ready to be planned on. @throws EtlError `usage` where it fits together at none of the usual sizes */
export function toCuttable(original: Network, said: SaidSizes = {}): CuttableModel {
  const { size, bind = {} } = said;
  const plain = simplify(original);
  if (size !== undefined && plain.inputs.every(({ shape }) => openSizes(shape).length === 0)) {
    const [{ shape }] = plain.inputs;
    throw new EtlError(
      "usage",
      `--size ${size.join("x")}: the file says all sizes itself (${shape.join("x")}), a file that leaves some open was needed`,
      { hint: "leave --size out" },
    );
  }
  const { bound, assumed: fitted } = fitSaid(plain, said);
  const network = boundTo(bound, fitted);
  const first = original.inputs[0]?.shape[0];
  return {
    original,
    network,
    coupling: analyseCoupling(network),
    assumed: {
      batch: (typeof first === "string" ? own(bind, first) : undefined) ?? fitted.batch,
      sizes: { ...bind, ...fitted.sizes },
    },
    notes: assumptions(bound, fitted),
  };
}

/** The cut network with the inputs and outputs that the file had: same names, same types, same open dimensions. */
export function withFileShapes(cut: Network, original: Network): Network {
  return { ...cut, inputs: original.inputs, outputs: original.outputs };
}

/** A layer as the file has it: where its weight stands, and how many channels go in and out. */
export interface FileLayer {
  readonly node: Node;
  /** Position of the input that is multiplied with the weight. */
  readonly input: 0 | 1;
  /** Number of axes behind the one along which the layer sums, on that input. */
  readonly trailing: number;
  readonly inputs: number;
  readonly outputs: number;
}

/** Every Conv, ConvTranspose, Gemm and MatMul of a file with a weight that does not depend on the network's inputs. */
export function layersOf(original: Network): FileLayer[] {
  const constant = new Set(original.parameters.keys());
  for (const node of original.nodes) {
    const made = node.inputs.every((name) => name === "" || constant.has(name));
    if (made) for (const output of node.outputs) constant.add(output);
  }
  const { shapes } = propagate(original, {
    bindings: Object.fromEntries(
      original.inputs.flatMap(({ shape }) => openSizes(shape).map((name) => [name, sides[0]])),
    ),
    onError: "skip",
  });
  return original.nodes.flatMap((node) => {
    if (factsOf(node.op).layer !== true || node.domain !== "") return [];
    const [a = "", b = ""] = node.inputs;
    if (!constant.has(a) && !constant.has(b)) return [];
    const weightAt = constant.has(b) ? 1 : 0;
    const convolves = node.op === "Conv" || node.op === "ConvTranspose";
    if (convolves && weightAt === 0) return [];
    const weight = shapes.get(weightAt === 1 ? b : a) ?? [];
    return [{ node, ...(convolves ? convolution(node, weight) : product(node, weight, weightAt)) }];
  });
}

type Widths = Omit<FileLayer, "node">;

function convolution(node: Node, weight: readonly number[]): Widths {
  const groups = intAttribute(node, "group", 1);
  const [first = 0, second = 0] = weight;
  return node.op === "Conv"
    ? { input: 0, trailing: weight.length - 2, inputs: second * groups, outputs: first }
    : { input: 0, trailing: weight.length - 2, inputs: first, outputs: second * groups };
}

function product(node: Node, weight: readonly number[], weightAt: 0 | 1): Widths {
  const transposed = (index: 0 | 1): boolean =>
    node.op === "Gemm" && intAttribute(node, index === 0 ? "transA" : "transB", 0) !== 0;
  const rows = weight.at(-2) ?? weight[0] ?? 0;
  const columns = weight.length < 2 ? 1 : (weight.at(-1) ?? 0);
  const [front, back] = transposed(weightAt) ? [columns, rows] : [rows, columns];
  const last = weightAt === 1 ? !transposed(0) : transposed(1);
  return {
    input: weightAt === 1 ? 0 : 1,
    trailing: last ? 0 : 1,
    inputs: weightAt === 1 ? front : back,
    outputs: weightAt === 1 ? back : front,
  };
}

/**
 * The plan's layers as the file names them, in the file's order. A layer that the analysis does not follow, or that no
 * output needs, stays whole and says so.
 */
export function fileLayers({ original, network }: CuttableModel, plan: Plan): LayerPlan[] {
  const planned = new Map(plan.layers.map((layer) => [layer.name, layer]));
  const alive = new Set(network.nodes.map(({ name }) => name));
  return layersOf(original).map(({ node, inputs, outputs }): LayerPlan => {
    const layer = planned.get(node.name);
    if (layer !== undefined) return layer;
    const reason = alive.has(node.name)
      ? `${node.op} ${node.name} has a weight whose channels are not followed`
      : "no output of the network depends on it, or its result is known before the run";
    return {
      name: node.name,
      op: node.op,
      keptInputs: Uint32Array.from({ length: inputs }, (_, i) => i),
      totalInputs: inputs,
      keptOutputs: Uint32Array.from({ length: outputs }, (_, i) => i),
      totalOutputs: outputs,
      reason,
    };
  });
}
