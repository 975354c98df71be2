/**
 * Cuts every model file of a folder to half at random, three times, and checks the written files from outside:
 *
 *     npx tsx test/bench/cut.ts FOLDER [NAME] > rows.md
 *
 * One table row per file: largest difference between the cut file and the original file with masked inputs (relative
 * to the output), MACs, parameters, bytes and median CPU time that are left (interleaved runs, batch 1), layers that
 * stay whole with the reasons; or why the file was refused.
 */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { readModel } from "../../lib/backbones/read-model.ts";
import { messageOf } from "../../lib/core/errors.ts";
import { readJson } from "../../lib/core/files.ts";
import { cutModel } from "../../lib/jobs/cut/cut.ts";
import { maskByPlan, type PlanEntry } from "../support/file-mask.ts";
import { randomInputs, relativeDifference, run } from "../support/run.ts";

const [folder = ".", only = ""] = process.argv.slice(2);
const files = (await readdir(folder, { recursive: true }))
  .filter((name) => name.endsWith(".onnx") && name.includes(only))
  .sort();
const scratch = await mkdtemp(join(tmpdir(), "etl-cut-"));
const [out, planOut] = [join(scratch, "cut.onnx"), join(scratch, "plan.json")];
const percent = (a: number, b: number): string => `${((100 * a) / b).toFixed(1)} %`;

console.log("| model | difference | MACs | parameters | file | CPU time | stay whole |");
console.log("|---|---|---|---|---|---|---|");
for (const file of files) {
  const model = join(folder, file);
  const name = relative(folder, model);
  try {
    console.log(`| ${name} | ${await row(model)} |`);
  } catch (error) {
    console.log(`| ${name} | refused: ${messageOf(error)} | | | | | |`);
  }
}
await rm(scratch, { recursive: true });

async function row(model: string): Promise<string> {
  let worst = 0;
  let cells: string[] = [];
  for (const seed of [0, 1, 2]) {
    const result = await cutModel({
      ...{ model, out, planOut, criterion: "random", keep: 0.5, seed, check: false },
      ...(seed === 0 ? { runs: 20 } : {}),
    });
    const { layers } = (await readJson(planOut)) as { layers: PlanEntry[] };
    const original = await readModel(model);
    const open = original.inputs.map((input) => ({
      ...input,
      shape: input.shape.map((dim, axis) => (axis > 0 && typeof dim === "string" ? 224 : dim)),
    }));
    const inputs = randomInputs({ ...original, inputs: open }, { batch: 2, seed });
    const expected = await run(maskByPlan(original, layers), inputs);
    worst = Math.max(worst, relativeDifference(await run(await readModel(out), inputs), expected));
    if (seed > 0) continue;
    const { before, after, latency } = result;
    const whole = layers.filter(({ keptOutputs, totalOutputs }) => keptOutputs.length === totalOutputs);
    const reasons = new Map<string, number>();
    for (const { reason = "NO REASON" } of whole) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    const shown = [...reasons].map(([reason, n]) => (n > 1 ? `${n}x ${reason}` : reason));
    cells = [
      ...[percent(after.macs, before.macs), percent(after.params, before.params)],
      percent(after.fileBytes, before.fileBytes),
      latency === undefined ? "-" : percent(latency.after.medianMs, latency.before.medianMs),
      `${whole.length} of ${layers.length}: ${shown.slice(0, 3).join("; ")}${shown.length > 3 ? "; ..." : ""}`,
    ];
  }
  return [worst.toExponential(1), ...cells].join(" | ");
}
