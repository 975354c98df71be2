/** Stage graph: a finished network as the graph that onnxruntime runs faster, where there is one. */
import { writeJson, writeWhole } from "../../core/files.ts";
import { onnxruntime } from "../../engine/engine.ts";
import { writeOnnx } from "../../formats/onnx/write.ts";
import { foldBatchNorm } from "../../network/fold-batch-norm.ts";
import { formName } from "../../record/models.ts";
import { breaksBlocks, fastestForm } from "../run/graph.ts";
import { networkIn } from "../run/model.ts";
import { readStored } from "../run/stored.ts";
import type { RunContext } from "./context.ts";
import type { MeasuredModel } from "./record.ts";

/** A graph is worth a file of its own where it takes less than this share of the time. */
const WORTH = 0.95;

/** What `NAME-onnxruntime.json` keeps: what was measured decides once. */
interface Decision {
  readonly written: boolean;
  readonly said: string;
}

/**
 * The network of `NAME.onnx` with the same function in the form that is faster here, `NAME-onnxruntime.onnx`. The plain file stays
 * what is read again.
 *
 * @returns none where no form is faster by a twentieth, or where the engine is another
 */
export async function graphStage(
  context: RunContext,
  { name, title, network, stage = name }: MeasuredModel,
): Promise<MeasuredModel[]> {
  const { folder, config, timer, progress, signal } = context;
  if (timer.name !== onnxruntime || !breaksBlocks(network)) return [];
  const own = formName(name, "onnxruntime");
  const [file, record] = [`${own}.onnx`, `${own}.json`];
  const writing = `graph:${name}`;
  await folder.stage(writing, {
    from: [stage],
    measures: true,
    inputs: { key: folder.state().stages[stage]?.key },
    files: [record],
    maybe: [file],
    produce: async () => {
      const found = await fastestForm(timer, foldBatchNorm(network), { runs: config.runs, signal });
      const written = found.share < WORTH;
      if (written) await writeWhole(folder.file(file), writeOnnx(found.network));
      const taken = written ? `${file} is ${found.name}` : "no other graph is worth a file";
      await writeJson(folder.file(record), {
        written,
        said: `${name}: ${found.said}; ${taken}`,
      } satisfies Decision);
    },
  });
  const { written, said } = await readStored<Decision>(folder, record, "graph");
  progress.note(said);
  if (!written) return [];
  const made = await networkIn(folder, file);
  return [
    {
      ...{ name: own, stage: writing, title: `${title}, graph for onnxruntime` },
      ...{ file, network: made, history: [] },
    },
  ];
}
