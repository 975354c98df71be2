/**
 * The layers of a Keras model as plain data, from its JSON: `model_config` of an `.h5` file, `modelTopology` of a tfjs
 * `model.json`. Keras 2, Keras 3 and tfjs spell the connections differently; here they are one.
 */
import { isRecord } from "../../core/own.ts";
import { EtlError } from "../../core/errors.ts";

/** Settings of a layer, keys in snake_case. */
type KerasConfig = Readonly<Record<string, unknown>>;

/** Which result of which call of a layer. */
export interface KerasTensor {
  readonly layer: string;
  readonly call: number;
  readonly tensor: number;
}

export interface KerasLayer {
  readonly kind: string;
  readonly name: string;
  readonly config: KerasConfig;
  /** Inputs of each call; an InputLayer has none. */
  readonly calls: readonly (readonly KerasTensor[])[];
  /** Arguments of each call in order, where some are numbers: `x + 3.0`. */
  readonly operands?: readonly (readonly ("tensor" | number)[])[];
}

export interface KerasModel {
  readonly name: string;
  readonly layers: readonly KerasLayer[];
  readonly inputs: readonly KerasTensor[];
  readonly outputs: readonly KerasTensor[];
  /** Major version of Keras that wrote the file, where it says. */
  readonly version: number | undefined;
}

/** Deeper nesting than any real file has, so that damaged JSON cannot exhaust the stack. */
const deepest = 64;

export function kerasError(where: string, found: string, needed: string): EtlError {
  return new EtlError("format", `${where}: ${found}, ${needed} was needed`);
}

/**
 * Reads the layers of a Sequential or Functional model.
 *
 * @param value parsed JSON: `{ class_name, config }`, or an object that holds one as `model_config`
 * @param where the file, for messages
 * @throws EtlError kind `format` for damage, `unsupported` for models inside models
 */
export function parseKerasModel(value: unknown, where: string): KerasModel {
  const outer = isRecord(value) && isRecord(value["model_config"]) ? value["model_config"] : value;
  if (!isRecord(outer)) throw kerasError(where, "no model_config", "a Keras model");
  const version = majorOf(isRecord(value) ? (value["keras_version"] ?? outer["keras_version"]) : undefined);
  const kind = outer["class_name"];
  const config = Array.isArray(outer["config"]) ? { layers: outer["config"] as unknown[] } : outer["config"];
  if (!isRecord(config)) throw kerasError(where, "a model without config", '"config" with its layers');
  const list = config["layers"];
  if (!Array.isArray(list) || list.length === 0) throw kerasError(where, "no layers", "at least one");
  const name = typeof config["name"] === "string" ? config["name"] : "model";
  const read = list.map((layer: unknown, i) => parseLayer(layer, `${where}: layer ${i}`));
  const layers = read.map(({ layer }) => layer);
  const taken = new Set<string>();
  for (const layer of layers) {
    if (taken.has(layer.name)) throw kerasError(where, `two layers named "${layer.name}"`, "a name for each");
    taken.add(layer.name);
  }
  if (kind === "Sequential") return { name, version, ...chain(layers, config, where) };
  if (kind !== "Functional" && kind !== "Model") {
    throw new EtlError(
      "unsupported",
      `${where}: a model of class ${JSON.stringify(kind)}, Sequential or Functional was needed`,
      { hint: "a subclassed model has no graph in its file: export it as ONNX" },
    );
  }
  const called = read.map(({ layer, inbound }): KerasLayer => ({
    ...layer,
    calls: parseCalls(inbound, layer, where),
    operands: operandsOf(inbound),
  }));
  const inputs = tensorList(config["input_layers"], `${where}: input_layers`);
  const outputs = tensorList(config["output_layers"], `${where}: output_layers`);
  if (inputs.length === 0 || outputs.length === 0) {
    throw kerasError(where, `${inputs.length} inputs and ${outputs.length} outputs`, "at least one of each");
  }
  return { name, version, layers: called, inputs, outputs };
}

function majorOf(text: unknown): number | undefined {
  const match = typeof text === "string" ? /^(\d+)\./.exec(text) : null;
  return match === null ? undefined : Number(match[1]);
}

function parseLayer(value: unknown, where: string): { layer: KerasLayer; inbound: unknown } {
  if (!isRecord(value) || typeof value["class_name"] !== "string") {
    throw kerasError(where, "no class_name", "a Keras layer");
  }
  const kind = value["class_name"];
  const config = value["config"];
  if (!isRecord(config)) throw kerasError(`${where} (${kind})`, "no config", "the layer's settings");
  const name = [value["name"], config["name"]].find((each) => typeof each === "string");
  if (typeof name !== "string") throw kerasError(`${where} (${kind})`, "no name", "one");
  if (["Model", "Functional", "Sequential"].includes(kind)) {
    throw new EtlError(
      "unsupported",
      `${where}: "${name}" is a model inside the model, plain layers were needed`,
      { hint: "rebuild the model flat before saving, or export it as ONNX" },
    );
  }
  return { layer: { kind, name, config, calls: [] }, inbound: value["inbound_nodes"] };
}

/** A Sequential model: every layer reads the one before; an input is made up where the first only says its shape. */
function chain(
  list: readonly KerasLayer[],
  config: KerasConfig,
  where: string,
): Pick<KerasModel, "layers" | "inputs" | "outputs"> {
  const [first] = list;
  const named = first.kind === "InputLayer";
  const shape =
    first.config["batch_input_shape"] ?? first.config["batch_shape"] ?? config["build_input_shape"];
  let name = "input";
  while (list.some((layer) => layer.name === name)) name += "_";
  const input: KerasLayer = named
    ? { ...first, calls: [[]] }
    : { kind: "InputLayer", name, config: { batch_input_shape: shape }, calls: [[]] };
  const layers = [input];
  for (const layer of named ? list.slice(1) : list) {
    layers.push({ ...layer, calls: [[{ layer: layers[layers.length - 1].name, call: 0, tensor: 0 }]] });
  }
  if (layers.length < 2) throw kerasError(where, "a model of one input", "at least one layer");
  const end = (layer: KerasLayer): KerasTensor => ({ layer: layer.name, call: 0, tensor: 0 });
  return { layers, inputs: [end(input)], outputs: [end(layers[layers.length - 1])] };
}

function parseCalls(inbound: unknown, layer: KerasLayer, file: string): KerasTensor[][] {
  const where = `${file}: layer "${layer.name}"`;
  if (inbound !== undefined && !Array.isArray(inbound)) throw kerasError(where, "inbound_nodes", "a list");
  const calls = (inbound ?? []).map((call: unknown) => {
    const found: KerasTensor[] = [];
    if (isRecord(call)) historiesIn(call["args"], found, { where, depth: 0 });
    else if (Array.isArray(call)) found.push(...call.flatMap((item: unknown) => tensorsOf(item, where)));
    else throw kerasError(where, "a call that is no list", "the layers it reads");
    if (found.length === 0) throw kerasError(where, "a call without inputs", "the layers it reads");
    return found;
  });
  if (calls.length > 0) return calls;
  if (layer.kind === "InputLayer") return [[]];
  throw kerasError(where, "no inbound_nodes", "the layers it reads");
}

/** The numbers and tensors among the arguments of every call. */
function operandsOf(inbound: unknown): ("tensor" | number)[][] {
  if (!Array.isArray(inbound)) return [];
  const operand = (value: unknown): ("tensor" | number)[] =>
    typeof value === "number" ? [value] : Array.isArray(value) || isRecord(value) ? ["tensor"] : [];
  return inbound.map((call: unknown) => {
    if (isRecord(call)) return Array.isArray(call["args"]) ? call["args"].flatMap(operand) : [];
    // Keras 2: the first is the tensor, the second stands by its name among the settings of the call.
    const [item] = Array.isArray(call) ? (call as unknown[]) : [];
    const settings: unknown = Array.isArray(item) ? item[3] : undefined;
    return ["tensor", ...(isRecord(settings) ? operand(settings["y"]) : [])];
  });
}

/** Keras 2: the tensor, and the second operand of an operator where that is a tensor, too. */
function tensorsOf(item: unknown, where: string): KerasTensor[] {
  const settings: unknown = Array.isArray(item) ? item[3] : undefined;
  const other = isRecord(settings) ? settings["y"] : undefined;
  return [tensorOf(item, where), ...(Array.isArray(other) ? [tensorOf(other, where)] : [])];
}

/** Keras 3: the tensors somewhere among a call's arguments. */
function historiesIn(value: unknown, into: KerasTensor[], at: { where: string; depth: number }): void {
  if (at.depth > deepest) throw kerasError(at.where, "arguments nested too deep", "a list of tensors");
  const deeper = { ...at, depth: at.depth + 1 };
  if (Array.isArray(value)) {
    for (const item of value) historiesIn(item, into, deeper);
  } else if (isRecord(value)) {
    const config = value["config"];
    if (value["class_name"] === "__keras_tensor__" && isRecord(config)) {
      into.push(tensorOf(config["keras_history"], at.where));
    }
  }
}

function tensorOf(value: unknown, where: string): KerasTensor {
  if (Array.isArray(value)) {
    const [layer, call, tensor] = value as unknown[];
    if (typeof layer === "string" && isIndex(call) && isIndex(tensor)) return { layer, call, tensor };
  }
  throw kerasError(where, `reference ${text(value)}`, "[layer, call, tensor]");
}

function isIndex(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** `[["a", 0, 0], ["b", 0, 0]]`, or Keras 3's shorthand `["a", 0, 0]` for one. */
function tensorList(value: unknown, where: string): KerasTensor[] {
  if (!Array.isArray(value)) throw kerasError(where, text(value), "a list of layers");
  return typeof value[0] === "string"
    ? [tensorOf(value, where)]
    : value.map((item: unknown) => tensorOf(item, where));
}

/** A value for a message, cut short. */
export function text(value: unknown): string {
  if (value === undefined) return "nothing";
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "a list" : "an object";
  return JSON.stringify(value).slice(0, 60);
}
