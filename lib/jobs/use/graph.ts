/** `etl export --for`: the graph that runs fast, with the function unchanged. */
import { EtlError } from "../../core/errors.ts";
import { silent } from "../../core/progress.ts";
import { onnxruntime, type Engine } from "../../engine/engine.ts";
import { withEngine, type ServiceOptions } from "../../engine/service.ts";
import { noiseFor, profileNetworks } from "../../evaluate/profile.ts";
import { foldBatchNorm } from "../../network/fold-batch-norm.ts";
import type { Network } from "../../network/network.ts";
import { splitPRelu } from "../../network/split-prelu.ts";
import { settled } from "../run/model.ts";

/** `portable`: plain and folded, for any runtime; `onnxruntime`: what is faster there on this machine. */
export type ExportFor = "portable" | "onnxruntime";

/** Largest difference of an output that is rounding, as a share of its largest number. */
const TOLERANCE = 1e-5;

/** The network with batch normalisation folded, in the form that is faster where that is asked for. */
export async function graphFor(
  network: Network,
  exportFor: ExportFor,
  options: ServiceOptions,
): Promise<Network> {
  const folded = foldBatchNorm(network);
  const split = exportFor === "onnxruntime" ? splitPRelu(folded) : folded;
  if (split.nodes.length === folded.nodes.length) return folded;
  return withEngine({ ...options, engine: onnxruntime }, async (engine) => {
    const [whole, other] = [folded, split].map((each) => settled({ network: each, notes: [] }).network);
    await needSame(engine, whole, other);
    const [plain, fast] = await profileNetworks(engine, [whole, other], {});
    const pays = fast.medianMs < plain.medianMs;
    const times = `${fast.medianMs.toFixed(2)} ms, ${plain.medianMs.toFixed(2)} ms as it is`;
    (options.progress ?? silent).note(
      `PRelu as depthwise convolutions: ${pays ? "taken" : "not taken"}, ${times}`,
    );
    return pays ? split : folded;
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
