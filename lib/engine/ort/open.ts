/** The ort engine as the calling thread sees it: networks in, programs and trainers out. */
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { EtlError, isEtlError } from "../../core/errors.ts";
import { writeOnnx } from "../../formats/onnx/write.ts";
import type { Network, ValueInfo } from "../../network/network.ts";
import { producersOf } from "../../network/network.ts";
import { propagate } from "../../network/shapes/infer.ts";
import {
  checkThreads,
  type CompileOptions,
  type Engine,
  type EngineOptions,
  type Program,
} from "../engine.ts";
import { scriptBeside } from "../../core/worker.ts";
import { type Client, startClient } from "../worker/client.ts";
import { sideBySide } from "../stream.ts";
import { checkInputs, checkOutputNames, remoteProgram, remoteTrainer } from "../worker/remote.ts";
import { needCuda, tryCuda } from "./cuda.ts";
import { bytesOf, type OrtMethods } from "./messages.ts";
import { withoutTelemetry } from "./telemetry.ts";

/** Fewest runs of a stream for which a second copy pays: compiling it takes as long as it saves in twenty to forty. */
const SHORTEST_STREAM = 32;

/** Largest parameters, in bytes, of which a second copy is made for a stream of runs. */
const LARGEST_COPIED_BYTES = 2 ** 28;

/** Protocol buffers end at 2 GB. */
const LARGEST_MODEL_BYTES = 2 ** 31 - 2 ** 20;

/** Version of the onnxruntime-node package in use. */
export function ortVersion(): string {
  const { version } = createRequire(import.meta.url)("onnxruntime-node/package.json") as { version: string };
  return version;
}

/**
 * Opens the engine: one compute thread, whose native kernels use `threads` threads, or a GPU. For long streams of runs there is
 * a second compute thread, from the first one on, and each has half of the threads.
 *
 * @throws EtlError `engine` where `device` is a GPU that onnxruntime cannot use here
 */
export async function openOrt(options: EngineOptions = {}): Promise<Engine> {
  checkThreads(options.threads);
  const threads = options.threads ?? availableParallelism();
  const { device = "cpu" } = options;
  if (device === "cuda") needCuda();
  withoutTelemetry();
  const start = async (): Promise<{ client: Client<OrtMethods>; block: number }> => {
    const client = startClient<OrtMethods>("ort", scriptBeside(import.meta.url, "worker"));
    return { client, block: await client.call("hello", device) };
  };
  const { client, block } = await start();
  let second: Promise<Client<OrtMethods>> | undefined;
  const startSecond = async (): Promise<Client<OrtMethods>> => (await start()).client;
  /** What computes with `threads` threads. */
  const programs = (threads: number): Pick<Engine, "threads" | "compile" | "kernels"> => ({
    threads,
    compile: async (network, compilation = {}) => {
      const { runs = 1 } = compilation;
      const isLarge = bytesOf(network.parameters.values()) > LARGEST_COPIED_BYTES;
      if (runs < SHORTEST_STREAM || threads < 2 || device !== "cpu" || isLarge) {
        return compile([{ client, threads }], network, compilation);
      }
      const half = Math.floor(threads / 2);
      const other = await (second ??= startSecond());
      return compile(
        [
          { client, threads: threads - half },
          { client: other, threads: half },
        ],
        network,
        compilation,
      );
    },
    kernels: async (network, inputs, { runs }) => {
      checkInputs(network, inputs);
      const outputs = network.outputs.map(({ name }) => name);
      const compilation = { model: writeOnnx(network), outputs, settings: { threads, alone: true } };
      return client.call("kernels", { compilation, inputs, runs });
    },
  });
  const engine: Engine = {
    name: "ort",
    int8: true,
    description: `onnxruntime-node ${ortVersion()}, ${device.toUpperCase()}`,
    channelBlock: block,
    ...programs(threads),
    withThreads: (count) => ({ ...engine, ...programs(count) }),
    compileTraining: (network, training) => remoteTrainer(client, network, training, threads),
    dispose: async () => {
      // a second thread that did not start was reported to who asked for it
      const other = await second?.catch(() => undefined);
      await Promise.all([client.close(), other?.close()]);
    },
  };
  if (device === "cuda") {
    await tryCuda((network) => engine.compile(network)).catch(async (error: unknown) => {
      await client.close();
      throw error;
    });
  }
  return engine;
}

/** A compute thread, and how many threads its kernels use. */
interface Lane {
  readonly client: Client<OrtMethods>;
  readonly threads: number;
}

/** The network on every lane, as one program. */
async function compile(lanes: readonly Lane[], network: Network, options: CompileOptions): Promise<Program> {
  const { outputs = network.outputs.map(({ name }) => name), alone = false, plain = false } = options;
  const model = writeOnnx(withOutputs(network, outputs));
  if (model.byteLength > LARGEST_MODEL_BYTES) throw tooLarge(network, model.byteLength);
  const on = async ({ client, threads }: Lane, lane: number): Promise<Program> => {
    // moved to the last, after the others have copied it
    const moved = lane === lanes.length - 1 && model.buffer instanceof ArrayBuffer ? [model.buffer] : [];
    const settings = { threads, alone, plain };
    const { id } = await client.call("compile", { model, outputs, settings }, moved);
    return remoteProgram(client, network, id, (result) => named(network, result));
  };
  return sideBySide(await Promise.all(lanes.map(on)));
}

/** onnxruntime fuses nodes and names the result after the value it makes: give back the name of our node. */
async function named<T>(network: Network, result: Promise<T>): Promise<T> {
  try {
    return await result;
  } catch (error) {
    const found = isEtlError(error) ? /^(\S+) \((\w+)\): (.*)$/.exec(error.message) : null;
    if (!isEtlError(error) || found === null) throw error;
    const [, value = "", op = "", rest = ""] = found;
    const producers = producersOf(network);
    let node = producers.get(value.replace(/_nchwc$/, ""));
    while (node !== undefined && node.op !== op) node = producers.get(node.inputs[0] ?? "");
    if (node === undefined) throw error;
    throw new EtlError(error.kind, `${node.name} (${op}): ${rest}`, { hint: error.hint, cause: error });
  }
}

/**
 * The network with `outputs` as its outputs, checked for size. Outputs that are new carry only their rank (an empty
 * shape would declare a scalar, which the operators behind them refuse).
 */
function withOutputs(network: Network, outputs: readonly string[]): Network {
  const bytes = bytesOf(network.parameters.values());
  if (bytes > LARGEST_MODEL_BYTES) throw tooLarge(network, bytes);
  let inferred: ReadonlyMap<string, readonly number[]> | undefined;
  const shapes = (): ReadonlyMap<string, readonly number[]> => {
    // Only ranks are wanted: any size will do for the dimensions that have names.
    const names = network.inputs.flatMap(({ shape }) => shape.filter((dim) => typeof dim === "string"));
    const bindings = Object.fromEntries(names.map((name) => [name, 64]));
    return (inferred ??= propagate(network, { bindings, onError: "skip" }).shapes);
  };
  const known = new Map([...network.outputs, ...network.inputs].map((value) => [value.name, value]));
  checkOutputNames(network, outputs);
  const ranked = (name: string): ValueInfo => {
    const shape = shapes().get(name) ?? [];
    return { name, type: "float32", shape: shape.map((_, axis) => `${name}.${axis}`) };
  };
  return { ...network, outputs: outputs.map((name) => known.get(name) ?? ranked(name)) };
}

function tooLarge(network: Network, bytes: number): EtlError {
  return new EtlError(
    "unsupported",
    `${network.name}: ${(bytes / 1e9).toFixed(2)} GB of parameters, less than 2 GB was needed (the ONNX file format ends there)`,
    { hint: "cut the head off first: most parameters of large face networks sit in the classifier" },
  );
}
