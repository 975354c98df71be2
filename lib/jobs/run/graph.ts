/** The graph that runs fast, with the function unchanged: of `etl export --for`, and of a run beside its networks. */
import { EtlError } from "../../core/errors.ts";
import { silent } from "../../core/progress.ts";
import { onnxruntime, type Engine } from "../../engine/engine.ts";
import { withEngine, type ServiceOptions } from "../../engine/service.ts";
import { noiseFor, profileNetworks, type ProfileOptions } from "../../evaluate/profile.ts";
import { foldBatchNorm } from "../../network/fold-batch-norm.ts";
import type { Network } from "../../network/network.ts";
import { splitPRelu } from "../../network/split-prelu.ts";
import { padsAsConvolutions } from "../../network/widen.ts";
import { settled } from "./model.ts";

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
  if (exportFor !== "onnxruntime" || formsOf(folded).length === 0) return folded;
  return withEngine({ ...options, engine: onnxruntime }, async (engine) => {
    const found = await fastestForm(engine, folded);
    (options.progress ?? silent).note(`${found.said}: ${found.name} is taken`);
    return found.network;
  });
}

/** The form that is fastest here. */
export interface FastForm extends Form {
  /** What each form takes, "as it is 8.15 ms, PRelu as depthwise convolutions 5.50 ms". */
  readonly said: string;
  /** Its time as a share of that of the network as it is. */
  readonly share: number;
}

/**
 * Whether runtimes leave their blocked layout at a PRelu of the network. The other forms gain a few hundredths, this one a third,
 * so a run tries no other.
 */
export const breaksBlocks = ({ nodes }: Network): boolean => nodes.some(({ op }) => op === "PRelu");

/**
 * Every form of a folded network, compared with it and timed in turns.
 *
 * @throws EtlError `engine` where a form computes something else
 */
export async function fastestForm(
  engine: Engine,
  folded: Network,
  options: ProfileOptions = {},
): Promise<FastForm> {
  const timed = (each: Network): Network => settled({ network: each, notes: [] }).network;
  const all = [{ name: "as it is", network: folded }, ...formsOf(folded)];
  const [plain, ...rewritten] = all.map((form) => timed(form.network));
  for (const form of rewritten) await needSame(engine, plain, form);
  const times = await profileNetworks(engine, [plain, ...rewritten], options);
  const best = times.reduce((a, { medianMs }, i) => (medianMs < times[a].medianMs ? i : a), 0);
  const said = all.map(({ name }, i) => `${name} ${times[i].medianMs.toFixed(2)} ms`).join(", ");
  return { ...all[best], said, share: times[best].medianMs / times[0].medianMs };
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
