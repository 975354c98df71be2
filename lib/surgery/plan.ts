import { refuseUnknown, type OptionNames } from "../core/options.ts";
import type { Cost, GroupSelect, LayerRow } from "../core/artifacts.ts";
import { analyseCoupling } from "../network/coupling/analyse.ts";
import type { CoupledLayer, Coupling } from "../network/coupling/types.ts";
import { costOf } from "../network/cost.ts";
import type { Network } from "../network/network.ts";
import { chooseClasses, selectionOf, type Choice } from "./choose.ts";
import { cutNetwork } from "./cut.ts";

/** One Conv, ConvTranspose, Gemm or MatMul with a parameter, as `plan.json` lists it. */
export interface LayerPlan {
  /** Name of the node. */
  readonly name: string;
  readonly op: string;
  /** Positions along the input's channel axis that stay, ascending. */
  readonly keptInputs: Uint32Array;
  readonly totalInputs: number;
  /** Positions along the output's channel axis that stay, ascending; none where a residual branch vanishes. */
  readonly keptOutputs: Uint32Array;
  readonly totalOutputs: number;
  /** Why no output, or only some of the outputs that were not wanted, could go. */
  readonly reason?: string;
}

/** Which channels stay, with cost before and after; computed without touching a weight. */
export interface Plan {
  /** In topological order. */
  readonly layers: readonly LayerPlan[];
  /** 1 for every coupling class that stays, [classes of the network's coupling]. */
  readonly keep: Uint8Array;
  /** What rounding to multiples added and took, in coupled classes of channels; absent where nothing was rounded. */
  readonly rounding?: { readonly multiple: number; readonly added: number; readonly taken: number };
  /** The same layers as rows for tables. */
  readonly rows: readonly LayerRow[];
  readonly before: Cost;
  readonly after: Cost;
}

export interface PlanOptions {
  /** How several taps in one class are heard. Default `union`. */
  readonly groupSelect?: GroupSelect;
  /** At least so many outputs of every layer stay (all, where it has fewer). Default 1. */
  readonly minFilters?: number;
  /** Every layer keeps a multiple of so many outputs, or all. Default 1. */
  readonly roundTo?: number;
  /**
   * `up` (default): more than was asked, never fewer. `nearest`: the nearest multiple, of two the larger, at least one; what was
   * to be kept whole stays whole. Which channels fill up or leave follows the scores.
   */
  readonly rounding?: "up" | "nearest";
  /** In place of `scores`, one for every coupling class. */
  readonly classScores?: Float64Array;
  /** Values or layers that stay whole. */
  readonly frozen?: Iterable<string>;
  /** Which channels come next where more must stay: by tap or layer name, one score per channel, larger first. */
  readonly scores?: ReadonlyMap<string, ArrayLike<number>>;
  /** The analysis, where the caller has it. */
  readonly coupling?: Coupling;
  /** The selection is kept to the letter: a layer may lose all its filters, where its branch can vanish. */
  readonly exact?: boolean;
}

const planNames: OptionNames<PlanOptions> = {
  groupSelect: true,
  minFilters: true,
  roundTo: true,
  rounding: true,
  classScores: true,
  frozen: true,
  scores: true,
  coupling: true,
  exact: true,
};

/** tap (value name) or layer name -> channels to keep. */
export type Selection = ReadonlyMap<string, Uint32Array>;

/**
 * Turns what the taps want into a plan that the network can follow (DESIGN 3.5): every coupled class stays or goes as
 * a whole, every layer keeps at least one filter, and every layer that stays whole says why. Pure.
 *
 * @param selection channels wanted at each tap or layer; what no entry speaks of stays
 */
export function planSurgery(network: Network, selection: Selection, options: PlanOptions = {}): Plan {
  refuseUnknown("planSurgery", options, planNames);
  const coupling = options.coupling ?? analyseCoupling(network);
  const choice = chooseClasses(network, coupling, { ...options, selection });
  const layers = coupling.layers.map((layer) => planLayer(coupling, layer, choice));
  const rows = layers.map(({ name, keptOutputs, totalOutputs, reason }) => ({
    name,
    kept: keptOutputs.length,
    total: totalOutputs,
    ...(reason === undefined ? {} : { reason }),
  }));
  // An operator that is not known freezes what it touches; it must not keep the rest from being planned.
  const known = { onUnknown: "skip" } as const;
  const after = costOf(cutNetwork(network, coupling, choice.keep, "shapes"), known).total;
  const { roundTo = 1 } = options;
  return {
    layers,
    keep: choice.keep,
    ...(roundTo > 1 && { rounding: { multiple: roundTo, ...choice.rounded } }),
    rows,
    before: costOf(network, known).total,
    after,
  };
}

/**
 * The plan that keeps exactly these classes.
 *
 * @param keep 1 for every class that stays, [classes]; none of a layer's only where its branch can vanish
 */
export function planKeeping(network: Network, coupling: Coupling, keep: Uint8Array): Plan {
  return planSurgery(network, selectionOf(coupling, keep), { coupling, exact: true });
}

/** A plan to which blocks were added, with what rounding had done before. @param added classes */
export function widened({ rounding }: Plan, wider: Plan, added: number): Plan {
  return { ...wider, ...(rounding && { rounding: { ...rounding, added: rounding.added + added } }) };
}

/** The plan that keeps everything. */
export function keepAllPlan(network: Network): Plan {
  return planSurgery(network, new Map());
}

function planLayer(coupling: Coupling, layer: CoupledLayer, choice: Choice): LayerPlan {
  const kept = (atoms: Int32Array): Uint32Array => {
    const positions: number[] = [];
    for (let i = 0; i < atoms.length; i++)
      if (choice.keep[coupling.classOf[atoms[i]]] === 1) positions.push(i);
    return Uint32Array.from(positions);
  };
  const keptOutputs = kept(layer.outputs);
  const reason = reasonFor(coupling, layer, choice, keptOutputs.length);
  return {
    name: layer.name,
    op: layer.op,
    keptInputs: kept(layer.inputs),
    totalInputs: layer.inputs.length,
    keptOutputs,
    totalOutputs: layer.outputs.length,
    ...(reason === undefined ? {} : { reason }),
  };
}

/** Why a layer keeps more than it was asked to, or all. */
function reasonFor(
  coupling: Coupling,
  layer: CoupledLayer,
  choice: Choice,
  kept: number,
): string | undefined {
  const total = layer.outputs.length;
  if (kept === 0) return "its branch vanishes, a constant stays in its place";
  const classes = Array.from(layer.outputs, (atom) => coupling.classOf[atom]);
  const because = (id: number): string | undefined => coupling.frozen.get(id) ?? choice.held.get(id);
  const held = classes.filter((id) => because(id) !== undefined);
  const texts = Array.from(new Set(held.map((id) => because(id) ?? "")));
  if (held.length > 0) {
    const more = texts.length > 1 ? ` (and ${texts.length - 1} more)` : "";
    return held.length === total
      ? `${texts[0]}${more}`
      : `${held.length} of ${total} ${held.some((id) => coupling.frozen.has(id)) ? "must stay" : "stay beside those chosen"}: ${texts[0]}${more}`;
  }
  if (kept < total) return undefined;
  return classes.some((id) => choice.asked[id] === 1)
    ? "every channel was chosen"
    : "no tap speaks for its channels";
}
