/** Whether a run that is asked for is the one that is there. */
import { canonical } from "../../core/fingerprint.ts";
import { aimNames } from "./options.ts";
import type { RunState } from "./state.ts";

/** Options that say where and how a run computes and what it shows, not what comes out. */
const placeOptions = new Set([
  ...["out", "cacheDir", "threads", "engine", "device", "strict", "withImages", "runs"],
  // More of these stand beside what is there.
  ...["controls", "backbones", "int8", "int8For", "int8Tolerance"],
]);

/** What a configuration asks for otherwise than the one before, "gamma 0.2 (it has 0.1)". */
export function differences(
  before: Readonly<Record<string, unknown>>,
  now: Readonly<Record<string, unknown>>,
): string[] {
  // A target has chosen a gamma, which was written into the configuration.
  const aimed = aimNames.some((name) => now[name] !== undefined);
  const said = (value: unknown): string => (value === undefined ? "none" : canonical(value));
  return [...new Set([...Object.keys(before), ...Object.keys(now)])]
    .filter((name) => !placeOptions.has(name) && !(aimed && name === "gamma"))
    .filter((name) => Object.hasOwn(before, name) || aimNames.some((aim) => aim === name)) // an option that the older run did not have yet
    .filter((name) => canonical(before[name]) !== canonical(now[name]))
    .map((name) => `${name} ${said(now[name])} (it has ${said(before[name])})`);
}

/** Whether options are those of the run before; a finished one may have been moved, or be called by another path. */
export function isSameConfig({ config, status }: RunState, now: RunState["config"]): boolean {
  const out = status === "finished" ? { out: config["out"] } : {};
  return canonical(config) === canonical({ ...now, ...out });
}

/** Whether nothing happened: a finished run that was asked for again. */
export function isSameRun(previous: RunState, done: RunState): boolean {
  return (
    previous.status === "finished" &&
    canonical(previous.stages) === canonical(done.stages) &&
    (previous.results === undefined || canonical(previous.results) === canonical(done.results)) &&
    differences(previous.config, done.config).length === 0
  );
}
