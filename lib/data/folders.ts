/** Whether the names of folders are what a task asks for. */
import { EtlError } from "../core/errors.ts";
import { isKnownClass } from "./classes.ts";
import type { RawTable } from "./dataset.ts";
import { insteadOf, oneFolderHint } from "./sources/lists.ts";
import type { TaskPlan } from "./tasks.ts";

/** @throws EtlError where nobody said that the folders are the classes, and they need not be */
export function checkFolders(table: RawTable, plan: TaskPlan, present: readonly string[]): void {
  const { spec } = plan;
  if (plan.asked || plan.declared.values !== undefined) return;
  const areKnown = present.some((value) => isKnownClass(spec.name, value));
  const hasNames = spec.name === "gender" || spec.name === "emotion";
  const { doubt } = table;
  if (doubt !== undefined && (doubt.always === true || !(hasNames && areKnown)))
    throw new EtlError("data", `--task ${spec.name}: ${doubt.found}: classes at one place were needed`, {
      hint: doubt.hint,
    });
  if (areKnown) return;
  const some = present.slice(0, 8).join(", ");
  throw new EtlError(
    "data",
    `--task ${spec.name}: none of the ${present.length} folder names (${some}) is a known ${spec.title}, folders named after classes were needed`,
    {
      hint:
        present.length === 1
          ? oneFolderHint(table, present[0])
          : `${insteadOf(table)}, or say that the folders are the classes with --label class`,
    },
  );
}
