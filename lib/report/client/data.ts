/** What the page's script reads from the page. Short names: it is written into every report. */
import type { Figure } from "./dom.ts";

/** One tap's curve, as the page needs it. Largest penalty first. */
export interface PageCurve {
  readonly tap: string;
  readonly layer: string;
  readonly total: number;
  readonly filters: readonly number[];
  /** RMSE on the training rows. */
  readonly train: readonly number[];
  /** RMSE on held-out folds and its standard error. */
  readonly held?: readonly number[];
  readonly error?: readonly number[];
  /** Filters that the run itself chose, at the run's own gamma. */
  readonly chosen: number;
  /** Index of the chosen point; -1: everything is kept. */
  readonly knee: number;
}

/** The curves of one harvest with the stops of their slider. */
export interface PageCurves {
  readonly id: string;
  readonly gamma: number;
  readonly rmse: "heldout" | "train";
  readonly minFilters: number;
  readonly unit: string;
  readonly curves: readonly PageCurve[];
  /** Gammas that the slider stops at, ascending; the run's own is among them. */
  readonly stops: readonly number[];
  /** Planned MACs, parameters and bytes beside `stops`; absent where they were not planned. */
  readonly macs?: readonly (number | null)[];
  readonly params?: readonly (number | null)[];
  readonly bytes?: readonly (number | null)[];
  /** Those of the unpruned network. */
  readonly whole?: { readonly macs: number; readonly params: number; readonly bytes: number };
}

export interface PageData {
  readonly figures: Readonly<Record<string, Figure>>;
  readonly curves: readonly PageCurves[];
}
