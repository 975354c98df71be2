/** Stage int8: a finished network in bytes, where that is faster and as good; else the reason why not. */
import { plural } from "../../core/printable.ts";
import { EtlError } from "../../core/errors.ts";
import { writeJson, writeWhole } from "../../core/files.ts";
import { createRandom } from "../../core/random.ts";
import type { Tensors } from "../../engine/engine.ts";
import { profileNetworks } from "../../evaluate/profile.ts";
import { writeOnnx } from "../../formats/onnx/write.ts";
import type { Network } from "../../network/network.ts";
import { rangesOf } from "../../quantize/prepare.ts";
import { quantize, type Quantized } from "../../quantize/quantize.ts";
import { taskQuality } from "../../quantize/quality.ts";
import { formName } from "../../record/models.ts";
import { networkIn } from "../run/model.ts";
import { pictures, type RunContext } from "./context.ts";
import type { MeasuredModel } from "./record.ts";
import { predictRows, qualityOf } from "./tune.ts";
import { readStored } from "../run/stored.ts";

/** Training pictures that the ranges come from, and that last layers are fitted on. */
const CALIBRATION_PICTURES = 512;

/** What `NAME.json` keeps: what was measured decides once, another machine goes on with it. */
type Decision = Omit<Quantized, "network"> & { readonly quantized: boolean };

/** A row of int8, or why there is none. */
export interface Int8 {
  readonly model?: MeasuredModel;
  readonly note: string;
}

/** @throws EtlError `usage` where the engine does not compute on bytes */
export function checkInt8({ config, engine }: Pick<RunContext, "config" | "engine">): void {
  if (!config.int8 || engine.int8) return;
  throw new EtlError("usage", `--int8: the engine ${engine.name}, --engine ort was needed`, {
    hint: "only onnxruntime computes on bytes here",
  });
}

/**
 * One network in bytes, `NAME-int8.onnx`, with what was measured beside it in `NAME-int8.json`.
 */
export async function int8Stage(
  context: RunContext,
  { name, title, network, stage = name }: MeasuredModel,
): Promise<Int8> {
  const { folder, config, progress } = context;
  const own = formName(name, "int8");
  const [file, record] = [`${own}.onnx`, `${own}.json`];
  const { int8For, int8Tolerance, seed } = config;
  const quantizing = `int8:${name}`;
  await folder.stage(quantizing, {
    from: [stage],
    measures: true,
    inputs: {
      key: folder.state().stages[stage]?.key,
      int8For,
      int8Tolerance,
      seed,
      pictures: CALIBRATION_PICTURES,
    },
    files: [record],
    maybe: [file],
    produce: async () => {
      const { network: bytes, ...made } = await inBytes(context, network);
      if (bytes !== undefined) await writeWhole(folder.file(file), writeOnnx(bytes));
      await writeJson(folder.file(record), { quantized: bytes !== undefined, ...made } satisfies Decision);
    },
  });
  const decision = await readStored<Decision>(folder, record, "int8");
  if (!decision.quantized) {
    const note = `${name} stays in floats: ${decision.reason ?? ""}`;
    progress.warn(note);
    return { note };
  }
  const made = await networkIn(folder, file);
  return {
    model: { name: own, stage: quantizing, title: `${title}, int8`, file, network: made, history: [] },
    note: int8Sentence(name, decision),
  };
}

function int8Sentence(name: string, decision: Decision): string {
  const { layers, inFloat, fasterInFloat = [], fitted = [], bits = 8, pictures } = decision;
  const { ranges = "extremes", equalised = false } = decision;
  const floats = inFloat.length === 0 ? "" : `, ${inFloat.join(", ")} in floats as they cost most quality`;
  const fast =
    fasterInFloat.length === 0
      ? ""
      : `, ${fasterInFloat.join(", ")} on kernels of floats, which are faster there`;
  const fits = fitted.length === 0 ? "" : `, ${fitted.join(", ")} fitted to the answers in floats`;
  const whom = bits === 7 ? "for any CPU" : "for CPUs with int8 instructions (VNNI)";
  return `${name} in int8: ${plural(layers, "layer")}, weights of ${bits} bits ${whom}, ranges ${rangesOf(ranges, pictures, equalised)}${fits}${fast}${floats}`;
}

function inBytes(context: RunContext, network: Network): Promise<Quantized> {
  const { config, rows, engine, timer, progress, signal } = context;
  const random = createRandom(config.seed).fork("int8");
  const chosen = random.shuffle(Array.from(rows.train)).slice(0, CALIBRATION_PICTURES);
  const input = network.inputs[0].name;
  async function* inputs(): AsyncGenerator<Tensors> {
    for await (const batch of pictures(context, Uint32Array.from(chosen))) yield { [input]: batch.x };
  }
  return quantize(engine, network, {
    batches: inputs,
    judge: async (candidate) => {
      const answers = await predictRows(context, candidate, rows.val);
      return answers.map((each) => taskQuality(each.task, qualityOf(each), config.int8Tolerance));
    },
    time: (networks) => profileNetworks(timer, networks, { runs: config.runs, signal }),
    int8For: config.int8For,
    progress,
    signal,
  });
}
