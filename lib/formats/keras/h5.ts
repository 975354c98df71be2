/**
 * Keras `.h5` files: weights alone, or a whole model with its `model_config`. The HDF5 library is C code that was not
 * written for hostile files: every file is read in a thread of its own, under a time limit.
 */
import { basename } from "node:path";
import { EtlError, messageOf } from "../../core/errors.ts";
import { scriptBeside, startThread } from "../../core/worker.ts";
import type { Network, Parameter } from "../../network/network.ts";
import { parseKerasModel } from "./config.ts";
import type { KerasFile } from "./parse.ts";
import type { KerasReply } from "./h5-worker.ts";
import { networkFromKeras } from "./model.ts";

export type { KerasFile, KerasLayerWeights } from "./parse.ts";

export interface ReadKerasOptions {
  /** Longest time to read for, in milliseconds; default two minutes. */
  readonly limit?: number;
}

/**
 * Reads a Keras `.h5` file. float64 comes in as float32.
 *
 * @throws EtlError kind `format` for a damaged file, `unsupported` for the `.weights.h5` layout of Keras 3
 */
export async function readKerasFile(
  path: string,
  { limit = 120_000 }: ReadKerasOptions = {},
): Promise<KerasFile> {
  const where = basename(path);
  const worker = startThread(scriptBeside(import.meta.url, "h5-worker"));
  let timer: NodeJS.Timeout | undefined;
  try {
    const reply = await new Promise<KerasReply>((resolve, reject) => {
      const damaged = (found: string): void => {
        reject(new EtlError("format", `${where}: ${found}, a whole Keras .h5 file was needed`));
      };
      worker.once("message", resolve);
      worker.once("error", (error) => {
        damaged(`the reader failed (${messageOf(error)})`);
      });
      worker.once("exit", (code) => {
        damaged(`the reader ended (code ${code})`);
      });
      timer = setTimeout(() => {
        damaged(`not read after ${limit / 1000} s`);
      }, limit);
      worker.postMessage(path);
    });
    if ("failure" in reply) {
      const { kind, message, hint } = reply.failure;
      throw new EtlError(kind, message, { hint });
    }
    return reply.file;
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}

/** All tensors of the file by name, `layer/kernel`, in the file's order. */
export async function readKerasWeights(path: string): Promise<Map<string, Parameter>> {
  const { layers } = await readKerasFile(path);
  const result = new Map<string, Parameter>();
  for (const { layer, weights } of layers) {
    for (const [name, parameter] of weights) {
      result.set(name.startsWith(`${layer}/`) ? name : `${layer}/${name}`, parameter);
    }
  }
  return result;
}

/** Reads a whole Keras model. @throws EtlError kind `usage` for a file that holds weights alone */
export async function readKerasModel(path: string, options: ReadKerasOptions = {}): Promise<Network> {
  const where = basename(path);
  const { layers, config, kerasVersion } = await readKerasFile(path, options);
  if (config === undefined) {
    throw new EtlError("usage", `${where}: weights without a model, a file with model_config was needed`, {
      hint: "weights go to a backbone: --backbone vggface --weights FILE; or save with model.save(FILE)",
    });
  }
  const weights = new Map(layers.map(({ layer, weights }) => [layer, byLastName(weights)]));
  const model = parseKerasModel({ model_config: config, keras_version: kerasVersion }, where);
  return networkFromKeras(model, weights, { where });
}

/** `conv1/kernel:0`, `conv1_W_1:0` or `kernel` -> `kernel`. */
export function byLastName(weights: ReadonlyMap<string, Parameter>): Map<string, Parameter> {
  const result = new Map<string, Parameter>();
  for (const [name, parameter] of weights) result.set(lastName(name), parameter);
  return result;
}

/** The last part of a tensor's name as Keras 2 calls it. */
export function lastName(name: string): string {
  const last = (name.split("/").at(-1) ?? name).replace(/:\d+$/, "");
  const old = /_(W|b|gamma|beta|running_mean|running_std)(_\d+)?$/.exec(last);
  if (old === null) return last;
  return (
    { W: "kernel", b: "bias", running_mean: "moving_mean", running_std: "moving_variance" }[old[1]] ?? old[1]
  );
}
