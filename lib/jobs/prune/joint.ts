/** Joint paths: one group LASSO for all taps that share coupled channels (`--group-select joint`). */
import { plural } from "../../core/printable.ts";
import type { Curve, TapMoments } from "../../core/artifacts.ts";
import { centre, mergeMoments } from "../../math/moments.ts";
import type { Progress } from "../../core/progress.ts";
import { jointPath } from "../../lasso/joint.ts";
import type { Coupling } from "../../network/coupling/types.ts";

/** The curves, with a joint path on every tap that shares classes with another. */
export async function withJointPaths(
  coupling: Coupling,
  curves: readonly Curve[],
  { moments, progress }: { readonly moments: readonly TapMoments[]; readonly progress: Progress },
): Promise<Curve[]> {
  const classesOf = curves.map(({ tap, total }) => {
    const atoms = coupling.layouts.get(tap)?.atoms ?? new Int32Array(0);
    return atoms.length === total ? Int32Array.from(atoms, (atom) => coupling.classOf[atom]) : undefined;
  });
  const joined = [...curves];
  const groups = groupTaps(classesOf).filter((group) => group.length > 1);
  if (groups.length > 0) progress.start("joint LASSO paths", groups.length);
  for (const [done, group] of groups.entries()) {
    const numbers = new Map<number, number>();
    const members = group.map((t) => ({
      moments: centre(mergeMoments(moments[t].folds)),
      classOf: Int32Array.from(classesOf[t] ?? [], (id) => {
        const known = numbers.get(id) ?? numbers.size;
        numbers.set(id, known);
        return known;
      }),
    }));
    const path = jointPath(members, numbers.size);
    group.forEach((t, i) => {
      joined[t] = { ...curves[t], joint: { path, classOf: members[i].classOf } };
    });
    progress.update(done + 1);
    await new Promise((resolve) => setImmediate(resolve)); // lets Ctrl-C and the progress line through
  }
  if (groups.length > 0) progress.finish(`${plural(groups.length, "group")} of taps`);
  return joined;
}

/** Taps that share a class, directly or through others. */
function groupTaps(classesOf: readonly (Int32Array | undefined)[]): number[][] {
  const groups: { taps: number[]; classes: Set<number> }[] = [];
  for (const [tap, classes] of classesOf.entries()) {
    if (classes === undefined) continue;
    const touching = groups.filter((group) => classes.some((id) => group.classes.has(id)));
    const merged = {
      taps: [...touching.flatMap(({ taps }) => taps), tap],
      classes: new Set([...touching.flatMap((group) => [...group.classes]), ...classes]),
    };
    for (const group of touching) groups.splice(groups.indexOf(group), 1);
    groups.push(merged);
  }
  return groups.map(({ taps }) => taps);
}
