/**
 * A training step on both halves of a batch at the same time. Many operators of a step are small or run on one
 * thread, so that the threads of one session wait for each other; two sessions, each with half of the batch and of
 * the threads, do not. A second thread computes gradients of its half, this one those of the other; the optimiser
 * takes their sum. The same losses and gradients as of the whole batch, up to rounding.
 */
import { writeOnnx } from "../../formats/onnx/write.ts";
import { costOf } from "../../network/cost.ts";
import { type Network, sizeOf, type Tensor } from "../../network/network.ts";
import { hasIndependentRows } from "../../network/rows.ts";
import type { StepResult, Tensors } from "../engine.ts";
import { runningStatistics } from "../training.ts";
import type { TrainingSetup } from "../worker/messages.ts";
import type { OptimizerPlan } from "../../gradients/optimizers.ts";
import { createInPlaceSession, type InPlaceSession } from "./in-place.ts";
import { bytesOf } from "./messages.ts";
import { type OtherHalf, type OtherSession, type Shapes, startOtherHalf } from "./other-half.ts";
import { computesOnCpu, fromOrt, type OrtTensor, type SessionSettings, toOrt } from "./session.ts";
import { fedTensors, scalarFeeds, stepResult, withState } from "./training/feeds.ts";
import { buildTrainingGraph, TERMS, type TrainingGraph, trainingSettings } from "./training/graph.ts";
import { emptyTensor, type TrainingState } from "./training/state.ts";
import { buildUpdateGraph, NORM, partKey, type UpdateGraph } from "./training/update.ts";

/** Fewest multiplications of a forward pass over a batch for which messages between threads do not count. */
const FEWEST_MACS = 5e8;

/** Largest batch that is thought of: a network that is too small even for it does not get a second thread. */
const LARGEST_BATCH = 64;

/** Largest parameters, in bytes: they are copied to the other thread in every step. */
const LARGEST_BYTES = 2 ** 26;

/** Training steps in two halves. */
export interface Halves {
  /** Whether a batch has rows enough, all inputs alike, and costs enough. */
  takes(inputs: Tensors): boolean;
  step(inputs: Tensors, learningRate: number): Promise<StepResult>;
  dispose(): Promise<void>;
}

/** What a trainer is made of. */
interface Site {
  readonly network: Network;
  readonly setup: TrainingSetup;
  readonly plan: OptimizerPlan;
  readonly block: number;
  readonly state: TrainingState;
}

/** Steps in halves, or undefined for a network that cannot be halved or has not the threads. */
export function createHalves(site: Site): Halves | undefined {
  const { network, setup } = site;
  if (setup.threads < 2 || !computesOnCpu() || !isHalvable(network, setup)) return undefined;
  const { macs } = costOf(network, { bindings: { [String(network.inputs[0].shape[0])]: 1 } }).total;
  if (macs * LARGEST_BATCH < FEWEST_MACS) return undefined;

  // its start takes as long as the construction of the first graph
  const other = startOtherHalf();
  const compiled = new Map<string, Promise<Parts>>();
  let updating: Promise<Updating> | undefined;
  return {
    takes: (inputs) => {
      const n = rowsOf(inputs);
      const isEven = Object.values(inputs).every(({ shape }) => shape[0] === n);
      return isEven && n >= 2 && n * macs >= FEWEST_MACS;
    },
    step: async (inputs, learningRate) => {
      updating ??= compileUpdate(site);
      const key = JSON.stringify(network.inputs.map(({ name }) => inputs[name].shape));
      let parts = compiled.get(key);
      if (parts === undefined) {
        parts = compileParts(site, other, inputs);
        compiled.set(key, parts);
        parts.catch(() => compiled.delete(key));
      }
      return step(site, { parts: await parts, updating: await updating }, { inputs, learningRate });
    },
    dispose: async () => {
      for (const parts of compiled.values()) await (await parts).session.release();
      compiled.clear();
      await (await updating)?.session.release();
      await other.close();
    },
  };
}

/** Whether gradients of parts of a batch sum up to those of the whole, and little has to be copied for it. */
function isHalvable(network: Network, { trainable }: TrainingSetup): boolean {
  return (
    bytesOf(network.parameters.values()) <= LARGEST_BYTES &&
    runningStatistics(network, new Set(trainable)).length === 0 &&
    hasIndependentRows(network)
  );
}

/** Both halves of batches of one size: this thread's, then the other's. */
interface Parts {
  readonly graphs: readonly [TrainingGraph, TrainingGraph];
  readonly rows: readonly [number, number];
  readonly session: InPlaceSession;
  readonly other: OtherSession;
  /** Where this thread's half is written. */
  readonly into: Record<string, OrtTensor>;
}

async function compileParts(site: Site, other: OtherHalf, inputs: Tensors): Promise<Parts> {
  const { threads } = site.setup;
  const half = Math.floor(threads / 2);
  const n = rowsOf(inputs);
  const rows = [Math.ceil(n / 2), Math.floor(n / 2)] as const;
  const second = graphOf(site, inputs, rows[1]);
  const model = writeOnnx(second.network, { plainPads: true });
  const compiling = other.compile(model, settingsOf(site, half), outputsOf(site, second));
  compiling.catch(() => undefined); // reported when it is awaited
  const first = rows[0] === rows[1] ? second : graphOf(site, inputs, rows[0]);
  const own = first === second ? model : writeOnnx(first.network, { plainPads: true });
  const session = await createInPlaceSession(own, settingsOf(site, threads - half));
  const into = Object.fromEntries(outputsOf(site, first).map(([name, shape]) => [name, emptyTensor(shape)]));
  return { graphs: [first, second], rows, session, other: await compiling, into };
}

function settingsOf({ block }: Site, threads: number): SessionSettings {
  // planning memory makes no step of half a batch quicker, and asks for all of it a second time
  return { ...trainingSettings(block), threads, fixedShapes: false };
}

/** The gradients of some rows of a batch, already times their share of it. */
function graphOf({ network, setup, block }: Site, inputs: Tensors, rows: number): TrainingGraph {
  const share = rows / rowsOf(inputs);
  const losses = setup.options.losses.map((loss) => ({ ...loss, weight: loss.weight * share }));
  const shapes = network.inputs.map(({ name }) => [name, [rows, ...inputs[name].shape.slice(1)]]);
  return buildTrainingGraph({
    network,
    setup: { ...setup, options: { ...setup.options, losses } },
    inputShapes: Object.fromEntries(shapes) as Record<string, readonly number[]>,
    mode: "gradients",
    block,
  });
}

function outputsOf({ setup, state }: Site, { gradients }: TrainingGraph): Shapes {
  const own = [...gradients].map(([name, output]) => [output, shapeIn(state, name)] as const);
  return [[TERMS, [setup.options.losses.length]], ...own];
}

interface Updating {
  readonly graph: UpdateGraph;
  readonly session: InPlaceSession;
}

async function compileUpdate(site: Site): Promise<Updating> {
  const { network, setup, state } = site;
  const shapeOf = (name: string): readonly number[] => shapeIn(state, name);
  const graph = buildUpdateGraph({ setup, opset: network.opset, shapeOf, parts: 2 });
  return {
    graph,
    session: await createInPlaceSession(
      writeOnnx(graph.network, { plainPads: true }),
      settingsOf(site, setup.threads),
    ),
  };
}

async function step(
  site: Site,
  { parts, updating }: { readonly parts: Parts; readonly updating: Updating },
  { inputs, learningRate }: { readonly inputs: Tensors; readonly learningRate: number },
): Promise<StepResult> {
  const { network, setup, plan, state } = site;
  const { graphs, rows, session, other, into } = parts;
  const n = rows[0] + rows[1];
  const fed = fedTensors(network, inputs, { feeds: graphs[0].feeds, rows: n });
  const [ours, toSend] = graphs.map((graph, part) =>
    withState(state, graph.network, toOrt(partOf(fed, { start: part * rows[0], rows: rows[part] }))),
  );
  const sent = Object.entries(toSend).map(([name, tensor]) => [name, fromOrt(name, tensor)] as const);
  const [theirs] = await Promise.all([other.run(Object.fromEntries(sent)), session.run(ours, into)]);
  const received = toOrt(theirs);

  const { graph } = updating;
  const given = scalarFeeds(graph.scalars, plan, { learningRate, step: state.steps + 1 });
  for (const name of setup.trainable) {
    given[partKey(0, name)] = into[graphs[0].gradients.get(name) ?? ""];
    given[partKey(1, name)] = received[graphs[1].gradients.get(name) ?? ""];
  }
  const norm = emptyTensor([1]);
  const feeds = withState(state, graph.network, given);
  await updating.session.run(feeds, { [NORM]: norm, ...state.spare(graph.tensors) });
  state.advance();
  const { losses } = setup.options;
  const termOf = (of: OrtTensor, i: number): number => Number(of.data[i]);
  const terms = losses.map(
    (_, i) => (rows[0] * termOf(into[TERMS], i) + rows[1] * termOf(received[TERMS], i)) / n,
  );
  return stepResult(losses, terms, termOf(norm, 0));
}

function shapeIn(state: TrainingState, name: string): readonly number[] {
  return state.current(name)?.dims ?? [];
}

function rowsOf(inputs: Tensors): number {
  return Object.values(inputs)[0]?.shape[0] ?? 0;
}

/** Some rows of all tensors, as views. */
function partOf(tensors: Tensors, { start, rows }: { start: number; rows: number }): Tensors {
  const cut = ({ shape: [, ...row], data }: Tensor): Tensor => {
    const size = sizeOf(row);
    return { shape: [rows, ...row], data: data.subarray(start * size, (start + rows) * size) };
  };
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, cut(tensor)]));
}
