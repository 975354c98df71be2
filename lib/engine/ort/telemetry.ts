/**
 * onnxruntime 1.29 and later report on their use: on Linux and macOS a device id and a queue of events in the user's cache
 * folder, with what the metadata of a model say (here the data set, the label column and the names of classes), to be
 * sent out. It reads its opt-out from the environment of the process, once, when its library is loaded.
 */
import { createRequire } from "node:module";
import { sep } from "node:path";
import { isMainThread } from "node:worker_threads";

/** onnxruntime's own switch. A value of yours is left as it is, an empty one says nothing. */
const variable = "ORT_DISABLE_TELEMETRY";

let told = false;

/**
 * Switches the reports of onnxruntime off for this process, before its library is loaded. Says so where that cannot work:
 * where somebody else has loaded it before, or in a thread whose environment is a copy that native code does not see.
 */
export function withoutTelemetry(): void {
  if ((process.env[variable] ?? "") !== "") return;
  const late = isLoaded();
  if (isMainThread) process.env[variable] = "1";
  const found = late
    ? "onnxruntime-node was loaded before etl-prune"
    : isMainThread
      ? undefined
      : "etl-prune was first used in a worker thread, whose environment is a copy";
  if (found === undefined || told) return;
  told = true;
  process.emitWarning(
    `${found}: onnxruntime's own telemetry could not be switched off. Start the process with ${variable}=1.`,
    { type: "EtlWarning", code: "ETL_TELEMETRY" },
  );
}

/** Whether this thread has loaded onnxruntime's binding: it is a CommonJS package, whoever imports it. */
function isLoaded(): boolean {
  const { cache } = createRequire(import.meta.url);
  return Object.keys(cache).some((file) => file.includes(`${sep}onnxruntime-node${sep}dist${sep}`));
}
