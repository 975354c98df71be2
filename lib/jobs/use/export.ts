/** `etl export --for`: the graph that runs fast, with the function unchanged. */
import { EtlError } from "../../core/errors.ts";
import { silent } from "../../core/progress.ts";
import { formatOf, writeModel, type WrittenModel } from "../../backbones/write-model.ts";
import type { ModelFormat } from "../../formats/names.ts";
import { withEngine, type ServiceOptions } from "../../engine/service.ts";
import { noiseFor, profileNetworks } from "../../evaluate/profile.ts";
import { foldBatchNorm } from "../../network/fold-batch-norm.ts";
import type { Network } from "../../network/network.ts";
import { splitPRelu } from "../../network/split-prelu.ts";
import type { Engine } from "../../engine/engine.ts";
import type { PictureSize } from "../../network/fit.ts";
import { openNetwork, settled } from "../run/model.ts";

/** `portable`: plain and folded, for any runtime; `onnxruntime`: what is faster there on this machine. */
export type ExportFor = "portable" | "onnxruntime";

export interface ExportOptions extends ServiceOptions {
  readonly out: string;
  readonly format?: ModelFormat | undefined;
  readonly exportFor?: ExportFor | undefined;
  /** Height and width of pictures, where the file leaves them open. */
  readonly size?: PictureSize | undefined;
}

/** Largest difference of an output that is rounding, as a share of its largest number. */
const TOLERANCE = 1e-5;

/** Writes a model in another format, its batch normalisation and shape arithmetic folded. */
export async function exportModel(name: string, options: ExportOptions): Promise<WrittenModel> {
  const { out, format, exportFor = "portable", progress = silent } = options;
  if (exportFor === "onnxruntime" && (format ?? formatOf(out)) !== "onnx")
    throw new EtlError(
      "usage",
      `--for onnxruntime: ${out} is no ONNX file, a name ending in .onnx was needed`,
    );
  const opened = await openNetwork(name);
  const folded = foldBatchNorm((options.size === undefined ? opened : settled(opened, options.size)).network);
  const split = exportFor === "onnxruntime" ? splitPRelu(folded) : folded;
  if (split.nodes.length === folded.nodes.length) return writeModel(folded, out, format);
  return withEngine({ ...options, engine: "ort" }, async (engine) => {
    const [whole, other] = [folded, split].map((network) => settled({ network, notes: [] }).network);
    await needSame(engine, whole, other);
    const [plain, fast] = await profileNetworks(engine, [whole, other], {});
    const pays = fast.medianMs < plain.medianMs;
    const times = `${fast.medianMs.toFixed(2)} ms, ${plain.medianMs.toFixed(2)} ms as it is`;
    progress.note(`PRelu as depthwise convolutions: ${pays ? "taken" : "not taken"}, ${times}`);
    return writeModel(pays ? split : folded, out, format);
  });
}

/** @throws EtlError `engine` where the two differ by more than rounding */
async function needSame(engine: Engine, one: Network, other: Network): Promise<void> {
  const inputs = noiseFor(one, 1);
  const [expected, found] = await Promise.all(
    [one, other].map(async (network) => {
      const program = await engine.compile(network);
      try {
        return await program.run(inputs);
      } finally {
        await program.dispose();
      }
    }),
  );
  for (const [name, { data }] of Object.entries(expected)) {
    const scale = data.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1e-20);
    const far = data.reduce((worst, value, i) => Math.max(worst, Math.abs(value - found[name].data[i])), 0);
    if (far / scale <= TOLERANCE) continue;
    throw new EtlError(
      "engine",
      `${one.name}: "${name}" differs by ${(far / scale).toExponential(1)} after rewriting, at most ${TOLERANCE} was needed`,
      { hint: "--for portable writes it without" },
    );
  }
}
