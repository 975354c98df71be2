/** The stages that a run folder remembers: what follows what, which files they left, whether these are whole. */
import { damageOf, sealOf, type Seal } from "../../core/seal.ts";
import type { RunState, StageState } from "./state.ts";

/** What goes with a stage whose inputs changed. `surgery:l1` stands where `surgery` does. */
const measured = ["int8", "evaluate", "profile", "report"];
const followers = new Map<string, readonly string[]>(
  Object.entries({
    harvest: ["curves", "responses", "target", "plan", "surgery", "baseline", "finetune", ...measured],
    curves: ["target", "plan", "surgery", "finetune", ...measured],
    table: ["target", "plan", "surgery", "finetune", ...measured],
    target: ["plan", "surgery", "finetune", ...measured],
    plan: ["surgery", "finetune", ...measured],
    surgery: ["finetune", ...measured],
    baseline: measured,
    finetune: measured,
    int8: ["evaluate", "profile", "report"],
    evaluate: ["report"],
    profile: ["report"],
  }),
);

/** Stages that count no longer once `name` is made anew. */
export function laterStages(stages: RunState["stages"], name: string): string[] {
  const later = followers.get(baseOf(name)) ?? [];
  return Object.keys(stages).filter((stage) => later.includes(baseOf(stage)));
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
  return { stale };
}

/** `surgery:l1` -> `surgery`. */
export function baseOf(stage: string): string {
  return stage.split(":")[0] ?? stage;
}
