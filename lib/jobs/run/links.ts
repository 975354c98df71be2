/** What a run's page leads to: the other files of its folder, and the call that makes the same once more. */
import { existsSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { isTraining } from "../../record/models.ts";
import type { RunLinks, RunRecord } from "../../record/record.ts";

/** Files that a reader of the page may look for, in this order. */
const shownFiles: readonly (readonly [name: string, what: string])[] = [
  ["report.html", "the report of this run alone"],
  ["pruned.onnx", "the pruned network"],
  ["pruned-onnxruntime.onnx", "the pruned network as a graph that onnxruntime runs faster"],
  ["pruned-int8.onnx", "the pruned network in int8"],
  ["baseline.onnx", "the baseline"],
  ["model.onnx", "the network"],
  ["metrics.json", "the main numbers"],
  ["curves.json", "the characteristic curves"],
  ["plan.json", "what was cut"],
  ["left-out.csv", "pictures that were left out"],
  ["config.json", "the options"],
  ["record.json", "all numbers of this page"],
];

/**
 * A record with its links, for a page: `record.json` has none.
 *
 * @param run the run's folder
 * @param page file of the page: links are relative to it, so that the folder can be moved as a whole
 */
export function withLinks(record: RunRecord, run: string, page: string): RunRecord {
  const way = relative(dirname(resolve(page)), resolve(run))
    .split(sep)
    .filter(Boolean);
  const files = shownFiles.filter(
    ([name]) => existsSync(join(run, name)) && resolve(run, name) !== resolve(page),
  );
  const links: RunLinks = {
    files: files.map(([name, what]) => ({
      name,
      what,
      href: [...way, name].map(encodeURIComponent).join("/"),
    })),
    repeat: repeatCall(isTraining(record) ? "train" : "prune"),
  };
  return { ...record, links };
}

/** The run's options stand in its folder. The call names no place, so that a page that is made again elsewhere is the same. */
function repeatCall(command: "prune" | "train"): string {
  return `etl ${command} --config config.json --out ../again`;
}
