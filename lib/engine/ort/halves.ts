/**
 * A training step on both halves of a batch at the same time. Many operators of a step are small or run on one
 * thread, so that the threads of one session wait for each other; two sessions, each with half of the batch and of
 * the threads, do not. A second thread computes gradients of its half, this one those of the other; the optimiser
 * takes their sum. The same losses and gradients as of the whole batch, up to rounding.
 */
import { scriptBeside } from "../../core/worker.ts";
import { writeOnnx } from "../../formats/onnx.ts";
import { costOf } from "../../network/cost.ts";
import { type Network, sizeOf } from "../../network/network.ts";
import { hasIndependentRows } from "../../network/rows.ts";
import type { StepResult, Tensors } from "../engine.ts";
import { runningStatistics } from "../training.ts";
import { startClient } from "../worker/client.ts";
import { buffersOf, type TrainingSetup } from "../worker/messages.ts";
import type { OptimizerPlan } from "./gradients/optimizers.ts";
import type { HalfMethods, HalfRun } from "./half-worker.ts";
import { createInPlaceSession, type InPlaceSession } from "./in-place.ts";
import { bytesOf } from "./messages.ts";
import type { OrtTensor } from "./session.ts";
import { computesOnCpu, type SessionSettings, toOrt } from "./session.ts";
import { fedTensor, scalarFeeds, stepResult } from "./training-feeds.ts";
import { buildTrainingGraph, TERMS, type TrainingGraph } from "./training-graph.ts";
import { empty, type TrainingState } from "./training-state.ts";
import { buildUpdateGraph, NORM, partKey, type UpdateGraph } from "./update-graph.ts";

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

/** Both halves of batches of one size. */
interface Compiled {
  readonly graphs: readonly [TrainingGraph, TrainingGraph];
  readonly rows: readonly [number, number];
  readonly session: InPlaceSession;
  readonly other: Other;
  /** Where this thread's half is written. */
  readonly into: Record<string, OrtTensor>;
}

/** The other thread's session. */
interface Other {
  readonly id: number;
  /** Arrays that travel, while they are here. */
  arrays: HalfRun | undefined;
}

/** Steps in halves, or undefined for a network that cannot be halved or has not the threads. */
export function createHalves(
  network: Network,
  setup: TrainingSetup,
  site: { readonly plan: OptimizerPlan; readonly block: number; readonly state: TrainingState },
): Halves | undefined {
  const { plan, block, state } = site;
  const { losses } = setup.options;
  if (setup.threads < 2 || !computesOnCpu() || !isHalvable(network, setup)) return undefined;
  const half = Math.floor(setup.threads / 2);
  const { macs } = costOf(network, { bindings: { [String(network.inputs[0].shape[0])]: 1 } }).total;
  if (macs * LARGEST_BATCH < FEWEST_MACS) return undefined;
  const settings = (threads: number): SessionSettings => ({
    threads,
    optimization: block > 0 ? "disabled" : "all",
    // planning memory makes no step of half a batch quicker, and asks for all of it a second time
    fixedShapes: false,
  });
  const shapeOf = (name: string): readonly number[] => state.current(name)?.dims ?? [];

  // its start takes as long as the first graph's construction
  const client = startClient<HalfMethods>("ort", scriptBeside(import.meta.url, "half-worker"));
  let update: Promise<{ graph: UpdateGraph; session: InPlaceSession }> | undefined;
  const compileUpdate = async () => {
    const graph = buildUpdateGraph({ setup, opset: network.opset, shapeOf, parts: 2 });
    return { graph, session: await createInPlaceSession(writeOnnx(graph.network), settings(setup.threads)) };
  };

  /** The gradients of a part of a batch, already times its share of the batch. */
  const graphFor = (inputs: Tensors, rows: number, share: number): TrainingGraph =>
    buildTrainingGraph({
      network,
      setup: {
        ...setup,
        options: {
          ...setup.options,
          losses: losses.map((loss) => ({ ...loss, weight: loss.weight * share })),
        },
      },
      inputShapes: Object.fromEntries(
        network.inputs.map(({ name }) => [name, [rows, ...inputs[name].shape.slice(1)]]),
      ),
      mode: "gradients",
      block,
    });
  const outputsOf = (graph: TrainingGraph): [string, readonly number[]][] => [
    [TERMS, [losses.length]],
    ...[...graph.gradients].map(([name, output]): [string, readonly number[]] => [output, shapeOf(name)]),
  ];

  const compile = async (inputs: Tensors, n: number): Promise<Compiled> => {
    const rows = [Math.ceil(n / 2), Math.floor(n / 2)] as const;
    const second = graphFor(inputs, rows[1], rows[1] / n);
    const model = writeOnnx(second.network);
    const compiling = client.call("compile", { model: model.slice(), settings: settings(half) });
    compiling.catch(() => undefined); // reported when it is awaited
    const first = rows[0] === rows[1] ? second : graphFor(inputs, rows[0], rows[0] / n);
    const own = first === second ? model : writeOnnx(first.network);
    const session = await createInPlaceSession(own, settings(setup.threads - half));
    return {
      graphs: [first, second],
      rows,
      session,
      other: { ...(await compiling), arrays: undefined },
      into: Object.fromEntries(outputsOf(first).map(([name, shape]) => [name, empty(shape)])),
    };
  };
  const sessions = new Map<number, Promise<Compiled>>();
  const compiled = (inputs: Tensors): Promise<Compiled> => {
    const n = rowsOf(inputs);
    let found = sessions.get(n);
    if (found === undefined) {
      found = compile(inputs, n);
      sessions.set(n, found);
      found.catch(() => sessions.delete(n));
    }
    return found;
  };

  /** Starts the other half: parameters as they are now and its rows, in arrays that come back. */
  const startOther = async ({ graphs, rows, other }: Compiled, fed: Tensors): Promise<HalfRun> => {
    const [, graph] = graphs;
    const theirs = partOf(fed, rows[0], rows[1]);
    const needed = graph.network.inputs.map(({ name }) => name);
    const { feeds, into } = (other.arrays ??= {
      feeds: blanks(needed.map((name) => [name, theirs[name]?.shape ?? shapeOf(name)])),
      into: blanks(outputsOf(graph)),
    });
    other.arrays = undefined;
    for (const name of needed) {
      const data = theirs[name]?.data ?? state.current(name)?.data;
      feeds[name].data.set(data);
    }
    const call = { id: other.id, feeds, into };
    other.arrays = await client.call("run", call, buffersOf({ ...feeds, ...into }));
    return other.arrays;
  };
  const runOwn = async ({ graphs, rows, session, into }: Compiled, fed: Tensors): Promise<void> => {
    const feeds = toOrt(partOf(fed, 0, rows[0]));
    for (const { name } of graphs[0].network.inputs) {
      const tensor = feeds[name] ?? state.current(name);
      if (tensor !== undefined) feeds[name] = tensor;
    }
    await session.run(feeds, into);
  };

  return {
    takes: (inputs) => {
      const n = rowsOf(inputs);
      const isEven = Object.values(inputs).every(({ shape }) => shape[0] === n);
      return isEven && n >= 2 && n * macs >= FEWEST_MACS;
    },
    step: async (inputs, learningRate) => {
      update ??= compileUpdate();
      const both = await compiled(inputs);
      const { graph, session } = await update;
      const { graphs, rows, into } = both;
      const n = rows[0] + rows[1];
      const fed: Record<string, Tensors[string]> = Object.fromEntries(
        network.inputs.map(({ name }) => [name, inputs[name]]),
      );
      for (const [name, shape] of graphs[0].feeds)
        fed[name] = fedTensor(inputs, name, [n, ...shape.slice(1)]);
      const [theirs] = await Promise.all([startOther(both, fed), runOwn(both, fed)]);

      const feeds = scalarFeeds(graph.scalars, plan, { learningRate, step: state.steps + 1 });
      for (const name of graph.tensors.keys()) {
        const tensor = state.current(name);
        if (tensor !== undefined) feeds[name] = tensor;
      }
      const received = toOrt(theirs.into);
      for (const name of setup.trainable) {
        feeds[partKey(0, name)] = into[graphs[0].gradients.get(name) ?? ""];
        feeds[partKey(1, name)] = received[graphs[1].gradients.get(name) ?? ""];
      }
      const norm = empty([1]);
      await session.run(feeds, { [NORM]: norm, ...state.spare(graph.tensors) });
      state.advance();
      const terms = losses.map(
        (_, i) => (rows[0] * Number(into[TERMS].data[i]) + rows[1] * Number(received[TERMS].data[i])) / n,
      );
      return stepResult(losses, terms, norm.data[0] as number);
    },
    dispose: async () => {
      for (const entry of sessions.values()) await (await entry).session.release();
      sessions.clear();
      await (await update)?.session.release();
      await client.close();
    },
  };
}

function rowsOf(inputs: Tensors): number {
  return Object.values(inputs)[0]?.shape[0] ?? 0;
}

/** Rows of all tensors, as views. */
function partOf(tensors: Tensors, start: number, rows: number): Tensors {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { shape, data }]) => {
      const row = sizeOf(shape.slice(1));
      return [
        name,
        { shape: [rows, ...shape.slice(1)], data: data.subarray(start * row, (start + rows) * row) },
      ];
    }),
  );
}

function blanks(shapes: readonly (readonly [string, readonly number[]])[]): Tensors {
  return Object.fromEntries(
    shapes.map(([name, shape]) => [name, { shape: [...shape], data: new Float32Array(sizeOf(shape)) }]),
  );
}

/** Whether gradients of parts of a batch sum up to those of the whole, and little has to be copied for it. */
function isHalvable(network: Network, { trainable }: TrainingSetup): boolean {
  return (
    bytesOf(network.parameters.values()) <= LARGEST_BYTES &&
    runningStatistics(network, new Set(trainable)).length === 0 &&
    hasIndependentRows(network)
  );
}
