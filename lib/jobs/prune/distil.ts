/** Distillation: the pruned network's pooled features and outputs are held near those of the unpruned network. */
import { headOf } from "../../backbones/head.ts";
import type { Batch } from "../../data/images/batches.ts";
import { EtlError } from "../../core/errors.ts";
import type { Program, Tensors } from "../../engine/engine.ts";
import type { LossTerm } from "../../core/artifacts.ts";
import { runStream, together } from "../../engine/stream.ts";
import { createRandom } from "../../core/random.ts";
import type { Network, Tensor } from "../../network/network.ts";
import { subnetwork } from "../../network/subnetwork.ts";
import { batchesOf, pictures, type RunParts } from "./context.ts";
import { featureWidth } from "./harvest.ts";
import { standardise, type Units } from "../run/units.ts";

/** What is added to the task's loss, and what is fed for it. Holds a compiled teacher until it is disposed. */
export interface Distillation {
  readonly terms: readonly LossTerm[];
  /** What each term compares. */
  readonly parts: readonly Signal["part"][];
  targets(batch: Batch): Promise<Tensors>;
  dispose(): Promise<void>;
}

/** What is distilled takes so many bytes at most when kept; beyond, the teacher runs in every step, so that memory stays. */
const keptBytes = 256e6;

/** The full network whose outputs are distilled. */
export interface Answering {
  /** With its heads, in target units. */
  readonly network: Network;
  /** Beside the tasks. */
  readonly units: readonly Units[];
  /** Everything the network depends on. */
  readonly key: unknown;
}

/** What a cut network learns beside the labels. */
export interface Lesson {
  /** The unpruned network, in the units of the pruned one's filters. */
  readonly teacher: Network;
  /** Channels of its features that the pruned network still has. */
  readonly kept: Uint32Array;
  /** Name of the pruned network's features, [n, kept]. */
  readonly student: string;
  readonly answers: Answering;
}

/** One value of the student that is compared, and where its target comes from. */
interface Signal {
  /** Value of a teacher, [n, width]. */
  readonly value: string;
  readonly width: number;
  /** The columns of it that are compared, ascending. */
  readonly columns: Uint32Array;
  /** Units of the columns in training; absent: as they are. */
  readonly units?: Units;
  readonly part: "features" | "outputs";
  readonly term: LossTerm & { readonly mask: string };
}

/** The signals of a lesson, side by side in the rows of what is distilled. */
interface Layout {
  readonly signals: readonly (Signal & { readonly first: number })[];
  /** Columns of all signals together. */
  readonly width: number;
}

/**
 * Loss terms: half the squared distance of each kept feature (weight `config.distill`) and of each output (weight
 * `config.distillOutputs`, shared by the tasks) to the unpruned network's on the same picture, in units of its variance
 * over a sample, mean over features or outputs. The unpruned network sees the picture mirrored where the pruned one does,
 * but neither shifted nor brightened: its answers are then computed once. Where they would not fit in 256 MB, it sees the
 * changed picture and runs in every step.
 *
 * Hinton, Vinyals, Dean: Distilling the knowledge in a neural network, 2015; here as in its section 2.1, where distances
 * of logits are the limit of high temperature.
 */
export async function distillation(context: RunParts, lesson: Lesson): Promise<Distillation> {
  const layout = layoutOf(signalsOf(context, lesson));
  const { signals, width } = layout;
  const fits = 2 * context.rows.train.length * width * 4 <= keptBytes;
  // computed once: every picture and its mirror image
  const runs = fits ? batchesOf(context, 2 * context.rows.train.length) : 1;
  const program = await compileTeachers(context, lesson, { signals, runs });
  const input = lesson.teacher.inputs[0].name;
  const inputsOf = ({ x }: Pick<Batch, "x">): Tensors => ({ [input]: x });
  const run: Lookup = async (batch) =>
    columnsOf(layout, await program.run(inputsOf(batch)), batch.rows.length);
  const targetsOf = fits ? await computeOnce(context, { program, inputsOf, layout }) : run;
  const weights = inverseVariances(await sample(context, targetsOf), layout);
  return {
    terms: signals.map(({ term }) => term),
    parts: signals.map(({ part }) => part),
    targets: async (batch: Batch) => feedsOf(layout, await targetsOf(batch), weights),
    dispose: () => program.dispose(),
  };
}

/** What the teachers say of every picture of a batch, [n, width]. */
type Lookup = (batch: Batch) => Promise<Float32Array>;

function signalsOf({ backbone, tasks, config }: RunParts, lesson: Lesson): Signal[] {
  const { teacher, kept, student, answers } = lesson;
  const { distill, distillOutputs } = config;
  const squared = (output: string, name: string, weight: number): Signal["term"] => {
    return { kind: "squared", output, target: name, mask: `${name}_weights`, weight };
  };
  const features: Signal = {
    value: backbone.features,
    width: featureWidth(teacher, backbone.features),
    columns: kept,
    part: "features",
    term: squared(student, "etl_features", distill),
  };
  const outputs = tasks.map(({ task, output }, t): Signal => ({
    value: output,
    width: task.outputs,
    columns: Uint32Array.from({ length: task.outputs }, (_, k) => k),
    units: answers.units[t],
    part: "outputs",
    term: squared(output, `etl_outputs.${t}`, distillOutputs / tasks.length),
  }));
  return [features, ...outputs].filter(({ term }) => term.weight > 0);
}

function layoutOf(signals: readonly Signal[]): Layout {
  let width = 0;
  const placed = signals.map((signal) => {
    const first = width;
    width += signal.columns.length;
    return { ...signal, first };
  });
  return { signals: placed, width };
}

/** Features and answers: from one network where the features are those behind the answers, as by default; else from two. */
async function compileTeachers(
  { engine, backbone }: RunParts,
  { teacher, answers }: Lesson,
  { signals, runs }: { readonly signals: readonly Signal[]; readonly runs: number },
): Promise<Program> {
  const values = signals.map(({ value }) => value);
  const trunk = subnetwork(teacher, [backbone.features]);
  const apart = values.includes(backbone.features) && !hasWeightsOf(answers.network, trunk);
  const others = apart ? values.filter((value) => value !== backbone.features) : values;
  const programs: Program[] = [];
  if (apart) programs.push(await engine.compile(trunk, { runs }));
  if (others.length > 0) {
    programs.push(await engine.compile(subnetwork(answers.network, others), { runs }));
  }
  return together(programs);
}

function hasWeightsOf(whole: Network, trunk: Network): boolean {
  return [...trunk.parameters].every(([name, { data }]) => {
    const found = whole.parameters.get(name)?.data;
    return found === data || (found?.length === data.length && data.every((value, i) => value === found[i]));
  });
}

/** The compared columns of all signals of each picture, in training units, [n, width]. */
function columnsOf(
  { signals, width }: Layout,
  values: Readonly<Record<string, Tensor>>,
  n: number,
): Float32Array {
  const out = new Float32Array(n * width);
  for (const { value, width: of, columns, units, first } of signals) {
    const { data } = values[value];
    const scaled = units ? standardise(data, units) : data;
    for (let i = 0; i < n; i++) columns.forEach((c, j) => (out[i * width + first + j] = scaled[i * of + c]));
  }
  return out;
}

/** Targets, [n, columns], and weights of every signal of a batch. */
function feedsOf({ signals, width }: Layout, rows: Float32Array, weights: Float32Array): Tensors {
  const n = rows.length / width;
  const feeds = new Map<string, Tensor>();
  for (const { columns, term, first } of signals) {
    const count = columns.length;
    const [target, mask] = [new Float32Array(n * count), new Float32Array(n * count)];
    for (let i = 0; i < n; i++) {
      target.set(rows.subarray(i * width + first, i * width + first + count), i * count);
      mask.set(weights.subarray(first, first + count), i * count);
    }
    feeds.set(term.target, { shape: [n, count], data: target });
    feeds.set(term.mask, { shape: [n, count], data: mask });
  }
  return Object.fromEntries(feeds);
}

/** What is distilled of every training picture, as it is and (where the task allows it) mirrored, looked up by row. */
async function computeOnce(
  context: RunParts,
  what: {
    readonly program: Program;
    readonly inputsOf: (batch: Pick<Batch, "x">) => Tensors;
    readonly layout: Layout;
  },
): Promise<Lookup> {
  const { rows, mirrors, progress, signal, recycler } = context;
  const { width } = what.layout;
  const place = new Map(Array.from(rows.train, (row, i) => [row, i]));
  const known = Array.from({ length: mirrors ? 2 : 1 }, () => new Float32Array(rows.train.length * width));
  progress.start("features and outputs to distil", known.length * rows.train.length);
  for (const [side, into] of known.entries()) {
    const seen = pictures(context, rows.train, side === 1 ? { augment: { mirror: "always" } } : {});
    let at = 0;
    for await (const { item, outputs } of runStream(what.program, seen, what.inputsOf, { give: recycler })) {
      into.set(columnsOf(what.layout, outputs, item.rows.length), at * width);
      at += item.rows.length;
      progress.update(side * rows.train.length + at);
      signal?.throwIfAborted();
    }
  }
  progress.finish(`${rows.train.length} pictures`, "detail");
  return (batch) => {
    const out = new Float32Array(batch.rows.length * width);
    batch.rows.forEach((row, i) => {
      const at = (place.get(row) ?? 0) * width;
      out.set(known[batch.mirrored[i]].subarray(at, at + width), i * width);
    });
    return Promise.resolve(out);
  };
}

const sampleSize = 512;

/** What is distilled of some training pictures, [n, width]. */
async function sample(context: RunParts, run: Lookup): Promise<Float32Array[]> {
  const rows = createRandom(context.config.seed).fork("distill").shuffle(Array.from(context.rows.train));
  const parts: Float32Array[] = [];
  for await (const batch of pictures(context, Uint32Array.from(rows.slice(0, sampleSize))))
    parts.push(await run(batch));
  return parts;
}

/** 1 / (variance + a thousandth of its signal's mean variance) of every column, [width]. */
function inverseVariances(parts: readonly Float32Array[], { signals, width }: Layout): Float32Array {
  const [sums, squares] = [new Float64Array(width), new Float64Array(width)];
  let n = 0;
  for (const part of parts) {
    n += part.length / width;
    part.forEach((value, i) => {
      sums[i % width] += value;
      squares[i % width] += value * value;
    });
  }
  const variance = sums.map((sum, c) => Math.max(0, squares[c] / n - (sum / n) ** 2));
  const weights = new Float32Array(width);
  for (const { columns, first } of signals) {
    const own = variance.subarray(first, first + columns.length);
    const floor = 1e-3 * (own.reduce((sum, v) => sum + v, 0) / columns.length) || 1;
    weights.set(
      own.map((v) => 1 / (v + floor)),
      first,
    );
  }
  return weights;
}

/** The flat features that a head reads, [n, channels]. */
export function headInput(network: Parameters<typeof headOf>[0]): string {
  const head = headOf(network);
  if (head === undefined)
    throw new EtlError("unsupported", `${network.name}: no linear head, one was needed to distil`);
  return head.input;
}
