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

/** A list of numbers as it is written into a page. */
interface FoldedList {
  /** Decimals of the numbers. */
  readonly decimals: number;
  /** The numbers as whole ones, each as its distance from the one before, in the base 64 VLQ of source maps. */
  readonly steps: string;
}

type Lists = "filters" | "train" | "held" | "error";

/** {@link PageData} as it is written: curves are most of it, and neighbours on a curve are near each other. */
export interface FoldedData {
  readonly figures: PageData["figures"];
  readonly curves: readonly (Omit<PageCurves, "curves"> & {
    readonly curves: readonly (Omit<PageCurve, Lists> & {
      readonly [List in Lists]?: FoldedList;
    })[];
  })[];
}

/** Numbers with so many digits as their largest needs. */
function foldList(values: readonly number[], digits: number): FoldedList {
  const most = Math.max(...values.map((value) => Math.abs(value)));
  const decimals = most > 0 ? Math.max(0, digits - 1 - Math.floor(Math.log10(most))) : 0;
  let before = 0;
  const steps = values.map((value) => {
    const whole = Math.round(value * 10 ** decimals);
    const step = whole - before;
    before = whole;
    return toLetters(step);
  });
  return { decimals, steps: steps.join("") };
}

/** A whole number of at most 30 bits: five bits a letter, lowest first; the sign is the lowest bit of all, 32 says that more follow. */
function toLetters(step: number): string {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  let left = 2 * Math.abs(step) + (step < 0 ? 1 : 0);
  let text = "";
  do {
    text += letters[(left & 31) + (left > 31 ? 32 : 0)];
    left >>= 5;
  } while (left > 0);
  return text;
}

/** Runs in the page. */
export function unfoldList({ decimals, steps }: FoldedList): number[] {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const values: number[] = [];
  let [whole, held, bits] = [0, 0, 0];
  for (const letter of steps) {
    const code = letters.indexOf(letter);
    held |= (code & 31) << bits;
    bits += 5;
    if (code > 31) continue;
    whole += held & 1 ? -(held >> 1) : held >> 1;
    values.push(Number((whole / 10 ** decimals).toPrecision(12)));
    [held, bits] = [0, 0];
  }
  return values;
}

export function foldData({ figures, curves }: PageData): FoldedData {
  const folded = ({ filters, train, held, error, ...curve }: PageCurve) => ({
    ...curve,
    filters: foldList(filters, 1),
    train: foldList(train, 5),
    ...(held && { held: foldList(held, 5) }),
    ...(error && { error: foldList(error, 3) }),
  });
  return { figures, curves: curves.map((set) => ({ ...set, curves: set.curves.map(folded) })) };
}

/** Runs in the page. */
export function unfoldData({ figures, curves }: FoldedData): PageData {
  const none = { decimals: 0, steps: "" };
  return {
    figures,
    curves: curves.map((set) => ({
      ...set,
      curves: set.curves.map(({ filters, train, held, error, ...curve }) => ({
        ...curve,
        filters: unfoldList(filters ?? none),
        train: unfoldList(train ?? none),
        ...(held && { held: unfoldList(held) }),
        ...(error && { error: unfoldList(error) }),
      })),
    })),
  };
}
