/** Stages evaluate and profile: quality on the test part (touched once), and CPU time. */
import { readJson, writeJson } from "../core/files.ts";
import type { Latency, Metrics } from "../core/record.ts";
import { computeMetrics } from "../evaluate/metrics.ts";
import { profileModels } from "../evaluate/profile.ts";
import type { Network } from "../network/network.ts";
import type { RunContext } from "./context.ts";
import { predictRows } from "./training.ts";

/** A network to be measured, in target units. */
export interface Candidate {
  readonly name: string;
  readonly network: Network;
}

/** Test metrics of one network, and how it compares with the baseline on the same rows. */
export interface Evaluated {
  readonly name: string;
  readonly test: Metrics;
  readonly validation: Metrics;
  readonly versusBaseline?: { readonly difference: number; readonly error: number };
}

/** `evaluation/NAME.json`: metrics, and how right each test row was (0..1), for paired comparisons. */
interface EvaluationFile {
  readonly test: Metrics;
  readonly validation: Metrics;
  readonly right: readonly number[];
}

/** Evaluates a network on validation and test parts; leaves `evaluation/NAME.json`. The baseline comes first. */
export async function evaluateStage(
  context: RunContext,
  { name, network }: Candidate,
  key: unknown,
): Promise<Evaluated> {
  const { folder, progress } = context;
  const fileOf = (model: string): string => `evaluation/${model}.json`;
  await folder.stage(`evaluate:${name}`, {
    inputs: { key },
    files: [fileOf(name)],
    produce: async () => {
      progress.start(`evaluate ${name}`, 2);
      const { test, right } = await measure(context, network, context.rows.test);
      progress.update(1);
      context.signal?.throwIfAborted();
      const { test: validation } = await measure(context, network, context.rows.val);
      const file: EvaluationFile = { test, validation, right: Array.from(right) };
      await writeJson(folder.file(fileOf(name)), file);
      progress.finish(`${(100 * test.accuracy).toFixed(2)} % of ${test.n}`);
    },
  });
  const { test, validation, right } = await readEvaluation(folder.file(fileOf(name)));
  if (name === "baseline") return { name, test, validation };
  const reference = await readEvaluation(folder.file(fileOf("baseline")));
  return { name, test, validation, versusBaseline: paired(right, reference.right) };
}

async function readEvaluation(path: string): Promise<EvaluationFile> {
  return (await readJson(path)) as EvaluationFile;
}

async function measure(
  context: RunContext,
  network: Network,
  rows: Uint32Array,
): Promise<{ test: Metrics; right: Float64Array }> {
  const { task } = context;
  const { predictions, targets, mask } = await predictRows(context, network, rows);
  const q = task.outputs;
  const test = computeMetrics(task, predictions, targets, mask ? { mask } : {});
  // A regression without a tolerance of its own is judged row by row by the one of the whole part.
  const each = test.tolerance === undefined ? task : { ...task, tolerance: test.tolerance };
  const right = new Float64Array(rows.length);
  for (let i = 0; i < rows.length; i++) {
    const part = (data: Float32Array): Float32Array => data.subarray(i * q, (i + 1) * q);
    if (mask && !part(mask).some((known) => known !== 0)) continue;
    const one = computeMetrics(each, part(predictions), part(targets), mask ? { mask: part(mask) } : {});
    right[i] = one.accuracy;
  }
  return { test, right };
}

/**
 * Difference of two accuracies on the same rows, with its standard error from the rows that differ. For one answer a
 * row this is McNemar's: sqrt((gained + lost) / n - difference^2) / sqrt(n).
 */
function paired(
  right: readonly number[],
  reference: readonly number[],
): { difference: number; error: number } {
  const n = right.length;
  let [sum, squares] = [0, 0];
  right.forEach((value, i) => {
    const difference = value - reference[i];
    sum += difference;
    squares += difference * difference;
  });
  const difference = sum / n;
  return { difference, error: Math.sqrt(Math.max(0, squares / n - difference ** 2) / n) };
}

/** CPU time of all networks, interleaved; leaves `latency.json`. */
export async function profileStage(
  context: RunContext,
  candidates: readonly Candidate[],
  key: unknown,
): Promise<Readonly<Record<string, Latency>>> {
  const { folder, config, engine, progress } = context;
  const file = "latency.json";
  await folder.stage("profile", {
    inputs: { key, runs: config.runs, threads: engine.threads, engine: engine.description },
    files: [file],
    produce: async () => {
      progress.start("profile");
      const measured = await profileModels(engine, candidates, { runs: config.runs });
      await writeJson(folder.file(file), Object.fromEntries(measured));
      progress.finish(
        [...measured].map(([name, { medianMs }]) => `${name} ${medianMs.toFixed(2)} ms`).join(", "),
      );
    },
  });
  return (await readJson(folder.file(file))) as Record<string, Latency>;
}
