/**
 * Channels that stand on several axes between two Reshapes: the heads of attention, branches beside each other, the
 * groups of a shuffle. Operators hand them on as they are, or whole places of one axis stay or go.
 */
import type { Node } from "../network.ts";
import { freeze, label, shapeOf, type Coupler } from "./coupler.ts";
import type { Layout, Spread } from "./types.ts";

/** How far apart neighbours along each axis stand, row-major. */
export function stridesOf(dims: readonly number[]): number[] {
  const strides = dims.map(() => 1);
  for (let i = dims.length - 2; i >= 0; i--) strides[i] = strides[i + 1] * dims[i + 1];
  return strides;
}

/** Index along one factor of every channel, row-major over all. */
function placesAlong({ dims, atoms }: Spread, factor: number): Int32Array {
  const stride = stridesOf(dims)[factor];
  return atoms.map((_, flat) => Math.floor(flat / stride) % dims[factor]);
}

/** One channel for each of `size` places. */
function firstOf({ atoms }: Spread, places: Int32Array, size: number): Int32Array {
  const first = new Int32Array(size);
  for (let flat = atoms.length - 1; flat >= 0; flat--) first[places[flat]] = atoms[flat];
  return first;
}

/** The factors in another order, and on other axes. */
export function moved(spread: Spread, axisOf: (axis: number) => number): Spread {
  // source[i] is the factor that comes i-th afterwards.
  const placed = spread.axes.map((axis, factor) => ({ axis: axisOf(axis), factor }));
  placed.sort((one, other) => one.axis - other.axis);
  const dims = placed.map(({ factor }) => spread.dims[factor]);
  const strides = stridesOf(spread.dims);
  const size = spread.atoms.length;
  const from = new Int32Array(size);
  for (let flat = 0; flat < size; flat++) {
    let rest = flat;
    for (let i = dims.length - 1; i >= 0; i--) {
      from[flat] += (rest % dims[i]) * strides[placed[i].factor];
      rest = Math.floor(rest / dims[i]);
    }
  }
  const { origin } = spread;
  return {
    axes: placed.map(({ axis }) => axis),
    dims,
    atoms: from.map((flat) => spread.atoms[flat]),
    ...(origin && { origin: { ...origin, positions: from.map((flat) => origin.positions[flat]) } }),
  };
}

/** Says where the channels of a value stand; one axis is enough where the others have a single place. */
export function putSpread(coupler: Coupler, value: string, spread: Spread): void {
  if (spread.axes.length === 1) coupler.layouts.set(value, { axis: spread.axes[0], atoms: spread.atoms });
  else coupler.spreads.set(value, spread);
}

/** What an operator that works on every number by itself makes of them: the same places, other numbers. */
export function handOn(coupler: Coupler, node: Node, spread: Spread): void {
  const { axes, dims, atoms } = spread;
  for (const output of node.outputs) if (output !== "") putSpread(coupler, output, { axes, dims, atoms });
}

/** Brings the channels down to one axis: what stands at the same place of it stays or goes together. */
function settle(coupler: Coupler, node: Node, value: string, axis: number): Layout | undefined {
  const spread = coupler.spreads.get(value);
  const factor = spread?.axes.indexOf(axis) ?? -1;
  if (!spread || factor < 0) return undefined;
  const places = placesAlong(spread, factor);
  const first = firstOf(spread, places, spread.dims[factor]);
  const because = `${label(node)}, which reads them on several axes`;
  coupler.atoms.tie(
    places.map((place) => first[place]),
    spread.atoms,
    because,
  );
  coupler.spreads.delete(value);
  const layout = { axis, atoms: first };
  coupler.layouts.set(value, layout);
  return layout;
}

/** Ties what differs in these factors alone; the others are left. Undefined where none is. */
export function collapse(
  coupler: Coupler,
  node: Node,
  spread: Spread,
  gone: (axis: number) => boolean,
): Spread | undefined {
  const left = spread.axes.flatMap((axis, factor) => (gone(axis) ? [] : [factor]));
  if (left.length === 0) return undefined;
  const dims = left.map((factor) => spread.dims[factor]);
  const strides = stridesOf(dims);
  const places = new Int32Array(spread.atoms.length);
  left.forEach((factor, i) => {
    placesAlong(spread, factor).forEach((place, flat) => (places[flat] += place * strides[i]));
  });
  const size = dims.reduce((product, dim) => product * dim, 1);
  const atoms = firstOf(spread, places, size);
  coupler.atoms.tie(
    places.map((place) => atoms[place]),
    spread.atoms,
    `${label(node)}, which puts them together`,
  );
  return { axes: left.map((factor) => spread.axes[factor]), dims, atoms };
}

/**
 * The channels of an input on one axis. Of those that stand on several, the longest axis that the node can live with is
 * taken; where there is none they are frozen.
 */
export function layoutOf(
  coupler: Coupler,
  node: Node,
  input: string | undefined,
  suits: (axis: number) => boolean = () => true,
): Layout | undefined {
  if (input === undefined || input === "") return undefined;
  const spread = coupler.spreads.get(input);
  if (!spread) return coupler.layouts.get(input);
  const [best] = spread.axes
    .map((axis, factor) => ({ axis, size: spread.dims[factor] }))
    .filter(({ axis }) => suits(axis))
    .sort((a, b) => b.size - a.size);
  if (best !== undefined) return settle(coupler, node, input, best.axis);
  freeze(coupler, input, `${label(node)} reads channels that are spread over several axes`);
  return undefined;
}

/** One factor of a product: which of its axes stands for what. */
export interface Term {
  readonly name: string;
  /** A letter for every axis; equal letters run together. */
  readonly letters: readonly string[];
}

/**
 * Products of computed values (attention): channels that run along with the result are followed, those that are summed
 * over stay. What all factors have in common (heads) goes before what one has alone.
 */
export function multiplied(
  coupler: Coupler,
  node: Node,
  terms: readonly Term[],
  result: readonly string[],
): void {
  const refuse = (name: string): void => {
    freeze(coupler, name, `${label(node)} multiplies two computed values`);
  };
  const sizeAlong = ({ name, letters }: Term, letter: string): number =>
    shapeOf(coupler, name)?.[letters.indexOf(letter)] ?? 1;
  const trackedAlong = (name: string): readonly number[] => {
    const layout = coupler.layouts.get(name);
    return coupler.spreads.get(name)?.axes ?? (layout ? [layout.axis] : []);
  };
  const isParameter = (name: string): boolean => coupler.network.parameters.has(name);
  const carriers = (letter: string): readonly Term[] => terms.filter((term) => sizeAlong(term, letter) > 1);
  const follows = (letter: string): boolean =>
    carriers(letter).some(({ name }) => !isParameter(name)) &&
    carriers(letter).every(
      ({ name, letters }) => isParameter(name) || trackedAlong(name).includes(letters.indexOf(letter)),
    );
  const [letter] = result
    .filter((one) => follows(one))
    .sort((a, b) => carriers(b).length - carriers(a).length || result.indexOf(b) - result.indexOf(a));
  const own = letter === undefined ? [] : carriers(letter);
  for (const term of terms) if (!own.includes(term)) refuse(term.name);
  if (letter === undefined) return;
  const layouts = own.flatMap((term) => {
    const axis = term.letters.indexOf(letter);
    const layout = isParameter(term.name)
      ? undefined
      : layoutOf(coupler, node, term.name, (one) => one === axis);
    return layout ? [layout] : [];
  });
  const [{ atoms }] = layouts;
  for (const other of layouts.slice(1)) coupler.atoms.tie(atoms, other.atoms, label(node));
  for (const [input, { name, letters }] of terms.entries()) {
    if (!isParameter(name)) continue;
    const axis = letters.indexOf(letter);
    const axes = own.some((term) => term.name === name) ? [{ axis, atoms }] : [];
    coupler.uses.push({ node: node.name, input, parameter: name, axes });
  }
  coupler.layouts.set(node.outputs[0], { axis: result.indexOf(letter), atoms });
}
