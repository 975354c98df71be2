/** Union-find over channel atoms, with the reason of every tie and of every freeze. */
import { needWithin } from "../../core/budget.ts";
import type { Tie } from "./types.ts";

/** A growing set of atoms. */
export interface Atoms {
  /** New atoms, each a class of its own. */
  fresh(count: number): Int32Array;
  /** Ties atoms pairwise. Both arrays have the same length. */
  tie(a: Int32Array, b: Int32Array, because: string): void;
  /** The classes of these atoms can never be removed. The first reason of a class stays. */
  freeze(atoms: Int32Array, because: string): void;
  /** Numbers the classes in the order of their first atom. */
  close(): ClosedAtoms;
}

/** The classes that came out. */
interface ClosedAtoms {
  readonly classOf: Int32Array;
  readonly classes: number;
  readonly frozen: ReadonlyMap<number, string>;
  readonly ties: readonly Tie[];
  readonly reasons: readonly string[];
}

/** An empty set of atoms. */
export function createAtoms(): Atoms {
  const parent: number[] = [];
  const frozenBy = new Map<number, string>();
  const ties: Tie[] = [];
  const reasons: string[] = [];
  const reasonIds = new Map<string, number>();

  const find = (atom: number): number => {
    let root = atom;
    while (parent[root] !== root) root = parent[root];
    while (parent[atom] !== root) [atom, parent[atom]] = [parent[atom], root];
    return root;
  };
  const reasonId = (text: string): number => {
    let id = reasonIds.get(text);
    if (id === undefined) {
      id = reasons.push(text) - 1;
      reasonIds.set(text, id);
    }
    return id;
  };
  const join = (a: number, b: number, why: string): void => {
    const [rootA, rootB] = [find(a), find(b)];
    if (rootA === rootB) return;
    const [low, high] = rootA < rootB ? [rootA, rootB] : [rootB, rootA];
    parent[high] = low;
    const frozen = frozenBy.get(low) ?? frozenBy.get(high);
    if (frozen !== undefined) frozenBy.set(low, frozen);
    ties.push({ a, b, why: reasonId(why) });
  };

  return {
    fresh: (count) => {
      needWithin("the network", "channels", parent.length + count);
      const start = parent.length;
      for (let i = 0; i < count; i++) parent.push(start + i);
      return Int32Array.from({ length: count }, (_, i) => start + i);
    },
    tie: (a, b, because) => {
      for (let i = 0; i < a.length; i++) join(a[i], b[i], because);
    },
    freeze: (atoms, because) => {
      for (const atom of atoms) {
        const root = find(atom);
        if (!frozenBy.has(root)) frozenBy.set(root, because);
      }
    },
    close: () => {
      const classOf = new Int32Array(parent.length);
      const classOfRoot = new Map<number, number>();
      for (let atom = 0; atom < parent.length; atom++) {
        const root = find(atom);
        let id = classOfRoot.get(root);
        if (id === undefined) classOfRoot.set(root, (id = classOfRoot.size));
        classOf[atom] = id;
      }
      const frozen = new Map<number, string>();
      for (const [root, reason] of frozenBy) frozen.set(classOf[root], reason);
      return { classOf, classes: classOfRoot.size, frozen, ties, reasons };
    },
  };
}
