/** tfjs layers models: `model.json` and the binary files it names. */
import { isRecord } from "../../core/own.ts";
import { basename, dirname, resolve } from "node:path";
import { readBeside, readJson } from "../../core/files.ts";
import type { Network, Parameter } from "../../network/network.ts";
import { kerasError, parseKerasModel, text, type KerasModel } from "../keras/config.ts";
import { lastName, readKerasPair } from "../keras/h5.ts";
import { networkFromKeras, type LayerWeights } from "../keras/model.ts";
import { networkFromGraphModel } from "../tensorflow/graph-model.ts";
import { graphKey, networkFromGraph } from "./graph.ts";
import { parseTfjsManifest } from "./manifest.ts";
import { readTfjsGroups } from "./weights.ts";

/**
 * Reads a tfjs model, of layers or of TensorFlow's nodes. One that {@link writeTfjs} wrote comes back as the network it was, with the weights that
 * the file now holds; any other is converted layer by layer.
 *
 * @throws EtlError kind `unsupported` for what is not known, `format` for damage
 */
export async function readTfjsModel(path: string): Promise<Network> {
  const folder = dirname(resolve(path));
  const model = await readJson(path);
  // What model.to_json() of Keras gives has the same ending.
  if (isRecord(model) && model["modelTopology"] === undefined && typeof model["class_name"] === "string")
    return readKerasPair(path, model);
  return readTfjs(model, {
    name: basename(folder) === "" ? path : `${basename(folder)}/${basename(path)}`,
    read: (name) => Promise.resolve(readBeside(path, name)),
  });
}

export interface ReadTfjsOptions {
  /** File name, for messages. */
  readonly name: string;
  /** Gives the bytes of a file that the manifest names. */
  readonly read: (name: string) => Promise<Uint8Array>;
}

/** Reads a parsed `model.json`. */
export async function readTfjs(model: unknown, { name: where, read }: ReadTfjsOptions): Promise<Network> {
  if (!isRecord(model)) throw kerasError(where, "no object", "a tfjs model.json");
  const topology = model["modelTopology"];
  const format = model["format"];
  const graph = format === "graph-model" || (isRecord(topology) && Array.isArray(topology["node"]));
  if (!graph && format !== undefined && format !== "layers-model") {
    throw kerasError(where, `format ${text(format)}`, '"layers-model"');
  }
  if (!isRecord(topology)) throw kerasError(where, "no modelTopology", "a tfjs layers model");
  const groups = parseTfjsManifest(model["weightsManifest"] ?? [], where);
  const weights = await readTfjsGroups(groups, read, where);
  const extra = model["userDefinedMetadata"];
  const facts = isRecord(extra) ? extra : {};
  const metadata = Object.fromEntries(
    Object.entries(facts).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
  if (graph) return networkFromGraphModel(model, weights, { where, metadata });
  const modelConfig = topology["model_config"] ?? topology;
  const own = networkFromGraph(facts[graphKey], weights, { modelConfig, metadata, where });
  if (own !== undefined) return own;
  const keras = parseKerasModel(topology, where);
  return networkFromKeras(keras, byLayer(keras, weights), { where, metadata });
}

/** Weights by layer: `layer/kernel`, or `model/layer/kernel`; where no layer's name is there, the first part of the weight's. */
function byLayer(model: KerasModel, weights: ReadonlyMap<string, Parameter>): LayerWeights {
  const names = new Set(model.layers.map(({ name }) => name));
  const result = new Map<string, Map<string, Parameter>>();
  for (const [name, parameter] of weights) {
    const parts = name.split("/");
    const prefixes = parts.map((_, i) => parts.slice(0, parts.length - i - 1).join("/"));
    const within = parts.slice(0, -1).findLast((part) => names.has(part));
    const layer = prefixes.find((prefix) => names.has(prefix)) ?? within ?? parts[0];
    const list = result.get(layer) ?? new Map<string, Parameter>();
    list.set(lastName(name), parameter);
    result.set(layer, list);
  }
  return result;
}
