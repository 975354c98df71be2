/** Settings of a training that its tasks would ignore. */
import { subjectiveAmong } from "../../backbones/nets/dmm-cnn.ts";
import type { Task } from "../../core/artifacts.ts";
import { EtlError } from "../../core/errors.ts";
import { changesAsked, type TrainConfig } from "./config.ts";

/**
 * Settings that these tasks would ignore, refused before a picture is decoded.
 *
 * @throws EtlError `usage` that names option, task and what was needed
 */
export function checkSettings(config: TrainConfig, tasks: readonly Task[]): void {
  const [task] = tasks;
  const { lossWeights, heads, groups } = config;
  const refuse = (option: string, found: string, needed: string): never => {
    throw new EtlError("usage", `--${option}: ${found}, ${needed} was needed`);
  };
  const yesNo = task.kind === "multi-label" || task.kind === "binary";
  const kind = `task ${task.name} is ${task.kind}`;
  if (!yesNo && config.positiveWeight) refuse("positive-weight", kind, "yes/no labels");
  if (!yesNo && config.thresholds === "adaptive") refuse("thresholds adaptive", kind, "yes/no labels");
  if (!yesNo && lossWeights !== "equal") refuse(`loss-weights ${lossWeights}`, kind, "yes/no labels");
  const alone = `task ${task.name} has one output`;
  const compared = lossWeights !== "equal" && lossWeights !== "dynamic";
  if (compared && task.outputs === 1) refuse(`loss-weights ${lossWeights}`, alone, "one of several labels");
  if (heads === "forty" && task.outputs === 1) refuse("heads forty", alone, "a task with several");
  if (!groups && subjectiveAmong(task.classes).length === 0)
    refuse("no-groups", `task ${task.name} has no subjective attributes, so no groups`, "task attributes");
  const besideLandmarks = tasks.some((other, k) => k > 0 && other.unit === "crop");
  const [changed] = besideLandmarks ? changesAsked(config) : [];
  if (changed !== undefined)
    refuse(changed, `${config[changed]}, and pictures stay as they are beside landmarks`, "--no-landmarks");
}
