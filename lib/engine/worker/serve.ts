/** The compute thread's end: programs and trainers by number, one call after the other. */
import { parentPort } from "node:worker_threads";
import { EtlError, isEtlError, messageOf } from "../../core/errors.ts";
import { speak } from "../../core/voice.ts";
import type { Network, Tensor } from "../../network/network.ts";
import type { Device, KernelTime, StepResult, Tensors, TrainerState } from "../engine.ts";
import {
  buffersOf,
  type Failure,
  type Methods,
  type MethodTable,
  type Reply,
  type Request,
  type TrainingSetup,
} from "./messages.ts";

/** A compiled network inside the worker. */
export interface RunningProgram {
  run(inputs: Tensors): Promise<Record<string, Tensor>>;
  /** @returns milliseconds of each run */
  time(inputs: Tensors, warmup: number, runs: number): Promise<number[]>;
  dispose(): Promise<void>;
}

/** A compiled training step inside the worker. */
export interface RunningTrainer {
  step(inputs: Tensors, learningRate: number): Promise<StepResult>;
  gradients(inputs: Tensors): Promise<{ loss: number; gradients: Record<string, Tensor> }>;
  parameters(): Promise<Record<string, Tensor>>;
  state(): Promise<TrainerState>;
  restore(state: TrainerState): Promise<void>;
  dispose(): Promise<void>;
}

/** What an engine has to bring. */
export interface Service<Compile, Hello> {
  /** Name of the engine, for messages. */
  readonly engine: string;
  readonly hello: (device: Device | null) => Promise<Hello>;
  readonly createProgram: (payload: Compile) => Promise<RunningProgram>;
  readonly createTrainer: (network: Network, setup: TrainingSetup) => Promise<RunningTrainer>;
  /** Absent: the engine does not tell what its kernels take. */
  readonly kernels?: (payload: Compile, inputs: Tensors, runs: number) => Promise<KernelTime[]>;
}

interface Answer {
  readonly result: unknown;
  readonly transfer?: readonly ArrayBuffer[];
}

type Handlers<T extends MethodTable<T>> = {
  readonly [M in keyof T]: (payload: T[M]["takes"]) => Promise<Answer>;
};

/** Answers the calling thread from now on with an engine. */
export function serve<Compile, Hello>(service: Service<Compile, Hello>): void {
  answerCalls<Methods<Compile, Hello>>(service.engine, handlersOf(service));
}

/**
 * Answers the calling thread from now on, one call after the other.
 *
 * @param engine name of the engine, for messages
 */
export function answerCalls<T extends MethodTable<T>>(engine: string, handlers: Handlers<T>): void {
  speak("flags"); // the thread that asked knows how its caller speaks
  const answer = async ({ call, method, payload }: Request): Promise<void> => {
    let reply: Reply;
    let transfer: readonly ArrayBuffer[] = [];
    try {
      const handler = handlers[method as keyof T];
      const done = await handler(payload);
      reply = { call, result: done.result };
      transfer = done.transfer ?? [];
    } catch (error) {
      reply = { call, failure: failureOf(engine, error) };
    }
    parentPort?.postMessage(reply, [...transfer]);
  };
  let queue = Promise.resolve();
  parentPort?.on("message", (request: Request) => {
    queue = queue.then(() => answer(request));
  });
}

function handlersOf<Compile, Hello>(service: Service<Compile, Hello>): Handlers<Methods<Compile, Hello>> {
  const programs = new Map<number, RunningProgram>();
  const trainers = new Map<number, RunningTrainer>();
  let created = 0;
  const find = <T>(map: ReadonlyMap<number, T>, id: number): T => {
    const found = map.get(id);
    if (found !== undefined) return found;
    const disposed = `${service.engine}: the compiled network was disposed`;
    throw new EtlError("engine", `${disposed}, one that is still open was needed`);
  };
  return {
    hello: async (device) => ({ result: await service.hello(device) }),
    compile: async (payload) => {
      const id = created++;
      programs.set(id, await service.createProgram(payload));
      return { result: { id } };
    },
    run: async ({ id, inputs, lent }) => {
      const result = await find(programs, id).run(inputs);
      return returning(result, { inputs, lent }, buffersOf(result));
    },
    time: async ({ id, inputs, warmup, runs }) => ({
      result: await find(programs, id).time(inputs, warmup, runs),
    }),
    kernels: async ({ compilation, inputs, runs }) => {
      if (service.kernels === undefined)
        throw new EtlError(
          "unsupported",
          `${service.engine}: does not tell times of kernels, --engine ort was needed`,
        );
      return { result: await service.kernels(compilation, inputs, runs) };
    },
    train: async ({ network, setup }) => {
      const id = created++;
      trainers.set(id, await service.createTrainer(network, setup));
      return { result: { id } };
    },
    step: async ({ id, inputs, lent, learningRate }) =>
      returning(await find(trainers, id).step(inputs, learningRate), { inputs, lent }),
    gradients: async ({ id, inputs }) => {
      const result = await find(trainers, id).gradients(inputs);
      return { result, transfer: buffersOf(result.gradients) };
    },
    state: async ({ id }) => {
      const result = await find(trainers, id).state();
      return { result, transfer: buffersOf(result.tensors) };
    },
    parameters: async ({ id }) => {
      const result = await find(trainers, id).parameters();
      return { result, transfer: buffersOf(result) };
    },
    restore: async ({ id, state }) => {
      await find(trainers, id).restore(state);
      return { result: null };
    },
    dispose: async ({ id }) => {
      const open = programs.get(id) ?? trainers.get(id);
      programs.delete(id);
      trainers.delete(id);
      await open?.dispose();
      return { result: null };
    },
    close: async () => {
      for (const open of [...programs.values(), ...trainers.values()]) await open.dispose();
      programs.clear();
      trainers.clear();
      return { result: null };
    },
  };
}

/** The answer that also moves lent arrays back, those aside that a result shares. */
function returning(
  result: unknown,
  { inputs, lent }: { readonly inputs: Tensors; readonly lent: readonly string[] },
  buffers: readonly ArrayBuffer[] = [],
): Answer {
  const shared = new Set<ArrayBufferLike>(buffers);
  const own = lent.filter((name) => !shared.has(inputs[name].data.buffer));
  const back = Object.fromEntries(own.map((name) => [name, inputs[name]]));
  const returned = Object.values(back).map(({ data }) => data);
  return { result: { result, returned }, transfer: [...buffers, ...buffersOf(back)] };
}

function failureOf(engine: string, error: unknown): Failure {
  const stack = error instanceof Error ? error.stack : undefined;
  return isEtlError(error)
    ? { kind: error.kind, message: error.message, hint: error.hint, stack }
    : { kind: "engine", message: `${engine}: ${messageOf(error)}`, stack };
}
