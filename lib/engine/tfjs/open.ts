/** The tfjs engine as the calling thread sees it: networks in, programs and trainers out. */
import { createRequire } from "node:module";
import { EtlError } from "../../core/errors.ts";
import { checkThreads, type Engine, type EngineOptions } from "../engine.ts";
import { scriptBeside } from "../../core/worker.ts";
import { startClient } from "../worker/client.ts";
import { checkOutputNames, remoteProgram, remoteTrainer } from "../worker/remote.ts";
import type { TfjsMethods } from "./messages.ts";

/** Whether the GPU build of TensorFlow.js is installed. Nothing is loaded. */
export function isGpuBuildInstalled(): boolean {
  try {
    createRequire(import.meta.url).resolve("@tensorflow/tfjs-node-gpu");
    return true;
  } catch {
    return false;
  }
}

/** An engine that says whether it computes on a GPU. */
export interface TfjsEngine extends Engine {
  readonly isGpu: boolean;
}

/** Opens the engine: one compute thread. The number of threads is the backend's own; `threads` says which it is. */
export async function openTfjs(options: EngineOptions = {}): Promise<TfjsEngine> {
  checkThreads(options.threads);
  const client = startClient<TfjsMethods>("tfjs", scriptBeside(import.meta.url, "worker"));
  const { description, isGpu, threads } = await client.call("hello", null).catch(async (error: unknown) => {
    await client.close();
    throw error;
  });
  const { device } = options;
  if (device !== undefined && (device === "cuda") !== isGpu) {
    await client.close();
    const needed = device === "cuda" ? "a GPU that its GPU build finds" : "a backend on the CPU";
    throw new EtlError(
      "engine",
      `--device ${device}: the tfjs engine has ${description}, ${needed} was needed`,
      {
        hint: "`etl doctor` says which engines load, and why the others do not",
      },
    );
  }
  return {
    name: "tfjs",
    int8: false,
    description,
    isGpu,
    threads,
    channelBlock: 1,
    compile: async (network, { outputs = network.outputs.map(({ name }) => name) } = {}) => {
      checkOutputNames(network, outputs);
      const { id } = await client.call("compile", { network, outputs });
      return remoteProgram(client, network, id);
    },
    kernels: (network, inputs, { runs }) => {
      const compilation = { network, outputs: network.outputs.map(({ name }) => name) };
      return client.call("kernels", { compilation, inputs, runs });
    },
    compileTraining: (network, training) => remoteTrainer(client, network, training, threads),
    dispose: () => client.close(),
  };
}
