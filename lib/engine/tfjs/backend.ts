/** Which TensorFlow.js computes: the GPU build where it finds a GPU, else the native CPU build, else WebAssembly. */
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import * as tf from "@tensorflow/tfjs-core";
import { EtlError, messageOf } from "../../core/errors.ts";
import { registerWasmKernels } from "./kernels.ts";

/** What computes, as it was found. */
export interface Backend {
  /** For example "tfjs 4.22.0, wasm on the CPU, one thread (tfjs-node-gpu is not installed; ...)". */
  readonly description: string;
  readonly isGpu: boolean;
  readonly threads: number;
}

/** The parts of tfjs-node's backend that are asked. */
interface NativeBackend {
  readonly isUsingGpuDevice?: boolean;
}

/** Opens the best backend there is. What was passed over is named in the description. */
export async function openBackend(): Promise<Backend> {
  const skipped: string[] = [];
  // tfjs-core alone has no gradients in Node.js: tfjs-layers brings the whole list with it
  await loaded("tfjs-layers", () => import("@tensorflow/tfjs-layers"));
  for (const name of ["@tensorflow/tfjs-node-gpu", "@tensorflow/tfjs-node"]) {
    const native = await openNative(name, skipped);
    if (native !== undefined) return native;
  }
  return openWasm(skipped);
}

const shortName = (name: string): string => name.replace("@tensorflow/", "");

async function openNative(name: string, skipped: string[]): Promise<Backend | undefined> {
  if (!isInstalled(name)) {
    skipped.push(`${shortName(name)} is not installed`);
    return undefined;
  }
  try {
    // the package's name is not written here, so that it need not be there to be compiled against
    await import(name);
    if (!(await tf.setBackend("tensorflow"))) throw new Error("its backend does not start");
  } catch (error) {
    skipped.push(`${shortName(name)} does not load: ${reasonOf(error)}`);
    return undefined;
  }
  const isGpu = (tf.backend() as NativeBackend).isUsingGpuDevice === true;
  if (name.endsWith("-gpu") && !isGpu) skipped.push(`${shortName(name)} finds no GPU`);
  const device = isGpu ? "GPU" : "CPU";
  const notes = skipped.length === 0 ? "" : ` (${skipped.join("; ")})`;
  return {
    description: `${shortName(name)} with tfjs ${tf.version_core}, ${device}${notes}`,
    isGpu,
    threads: availableParallelism(),
  };
}

/** The first sentence, without paths. */
function reasonOf(error: unknown): string {
  return messageOf(error)
    .split("\n")[0]
    .replace(/ at path: .*$/, "");
}

/** Whether a package can be found. */
function isInstalled(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name);
    return true;
  } catch {
    return false;
  }
}

async function openWasm(skipped: readonly string[]): Promise<Backend> {
  await loaded("tfjs-backend-wasm", () => import("@tensorflow/tfjs-backend-wasm"));
  if (!(await tf.setBackend("wasm"))) {
    const found = [...skipped, "wasm does not start"].join("; ");
    throw new EtlError("engine", `tfjs: ${found}, a backend that starts was needed`, {
      hint: "use --engine ort",
    });
  }
  registerWasmKernels();
  return {
    description: `tfjs ${tf.version_core}, wasm, CPU, one thread (${skipped.join("; ")})`,
    isGpu: false,
    threads: 1,
  };
}

/** Loads an optional package; without it there is no engine. */
async function loaded(name: string, load: () => Promise<unknown>): Promise<void> {
  try {
    await load();
  } catch (error) {
    throw new EtlError("engine", `tfjs: ${name} does not load (${reasonOf(error)}), it was needed`, {
      hint: `use --engine ort, or: npm install @tensorflow/${name}`,
      cause: error,
    });
  }
}
