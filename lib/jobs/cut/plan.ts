/** What could be cut from a model, without data and without touching it. */
import type { Cost } from "../../core/artifacts.ts";
import { explain } from "../../network/coupling/explain.ts";
import { costOf } from "../../network/cost.ts";
import { keepAllPlan, type LayerPlan } from "../../surgery/plan.ts";
import type { SaidSizes } from "../../network/fit.ts";
import { fileLayers, openCuttable } from "./model.ts";

/** A layer of a cut, its channels as lists. */
export interface CutLayer {
  readonly name: string;
  readonly op: string;
  readonly keptInputs: readonly number[];
  readonly totalInputs: number;
  readonly keptOutputs: readonly number[];
  readonly totalOutputs: number;
  readonly reason?: string;
}

/** One layer: how wide it is, and how many of its outputs can be removed. */
export interface ModelLayer {
  readonly name: string;
  readonly op: string;
  readonly inputs: number;
  readonly outputs: number;
  /** Outputs that may go. */
  readonly removable: number;
  readonly macs: number;
  readonly params: number;
  /** Why some or all outputs must stay. */
  readonly reason?: string;
}

export interface ModelPlan {
  readonly model: string;
  readonly layers: readonly ModelLayer[];
  /** Layers whose output channels share classes, and how many classes there are. */
  readonly groups: readonly {
    readonly layers: readonly string[];
    readonly channels: number;
    readonly frozen: number;
  }[];
  readonly cost: Cost;
  readonly notes: readonly string[];
}

/** Coupled groups and layers of a model file, a run folder, or a backbone by name. */
export async function planModel(nameOrPath: string, said?: SaidSizes): Promise<ModelPlan> {
  const model = await openCuttable(nameOrPath, said);
  const { coupling, network, notes } = model;
  const coupled = new Map(coupling.layers.map((layer) => [layer.name, layer]));
  const { layers: costs, total } = costOf(network, { onUnknown: "skip" });
  const costOfLayer = new Map(costs.map((cost) => [cost.name, cost]));
  const layers = fileLayers(model, keepAllPlan(network)).map((layer): ModelLayer => {
    const { name, op, totalInputs, totalOutputs } = layer;
    const outputs = coupled.get(name)?.outputs ?? new Int32Array(0);
    const fixed = outputs.filter((atom) => coupling.frozen.has(coupling.classOf[atom]));
    const reason = coupled.has(name) ? frozenReason(fixed, totalOutputs, coupling) : layer.reason;
    const { macs = 0, params = 0 } = costOfLayer.get(name) ?? {};
    return {
      name,
      op,
      inputs: totalInputs,
      outputs: totalOutputs,
      removable: outputs.length - fixed.length,
      macs,
      params,
      ...(reason === undefined ? {} : { reason }),
    };
  });
  const groups = coupling.groups.map(({ layers: names, classes, frozen }) => ({
    layers: names,
    channels: classes,
    frozen,
  }));
  return { model: nameOrPath, layers, groups, cost: total, notes };
}

function frozenReason(
  fixed: Int32Array,
  total: number,
  { frozen, classOf }: { readonly frozen: ReadonlyMap<number, string>; readonly classOf: Int32Array },
): string | undefined {
  if (fixed.length === 0) return undefined;
  const [first, ...more] = new Set(Array.from(fixed, (atom) => frozen.get(classOf[atom]) ?? ""));
  const rest = more.length === 0 ? "" : ` (and ${more.length} more)`;
  return fixed.length === total
    ? `${first}${rest}`
    : `${fixed.length} of ${total} must stay: ${first}${rest}`;
}

/** What a layer's channels are tied to, and why: lines of text. @throws EtlError `usage` with the nearest name */
export async function explainLayer(nameOrPath: string, layer: string, said?: SaidSizes): Promise<string[]> {
  const model = await openCuttable(nameOrPath, said);
  const whole = fileLayers(model, keepAllPlan(model.network)).find(({ name }) => name === layer);
  const followed = model.coupling.layers.some(({ name }) => name === layer);
  if (whole !== undefined && !followed) return [`${layer} (${whole.op}): stays whole, ${whole.reason ?? ""}`];
  return explain(model.coupling, layer);
}

/** Layers with plain lists of numbers. */
export function planRows(layers: readonly LayerPlan[]): readonly CutLayer[] {
  return layers.map(({ name, op, keptInputs, totalInputs, keptOutputs, totalOutputs, reason }) => ({
    name,
    op,
    keptInputs: Array.from(keptInputs),
    totalInputs,
    keptOutputs: Array.from(keptOutputs),
    totalOutputs,
    ...(reason === undefined ? {} : { reason }),
  }));
}
