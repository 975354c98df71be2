/** From what the taps want to which coupling classes stay. */
import type { GroupSelect } from "../core/artifacts.ts";
import { EtlError, nearest } from "../core/errors.ts";
import type { Coupling } from "../network/coupling/types.ts";
import type { Network } from "../network/network.ts";

/** The classes that stay. */
export interface Choice {
  /** 1 = stays, [classes] */
  readonly keep: Uint8Array;
  /** 1 = some tap speaks for the class, [classes] */
  readonly asked: Uint8Array;
  /** Channels of classes that rounding added, and that it took; none where nothing was rounded. */
  readonly rounded: { readonly added: number; readonly taken: number };
  /** Classes that no tap wanted, but that stay because of a minimum, a multiple or the caller's list. */
  readonly held: ReadonlyMap<number, string>;
}

interface ChooseOptions {
  readonly selection: ReadonlyMap<string, Uint32Array>;
  readonly groupSelect?: GroupSelect;
  readonly minFilters?: number;
  readonly roundTo?: number;
  readonly rounding?: "up" | "nearest";
  readonly classScores?: Float64Array;
  readonly frozen?: Iterable<string>;
  readonly scores?: ReadonlyMap<string, ArrayLike<number>>;
  readonly exact?: boolean;
}

/** Decides for every class. See `planSurgery` for the options. */
export function chooseClasses(network: Network, coupling: Coupling, options: ChooseOptions): Choice {
  const { groupSelect = "union", minFilters = 1, roundTo = 1, rounding = "up" } = options;
  for (const [name, value] of [["minFilters", minFilters] as const, ["roundTo", roundTo] as const]) {
    if (!Number.isInteger(value) || value < 1) {
      throw new EtlError("usage", `plan: ${name} is ${value}, a whole number of at least 1 was needed`);
    }
  }
  const resolve = createResolver(network, coupling);
  const score = options.classScores ?? largestScores(coupling, options.scores, resolve);
  const { keep, asked } = hear(coupling, { selection: options.selection, groupSelect, resolve, score });
  const held = new Map<number, string>();
  const hold = (id: number, because: string): void => {
    if (keep[id] === 1) return;
    keep[id] = 1;
    held.set(id, because);
  };
  for (const id of coupling.frozen.keys()) keep[id] = 1;
  for (const name of options.frozen ?? []) {
    for (const atom of resolve(name).atoms) hold(coupling.classOf[atom], `${name} is kept whole on request`);
  }
  const fill = (atoms: Int32Array, needed: number, because: string): void => {
    const classes = Array.from(atoms, (atom) => coupling.classOf[atom]);
    let kept = classes.filter((id) => keep[id] === 1).length;
    if (kept >= needed) return;
    const rest = Array.from(new Set(classes.filter((id) => keep[id] === 0)));
    rest.sort((a, b) => score[b] - score[a] || a - b);
    for (const id of rest) {
      if (kept >= needed) break;
      hold(id, because);
      kept += classes.filter((other) => other === id).length;
    }
  };
  const atLeast = `at least ${minFilters} of every layer stay`;
  if (options.exact !== true) {
    for (const { outputs } of coupling.layers) fill(outputs, Math.min(minFilters, outputs.length), atLeast);
    for (const { atoms } of coupling.layouts.values()) fill(atoms, 1, "a value cannot lose all its channels");
  }
  const rounded = { added: 0, taken: 0 };
  if (roundTo > 1) {
    for (const { classes, unit } of blocksOf(coupling, roundTo)) {
      const kept = classes.filter((id) => keep[id] === 1);
      const mayGo = kept.filter((id) => !coupling.frozen.has(id) && !held.has(id));
      const target = roundedWidth(
        { kept: kept.length, total: classes.length, unit, fixed: kept.length - mayGo.length },
        rounding,
      );
      const best = (a: number, b: number): number => score[b] - score[a] || a - b;
      const rest = classes.filter((id) => keep[id] === 0).sort(best);
      for (const id of rest.slice(0, Math.max(0, target - kept.length)))
        hold(id, `rounded up to a multiple of ${roundTo}`);
      const leaving = mayGo.sort(best).slice(mayGo.length - Math.max(0, kept.length - target));
      for (const id of leaving) keep[id] = 0;
      rounded.added += Math.max(0, target - kept.length);
      rounded.taken += leaving.length;
    }
  }
  return { keep, asked, held, rounded };
}

/**
 * The width that a block of classes gets.
 *
 * @param fixed how many of the kept ones must stay
 */
function roundedWidth(
  { kept, total, unit, fixed }: { kept: number; total: number; unit: number; fixed: number },
  rounding: "up" | "nearest",
): number {
  if (kept === total || kept === 0) return kept;
  const up = Math.min(total, Math.ceil(kept / unit) * unit);
  if (rounding === "up") return up;
  const nearest = Math.min(total, Math.max(1, Math.round(kept / unit)) * unit);
  return nearest < fixed ? up : nearest;
}

interface Spoken {
  readonly atoms: Int32Array;
  /** Position of the value in the network: a larger one lies deeper. */
  readonly depth: number;
}

/** Finds the channels behind the name of a value or of a layer. */
function createResolver(network: Network, coupling: Coupling): (name: string) => Spoken {
  const depthOf = new Map<string, number>();
  for (const [i, node] of network.nodes.entries()) for (const output of node.outputs) depthOf.set(output, i);
  return (name) => {
    const value = coupling.layers.find((layer) => layer.name === name)?.output ?? name;
    const depth = depthOf.get(value);
    if (depth === undefined && !network.inputs.some((input) => input.name === value)) {
      const near = nearest(name, depthOf.keys());
      throw new EtlError("usage", `plan: the network has no value or layer "${name}", a tap was needed`, {
        hint: near === undefined ? undefined : `did you mean ${near}?`,
      });
    }
    return { atoms: coupling.layouts.get(value)?.atoms ?? new Int32Array(0), depth: depth ?? -1 };
  };
}

interface Hearing {
  readonly selection: ReadonlyMap<string, Uint32Array>;
  readonly groupSelect: GroupSelect;
  readonly resolve: (name: string) => Spoken;
  readonly score: Float64Array;
}

function hear(
  coupling: Coupling,
  { selection, groupSelect, resolve, score }: Hearing,
): { readonly keep: Uint8Array; readonly asked: Uint8Array } {
  const keep = new Uint8Array(coupling.classes).fill(1);
  const asked = new Uint8Array(coupling.classes);
  const spoken = Array.from(selection, ([name, wanted]) => ({ name, wanted, ...resolve(name) }));
  spoken.sort((a, b) => a.depth - b.depth);
  for (const { name, wanted, atoms } of spoken) {
    if (atoms.length === 0) continue;
    const beyond = wanted.find((channel) => channel >= atoms.length);
    if (beyond !== undefined) {
      throw new EtlError("usage", `plan: ${name} is asked for channel ${beyond}, it has ${atoms.length}`);
    }
    const wantedHere = wantedClasses(coupling, atoms, wanted, score);
    for (const atom of atoms) {
      const id = coupling.classOf[atom];
      const before = asked[id] === 1 && groupSelect !== "last" ? keep[id] : 0;
      keep[id] = wantedHere.has(id) ? 1 : before;
    }
    for (const atom of atoms) asked[coupling.classOf[atom]] = 1;
  }
  return { keep, asked };
}

/**
 * The classes a tap wants. Where it sees a class at several positions (grouped convolutions), it gets the classes with
 * the largest share of wanted positions (then the best score), until it has as many channels as it asked for.
 */
function wantedClasses(
  coupling: Coupling,
  atoms: Int32Array,
  wanted: Uint32Array,
  score: Float64Array,
): Set<number> {
  const shares = new Map<number, { id: number; wanted: number; total: number }>();
  for (const atom of atoms) {
    const id = coupling.classOf[atom];
    const share = shares.get(id);
    if (share) share.total++;
    else shares.set(id, { id, wanted: 0, total: 1 });
  }
  for (const channel of wanted) {
    const share = shares.get(coupling.classOf[atoms[channel]]);
    if (share) share.wanted++;
  }
  const ordered = [...shares.values()].filter((share) => share.wanted > 0);
  ordered.sort((a, b) => b.wanted / b.total - a.wanted / a.total || score[b.id] - score[a.id] || a.id - b.id);
  const chosen = new Set<number>();
  let channels = 0;
  for (const { id, total } of ordered) {
    if (channels >= wanted.length) break;
    chosen.add(id);
    channels += total;
  }
  return chosen;
}

/** Scores of channels as scores of classes, [classes]: the largest that a tap or layer gives any of a class's channels. */
export function classScoresOf(
  network: Network,
  coupling: Coupling,
  scores: ReadonlyMap<string, ArrayLike<number>>,
): Float64Array {
  return largestScores(coupling, scores, createResolver(network, coupling));
}

function largestScores(
  coupling: Coupling,
  scores: ReadonlyMap<string, ArrayLike<number>> | undefined,
  resolve: (name: string) => Spoken,
): Float64Array {
  const score = new Float64Array(coupling.classes).fill(-Infinity);
  for (const [name, values] of scores ?? []) {
    for (const [i, atom] of resolve(name).atoms.entries()) {
      const id = coupling.classOf[atom];
      score[id] = Math.max(score[id], values[i]);
    }
  }
  return score.map((value) => (value === -Infinity ? -1e300 : value));
}

/** Marks the `count` classes with the highest scores; of equal ones those that come first. */
export function markBest(
  stays: Uint8Array,
  classes: readonly number[],
  score: Float64Array,
  count: number,
): void {
  const ranked = [...classes].sort((a, b) => score[b] - score[a] || a - b);
  for (const id of ranked.slice(0, count)) stays[id] = 1;
}

/** For every layer the channels of the classes that stay. */
export function selectionOf(coupling: Coupling, stays: Uint8Array): Map<string, Uint32Array> {
  return new Map(
    coupling.layers.map(({ name, outputs }) => [
      name,
      Uint32Array.from(Array.from(outputs.keys()).filter((i) => stays[coupling.classOf[outputs[i]]] === 1)),
    ]),
  );
}

/** Classes that stand in exactly the same layers, equally often: choosing among them changes no layer's count. */
export interface ClassBlock {
  readonly classes: readonly number[];
  /** Layers whose outputs hold them. */
  readonly layers: readonly string[];
  /** Number of classes that make a multiple of `roundTo` channels in each of the layers. */
  readonly unit: number;
}

/**
 * Classes that stand equally often in the outputs and inputs of every layer and in every parameter that is cut along: any of
 * them can take another's place, and the network keeps its shape and cost. Classes that no layer makes are left out.
 */
export function interchangeable(coupling: Coupling): number[][] {
  const standing = new Map<number, string[]>();
  const stand = (atoms: Int32Array, place: string): void => {
    for (const atom of atoms) standing.get(coupling.classOf[atom])?.push(place);
  };
  for (const { outputs } of coupling.layers)
    for (const atom of outputs) standing.set(coupling.classOf[atom], []);
  for (const [i, { outputs, inputs }] of coupling.layers.entries()) {
    stand(outputs, `o${i}`);
    stand(inputs, `i${i}`);
  }
  for (const [i, { axes }] of coupling.uses.entries()) {
    for (const { axis, atoms } of axes) stand(atoms, `p${i}.${axis}`);
  }
  const blocks = new Map<string, number[]>();
  for (const [id, places] of standing) {
    const key = places.sort().join(" ");
    blocks.set(key, [...(blocks.get(key) ?? []), id]);
  }
  return Array.from(blocks.values(), (ids) => ids.sort((a, b) => a - b));
}

/** Partitions the classes that layers make into blocks. */
export function blocksOf(coupling: Coupling, roundTo = 1): ClassBlock[] {
  const standing = new Map<number, Map<number, number>>();
  for (const [i, { outputs }] of coupling.layers.entries()) {
    for (const atom of outputs) {
      const id = coupling.classOf[atom];
      const counts = standing.get(id) ?? new Map<number, number>();
      counts.set(i, (counts.get(i) ?? 0) + 1);
      standing.set(id, counts);
    }
  }
  const blocks = new Map<string, { classes: number[]; layers: number[]; counts: number[] }>();
  for (const [id, counts] of standing) {
    const key = Array.from(counts, (pair) => pair.join("x")).join(" ");
    const block = blocks.get(key);
    if (block) block.classes.push(id);
    else blocks.set(key, { classes: [id], layers: [...counts.keys()], counts: [...counts.values()] });
  }
  return Array.from(blocks.values(), ({ classes, layers, counts }) => ({
    classes: classes.sort((a, b) => a - b),
    layers: layers.map((i) => coupling.layers[i].name),
    unit: counts.map((count) => roundTo / gcd(roundTo, count)).reduce((a, b) => (a * b) / gcd(a, b), 1),
  }));
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
