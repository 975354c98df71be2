/** `etl export --for`: the graph that runs fast, with the function unchanged. */
import { EtlError } from "../../core/errors.ts";
import { silent } from "../../core/progress.ts";
import type { Engine } from "../../engine/engine.ts";
import { withEngine, type ServiceOptions } from "../../engine/service.ts";
import { noiseFor, profileNetworks } from "../../evaluate/profile.ts";
import { foldBatchNorm } from "../../network/fold-batch-norm.ts";
import type { Network } from "../../network/network.ts";
import { splitPRelu } from "../../network/split-prelu.ts";
import { padsAsConvolutions } from "../../network/widen.ts";
import { settled } from "../run/model.ts";

/** `portable`: plain and folded, for any runtime; `onnxruntime`: what is faster there on this machine. */
export type ExportFor = "portable" | "onnxruntime";

/** Largest difference of an output that is rounding, as a share of its largest number. */
const TOLERANCE = 1e-5;

/** A way to write the same function. */
interface Form {
  readonly name: string;
  readonly network: Network;
}

/** The network with batch normalisation folded, in the form that is fastest here where that is asked for. */
export async function graphFor(
  network: Network,
  exportFor: ExportFor,
  options: ServiceOptions,
): Promise<Network> {
  const folded = foldBatchNorm(network);
  const forms = exportFor === "onnxruntime" ? formsOf(folded) : [];
  if (forms.length === 0) return folded;
  return withEngine({ ...options, engine: "ort" }, async (engine) => {
    const timed = (each: Network): Network => settled({ network: each, notes: [] }).network;
    const plain = timed(folded);
    for (const form of forms) await needSame(engine, plain, timed(form.network));
    const all = [{ name: "as it is", network: folded }, ...forms];
    const times = await profileNetworks(
      engine,
      all.map((form) => timed(form.network)),
      {},
    );
    const best = times.reduce((a, { medianMs }, i) => (medianMs < times[a].medianMs ? i : a), 0);
    const said = all.map(({ name }, i) => `${name} ${times[i].medianMs.toFixed(2)} ms`);
    (options.progress ?? silent).note(`${said.join(", ")}: ${all[best].name} is taken`);
    return all[best].network;
  });
}

/** Other ways to write a network that keep runtimes in their blocked layout. */
function formsOf(folded: Network): Form[] {
  const rewrites = [
    { name: "PRelu as depthwise convolutions", of: splitPRelu },
    { name: "Pad of channels as convolutions", of: padsAsConvolutions },
    { name: "both as convolutions", of: (each: Network) => padsAsConvolutions(splitPRelu(each)) },
  ].map(({ name, of }) => ({ name, network: of(folded) }));
  const [prelu, pads, both] = rewrites;
  const changes = ({ network }: Form): boolean => network.nodes.some((node) => !folded.nodes.includes(node));
  const alone = [prelu, pads].filter(changes);
  return alone.length === 2 ? [...alone, both] : alone;
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
