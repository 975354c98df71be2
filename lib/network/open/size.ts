/**
 * Numbers that are known before the run, or follow from the open dimensions of a network's inputs: sums of products of
 * unknowns with whole factors, 2 h w - 3. What cannot be written so (a quotient with a rest, the larger of two) is an
 * unknown of its own, named by how it is computed: equal names are equal numbers, whatever the inputs' sizes are.
 */

/** A number, or what follows from open dimensions. */
export type Size = number | Open;

interface Open {
  /** product of unknowns, their names sorted (the empty one for what is added) -> its factor, whole and not 0 */
  readonly terms: ReadonlyMap<string, number>;
  /** Equal keys are equal numbers. */
  readonly key: string;
}

/** Sums longer than this become an unknown of their own. */
const longest = 24;
/** Between the names of a product; no name holds it. */
const times = "\u0001";

/** What is said of an unknown: nothing, that it is whole, or that it is whole and never below zero. */
type Kind = "number" | "whole" | "count";

/** Makes open sizes; keeps the names of unknowns short, and knows which cannot be below zero. */
export interface Sizes {
  /** The unknown named `how`; a count is a whole number that is not negative. */
  readonly unknown: (how: string, kind?: Kind) => Open;
  readonly add: (a: Size, b: Size) => Size;
  readonly subtract: (a: Size, b: Size) => Size;
  readonly multiply: (a: Size, b: Size) => Size;
  /** a / b where that is whole for all sizes, else undefined. */
  readonly exact: (a: Size, b: Size) => Size | undefined;
  /** The largest whole number not above a / b, for b > 0. */
  readonly floorDivide: (a: Size, b: number) => Size;
  readonly max: (a: Size, b: Size) => Size;
  readonly min: (a: Size, b: Size) => Size;
  /** The sign of a - b where it is the same for all sizes. */
  readonly compare: (a: Size, b: Size) => -1 | 0 | 1 | "not below" | undefined;
  readonly isWhole: (a: Size) => boolean;
  /** Whether it is a whole number that is never below zero. */
  readonly isCount: (a: Size) => boolean;
}

export const keyOf = (size: Size): string => (typeof size === "number" ? String(size) : size.key);

export const isSame = (a: Size | undefined, b: Size | undefined): boolean =>
  a !== undefined && b !== undefined && (Object.is(a, b) || keyOf(a) === keyOf(b));

const namesIn = (product: string): string[] => (product === "" ? [] : product.split(times));

export function createSizes(): Sizes {
  const names = new Map<string, string>();
  const kinds = new Map<string, Kind>();

  const unknown: Sizes["unknown"] = (how, kind = "number") => {
    const name = names.get(how) ?? `#${names.size}`;
    names.set(how, name);
    kinds.set(name, kind);
    return make(new Map([[name, 1]])) as Open;
  };

  function make(terms: ReadonlyMap<string, number>): Size {
    const left = [...terms].filter(([, factor]) => factor !== 0).sort(([a], [b]) => (a < b ? -1 : 1));
    if (left.length === 0) return 0;
    if (left.length === 1 && left[0][0] === "") return left[0][1];
    const key = left.map(([product, factor]) => `${factor}*${product}`).join("+");
    if (left.length > longest || left.some(([, factor]) => !Number.isSafeInteger(factor)))
      return unknown(`sum ${key}`);
    return { terms: new Map(left), key };
  }

  const termsOf = (size: Size): ReadonlyMap<string, number> =>
    typeof size === "number" ? new Map(size === 0 ? [] : [["", size]]) : size.terms;

  const combine = (a: Size, b: Size, sign: 1 | -1): Size => {
    const terms = new Map(termsOf(a));
    for (const [product, factor] of termsOf(b)) terms.set(product, (terms.get(product) ?? 0) + sign * factor);
    return make(terms);
  };

  const multiply: Sizes["multiply"] = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a * b;
    const terms = new Map<string, number>();
    for (const [p, x] of termsOf(a)) {
      for (const [q, y] of termsOf(b)) {
        const product = [...namesIn(p), ...namesIn(q)].sort().join(times);
        terms.set(product, (terms.get(product) ?? 0) + x * y);
      }
    }
    return make(terms);
  };

  /** Only by a single product, as shapes need it: (4 n h) / (2 n). */
  const exact: Sizes["exact"] = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return Number.isInteger(a / b) ? a / b : undefined;
    if (isSame(a, b) && a !== 0) return 1;
    const by = [...termsOf(b)];
    if (by.length !== 1) return undefined;
    const [product, factor] = by[0];
    const terms = new Map<string, number>();
    for (const [p, x] of termsOf(a)) {
      const left = namesIn(p);
      for (const name of namesIn(product)) {
        const at = left.indexOf(name);
        if (at < 0) return undefined;
        left.splice(at, 1);
      }
      if (!Number.isInteger(x / factor)) return undefined;
      terms.set(left.join(times), x / factor);
    }
    return make(terms);
  };

  const floorDivide: Sizes["floorDivide"] = (a, b) => {
    if (typeof a === "number") return Math.floor(a / b);
    const whole = new Map<string, number>();
    const rest = new Map<string, number>();
    for (const [product, factor] of a.terms) {
      const quotient = product === "" ? Math.floor(factor / b) : factor / b;
      if (Number.isInteger(quotient)) whole.set(product, quotient);
      if (!Number.isInteger(factor / b))
        rest.set(product, product === "" ? factor - b * Math.floor(factor / b) : factor);
    }
    const left = make(rest);
    if (typeof left === "number") return make(whole); // less than b is left
    return combine(make(whole), unknown(`floor ${left.key} / ${b}`, isCount(left) ? "count" : "number"), 1);
  };

  const isWhole = (a: Size): boolean =>
    [...termsOf(a)].every(
      ([product, factor]) =>
        Number.isInteger(factor) && namesIn(product).every((name) => kinds.get(name) !== "number"),
    );

  function isCount(a: Size): boolean {
    return [...termsOf(a)].every(
      ([product, factor]) =>
        Number.isInteger(factor) &&
        factor > 0 &&
        namesIn(product).every((name) => kinds.get(name) === "count"),
    );
  }

  const compare: Sizes["compare"] = (a, b) => {
    const difference = combine(a, b, -1);
    if (typeof difference === "number")
      return Number.isNaN(difference) ? undefined : (Math.sign(difference) as -1 | 0 | 1);
    const isAbove = (size: Size): boolean => isCount(combine(size, 1, -1));
    if (isAbove(difference)) return 1;
    if (isAbove(multiply(difference, -1))) return -1;
    return isCount(difference) ? "not below" : undefined;
  };

  const extreme =
    (name: "max" | "min"): Sizes["max"] =>
    (a, b) => {
      if (isSame(a, b)) return a;
      if (typeof a === "number" && typeof b === "number") return Math[name](a, b);
      const [first, second] = name === "max" ? [a, b] : [b, a];
      const order = compare(a, b);
      if (order === 1 || order === 0 || order === "not below") return first;
      const other = compare(b, a);
      if (other === 1 || other === "not below") return second;
      const positive = isCount(a) && isCount(b);
      return unknown(`${name} ${[keyOf(a), keyOf(b)].sort().join(" ")}`, positive ? "count" : "number");
    };

  return {
    unknown,
    add: (a, b) => combine(a, b, 1),
    subtract: (a, b) => combine(a, b, -1),
    multiply,
    exact,
    floorDivide,
    max: extreme("max"),
    min: extreme("min"),
    compare,
    isWhole,
    isCount,
  };
}
