/**
 * Keras `.h5` files: weights alone, or a whole model with its `model_config`. The HDF5 library is C code that was not
 * written for hostile files: every file is read in a thread of its own, under a time limit.
 */
import { isRecord } from "../../core/own.ts";
import { readdir } from "node:fs/promises";
import { basename, dirname, extname, join, resolve } from "node:path";
import { EtlError, messageOf } from "../../core/errors.ts";
import { readBytes } from "../../core/files.ts";
import { parseJson } from "../../core/parse-json.ts";
import { scriptBeside, startThread } from "../../core/worker.ts";
import type { Network, Parameter } from "../../network/network.ts";
import { parseKerasModel } from "./config.ts";
import type { KerasFile } from "./parse.ts";
import type { KerasQuestion, KerasReply } from "./h5-worker.ts";
import { networkFromKeras } from "./model.ts";
import { weightsByOrder } from "./third.ts";
import { readZip } from "./zip.ts";

export type { KerasFile } from "./parse.ts";

export interface ReadKerasOptions {
  /** Longest time to read for, in milliseconds; default two minutes. */
  readonly limit?: number;
  /** The bytes of the file, where it lies inside another. */
  readonly bytes?: Uint8Array;
}

/**
 * Reads a Keras `.h5` file. float64 comes in as float32.
 *
 * @throws EtlError kind `format` for a damaged file
 */
export async function readKerasFile(
  path: string,
  { limit = 120_000, bytes }: ReadKerasOptions = {},
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
      worker.postMessage({ path, ...(bytes !== undefined && { bytes }) } satisfies KerasQuestion);
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
  const { layers, byOrder } = await readKerasFile(path);
  if (byOrder === true) {
    throw new EtlError(
      "usage",
      `${basename(path)}: weights of Keras 3 without names, a file with names was needed`,
      {
        hint: "save the whole model: model.save(FILE.keras), or lay model.to_json() beside it as .json",
      },
    );
  }
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
  const file = await readKerasFile(path, options);
  if (file.config === undefined) {
    throw new EtlError("usage", `${where}: weights without a model, a file with model_config was needed`, {
      hint: "weights go to a backbone: --backbone vggface --weights FILE; or save with model.save(FILE)",
    });
  }
  return assembled({ model_config: file.config, keras_version: file.kerasVersion }, file, where);
}

/** Layers from one place, weights from another. */
function assembled(config: unknown, file: KerasFile, where: string): Network {
  const model = parseKerasModel(config, where);
  const weights =
    file.byOrder === true
      ? weightsByOrder(model, file, where)
      : new Map(file.layers.map(({ layer, weights: own }) => [layer, byLastName(own)]));
  return networkFromKeras(model, weights, { where });
}

/** Reads the archive of Keras 3: a zip file with the layers as JSON and the weights as HDF5. */
export async function readKerasArchive(path: string): Promise<Network> {
  const where = basename(path);
  const [config, about, weights] = ["config.json", "metadata.json", "model.weights.h5"];
  const files = readZip(await readBytes(path), [config, about, weights], where);
  const json = (name: string): unknown =>
    parseJson(new TextDecoder().decode(files.get(name)), `${where}: ${name}`);
  const file = await readKerasFile(path, { bytes: Uint8Array.from(files.get(weights) ?? []) });
  const facts = json(about);
  const version = isRecord(facts) ? facts["keras_version"] : undefined;
  return assembled({ model_config: json(config), keras_version: version }, file, where);
}

/** Reads the layers from a `.json` file, and their weights from the `.h5` file beside it. */
export async function readKerasPair(path: string, config: unknown): Promise<Network> {
  const weights = await weightsBeside(path);
  const file = await readKerasFile(weights);
  return assembled(config, file, basename(path));
}

/** Where the weights of `name.json` lie: a file of its name, else the only one in the folder. */
async function weightsBeside(path: string): Promise<string> {
  const folder = dirname(resolve(path));
  const own = basename(path, extname(path));
  const files = (await readdir(folder)).filter((name) => /\.(h5|hdf5)$/i.test(name));
  const named = [`${own}.weights.h5`, `${own}_weights.h5`, `${own}.h5`, "model.weights.h5"];
  const found = named.find((name) => files.includes(name)) ?? (files.length === 1 ? files[0] : undefined);
  if (found !== undefined) return join(folder, found);
  throw new EtlError(
    "usage",
    `${basename(path)}: the layers of a Keras model, and ${files.length} .h5 files beside it; one with its weights was needed`,
    { hint: `call the weights ${own}.weights.h5` },
  );
}

/** `conv1/kernel:0`, `conv1_W_1:0` or `kernel` -> `kernel`. */
function byLastName(weights: ReadonlyMap<string, Parameter>): Map<string, Parameter> {
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
