/** The compute thread: programs and trainers by number, one call after the other. */
import { parentPort } from "node:worker_threads";
import { EtlError, isEtlError, messageOf } from "../../core/errors.ts";
import { buffersOf, type Failure, type Methods, type Reply, type Request } from "./messages.ts";
import { createProgram, type RunningProgram } from "./program.ts";
import { createTrainer, type RunningTrainer } from "./trainer.ts";

interface Answer {
  readonly result: unknown;
  readonly transfer?: readonly ArrayBuffer[];
}

type Handlers = { readonly [M in keyof Methods]: (payload: Methods[M]["takes"]) => Promise<Answer> };

const programs = new Map<number, RunningProgram>();
const trainers = new Map<number, RunningTrainer>();
let created = 0;

function find<T>(map: ReadonlyMap<number, T>, id: number): T {
  const found = map.get(id);
  if (found === undefined) {
    throw new EtlError("engine", "ort: the compiled network was disposed, one that is still open was needed");
  }
  return found;
}

const handlers: Handlers = {
  hello: () => Promise.resolve({ result: null }),
  compile: async ({ model, outputs, threads }) => {
    const id = created++;
    programs.set(id, await createProgram(model, outputs, threads));
    return { result: { id } };
  },
  run: async ({ id, inputs }) => {
    const result = await find(programs, id).run(inputs);
    return { result, transfer: buffersOf(result) };
  },
  time: async ({ id, inputs, warmup, runs }) => ({
    result: await find(programs, id).time(inputs, warmup, runs),
  }),
  train: async ({ network, setup }) => {
    const id = created++;
    trainers.set(id, await createTrainer(network, setup));
    return { result: { id } };
  },
  step: async ({ id, inputs, learningRate }) => ({
    result: await find(trainers, id).step(inputs, learningRate),
  }),
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

function failureOf(error: unknown): Failure {
  const stack = error instanceof Error ? error.stack : undefined;
  return isEtlError(error)
    ? { kind: error.kind, message: error.message, hint: error.hint, stack }
    : { kind: "engine", message: `ort: ${messageOf(error)}`, stack };
}

async function answer({ call, method, payload }: Request): Promise<void> {
  let reply: Reply;
  let transfer: readonly ArrayBuffer[] = [];
  try {
    const handler = handlers[method] as (payload: unknown) => Promise<Answer>;
    const done = await handler(payload);
    reply = { call, result: done.result };
    transfer = done.transfer ?? [];
  } catch (error) {
    reply = { call, failure: failureOf(error) };
  }
  parentPort?.postMessage(reply, [...transfer]);
}

let queue = Promise.resolve();
parentPort?.on("message", (request: Request) => {
  queue = queue.then(() => answer(request));
});
