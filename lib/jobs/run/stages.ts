/** The stages that a run folder remembers: what follows what, which files they left, whether these are whole. */
import { damageOf, sealOf, type Seal } from "../../core/seal.ts";
import type { RunState, StageState } from "./state.ts";

/** Stages that count no longer once `name` is made anew: those made from it, those made from these, and so on. */
export function laterStages(stages: RunState["stages"], name: string): string[] {
  const gone = new Set([name]);
  // A stage that was made again stands behind some that are made from it: one pass is not enough.
  for (let before = 0; before < gone.size;) {
    before = gone.size;
    for (const [stage, { from = [] }] of Object.entries(stages))
      if (from.some((each) => gone.has(each))) gone.add(stage);
  }
  gone.delete(name);
  return [...gone];
}

/** The first file of a finished stage that is not what the stage has written, and what became of it. */
export async function damageAmong(
  files: readonly string[],
  { seals = {} }: Pick<StageState, "seals">,
  file: (name: string) => string,
): Promise<string | undefined> {
  const known = new Map(Object.entries(seals));
  for (const name of files) {
    const damage = await damageOf(file(name), known.get(name));
    if (damage !== undefined) return `${file(name)} ${damage}`;
  }
  return undefined;
}

export async function sealsOf(
  files: readonly string[],
  file: (name: string) => string,
): Promise<Record<string, Seal>> {
  const seals: [string, Seal][] = [];
  for (const name of files) seals.push([name, await sealOf(file(name))]);
  return Object.fromEntries(seals);
}

export function filesOf(stages: RunState["stages"]): string[] {
  return Object.values(stages).flatMap(({ files }) => files);
}

/** Files of earlier stages that no stage of now has written again. */
export function staleFiles(
  before: readonly string[],
  more: readonly string[],
  stages: RunState["stages"],
): { readonly stale?: readonly string[] } {
  const current = new Set(filesOf(stages));
  const stale = [...new Set([...before, ...more])].filter((name) => !current.has(name));
  return stale.length > 0 ? { stale } : {};
}
