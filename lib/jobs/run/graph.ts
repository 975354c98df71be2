/** The graph that runs fast, with the function unchanged: of `etl export --for`, and of a run beside its networks. */
import { silent } from "../../core/progress.ts";
import { onnxruntime, type Engine, type Tensors } from "../../engine/engine.ts";
import { withEngine, type ServiceOptions } from "../../engine/service.ts";
import { noiseFor, profileNetworks, timerOf, type ProfileOptions } from "../../evaluate/profile.ts";
import { forOurFile } from "../../formats/onnx/ours.ts";
import { costOf } from "../../network/cost.ts";
import { fillChannels, hasOddWidths, INPUT_MULTIPLE, SMALLEST_BLOCK } from "../../network/fill-channels.ts";
import { foldBatchNorm } from "../../network/fold-batch-norm.ts";
import { hasOpenSizes, type Network } from "../../network/network.ts";
import { splitPRelu } from "../../network/split-prelu.ts";
import { padsAsConvolutions } from "../../network/widen.ts";
import { settled } from "./model.ts";

/** `portable`: plain and folded, for any runtime; `onnxruntime`: what is faster there on this machine. */
export type ExportFor = "portable" | "onnxruntime";

/** Largest difference of an output that is rounding, as a share of its largest number. */
const TOLERANCE = 1e-5;

/** Or so many times what the network's own output moves by when its input moves in the last bit. */
const TIMES_LAST_BIT = 10;

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
  if (exportFor !== "onnxruntime") return folded;
  if (hasOpenSizes(folded)) {
    const sentence =
      "the file leaves sizes open, so no form can be timed and it stays as it is: --size says them";
    (options.progress ?? silent).warn(sentence);
    return folded;
  }
  if (formsOf(folded, SMALLEST_BLOCK).next().done === true) return folded;
  return withEngine({ ...options, engine: onnxruntime }, async (engine) => {
    const found = await fastestForm(timerOf(engine, options.threads), folded);
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

/** Fewer multiplications take so few microseconds that chance would decide between the forms. */
const LEAST_MACS = 1e6;

/**
 * Whether runtimes leave their blocked layout at a PRelu of the network, or at its widths. The other forms gain a few hundredths, these
 * a seventh and more, so a run tries no other.
 */
export const breaksBlocks = (network: Network): boolean =>
  network.nodes.some(({ op }) => op === "PRelu") ||
  (hasOddWidths(network) && costOf(network).total.macs >= LEAST_MACS);

/** Every form of a folded network, compared with it and timed in turns; one that computes something else is left out, and said. */
export async function fastestForm(
  engine: Engine,
  folded: Network,
  options: ProfileOptions = {},
): Promise<FastForm> {
  const ready = (form: Form): Form & { readonly timed: Network } => ({
    ...form,
    timed: settled({ network: form.network, notes: [] }).network,
  });
  const forms = [ready({ name: "as it is", network: folded })];
  const left: string[] = [];
  const answers = await answersOf(engine, forms[0].timed);
  for (const form of [...formsOf(folded, engine.channelBlock)].map(ready)) {
    const far = await distance(engine, form.timed, answers);
    if (far === undefined) forms.push(form);
    else left.push(`${form.name} left out, "${far.output}" differs by ${far.share.toExponential(1)}`);
  }
  const times = await profileNetworks(
    engine,
    forms.map(({ timed }) => timed),
    options,
  );
  const best = times.reduce((a, { medianMs }, i) => (medianMs < times[a].medianMs ? i : a), 0);
  const said = [...forms.map(({ name }, i) => `${name} ${times[i].medianMs.toFixed(2)} ms`), ...left];
  const { name, network } = forms[best];
  return { name, network, said: said.join(", "), share: times[best].medianMs / times[0].medianMs };
}

/** Other ways to write a network that keep runtimes in their layout of so many channels a block; each is made when it is asked for. */
function* formsOf(network: Network, block: number): Generator<Form> {
  const ours = forOurFile(network);
  const rewrites = [
    { name: "PRelu as depthwise convolutions", of: splitPRelu },
    { name: "Pad of channels as convolutions", of: padsAsConvolutions },
    { name: "both as convolutions", of: (each: Network) => padsAsConvolutions(splitPRelu(each)) },
  ].map(({ name, of }) => ({ name, network: of(ours) }));
  const [prelu, pads, both] = rewrites;
  const changes = ({ network }: Form): boolean => network.nodes.some((node) => !ours.nodes.includes(node));
  const alone = [prelu, pads].filter(changes);
  const written = alone.length === 2 ? [...alone, both] : alone;
  yield* written;
  // Zeros are filled into the form that leaves the layout least often.
  const { name, network: whole } = written.at(-1) ?? { name: "", network: ours };
  for (const multiple of block <= 1 ? [] : new Set([INPUT_MULTIPLE, block])) {
    const wide = fillChannels(whole, { multiple, least: block });
    const label = `${name}${name === "" ? "" : ", "}channels of zeros up to multiples of ${multiple}`;
    if (wide !== whole) yield { name: label, network: padsAsConvolutions(wide) };
  }
}

/** What a network answers to noise. */
interface Answers {
  readonly inputs: Tensors;
  readonly expected: Tensors;
  /** By output: the difference that is rounding, as a share of its largest number. */
  readonly rounding: ReadonlyMap<string, number>;
}

async function answersOf(engine: Engine, network: Network): Promise<Answers> {
  const inputs = noiseFor(network, 1);
  const moved = Object.entries(inputs).map(([name, { shape, data }]) => [
    name,
    { shape, data: data.map((value) => value * (1 + 2 ** -23)) },
  ]);
  const [expected, beside] = await runEach(engine, network, [
    inputs,
    Object.fromEntries(moved) as typeof inputs,
  ]);
  const rounding = Object.entries(expected).map(([name, { data }]): [string, number] => [
    name,
    Math.max(TOLERANCE, TIMES_LAST_BIT * shareOf(data, beside[name].data)),
  ]);
  return { inputs, expected, rounding: new Map(rounding) };
}

/** The first output in which a network differs by more than rounding. */
async function distance(
  engine: Engine,
  network: Network,
  { inputs, expected, rounding }: Answers,
): Promise<{ readonly output: string; readonly share: number } | undefined> {
  const [found] = await runEach(engine, network, [inputs]);
  for (const [output, { data }] of Object.entries(expected)) {
    const share = shareOf(data, found[output].data);
    if (!(share <= (rounding.get(output) ?? TOLERANCE))) return { output, share };
  }
  return undefined;
}

async function runEach(engine: Engine, network: Network, inputs: readonly Tensors[]): Promise<Tensors[]> {
  const program = await engine.compile(network);
  try {
    const answers: Tensors[] = [];
    for (const each of inputs) answers.push(await program.run(each));
    return answers;
  } finally {
    await program.dispose();
  }
}

/** Largest difference as a share of the largest number. */
function shareOf(one: Float32Array, other: Float32Array): number {
  const scale = one.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1e-20);
  return one.reduce((worst, value, i) => Math.max(worst, Math.abs(value - other[i])), 0) / scale;
}
