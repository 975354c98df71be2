/** A Keras model as a network: layers one by one, channels last to channels first. */
import { EtlError, nearest } from "../../core/errors.ts";
import { createBuilder } from "../../network/builder.ts";
import type { Network, Parameter } from "../../network/network.ts";
import { isElementwise } from "./activations.ts";
import { kerasError, text, type KerasLayer, type KerasModel, type KerasTensor } from "./config.ts";
import { isWhole, type KerasValue, type LayerCall, type KerasSize } from "./context.ts";
import { isOperator, operatorRules } from "./extra.ts";
import { layerRules, orderBlind } from "./layers.ts";

/** Weights of each layer by their last name: kernel, bias, gamma, beta, moving_mean ... */
export type LayerWeights = ReadonlyMap<string, ReadonlyMap<string, Parameter>>;

export interface KerasModelOptions {
  /** The file, for messages. */
  readonly where: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

interface Step {
  readonly layer: KerasLayer;
  readonly call: number;
}

/**
 * Converts a Keras model. Images are [n, channels, height, width] in the network, and the matrix behind a Flatten has
 * its inputs reordered accordingly; values are named after the layers.
 *
 * @throws EtlError kind `unsupported` that names the layer, `format` where layers and weights do not fit
 */
export function networkFromKeras(
  model: KerasModel,
  weights: LayerWeights,
  options: KerasModelOptions,
): Network {
  const { where, metadata = {} } = options;
  const net = createBuilder(model.name);
  const values = new Map<string, KerasValue>();
  const readers = readersOf(model);
  for (const { layer, call } of inOrder(model, where)) {
    const place = `${where}: layer "${layer.name}" (${layer.kind})`;
    if ("border_mode" in layer.config || "subsample" in layer.config || "nb_filter" in layer.config) {
      throw new EtlError("unsupported", `${place}: settings of Keras 1, a file of Keras 2 or 3 was needed`, {
        hint: "load and save the model with Keras 2",
      });
    }
    const label = call === 0 ? layer.name : `${layer.name}/call${call}`;
    if (layer.kind === "InputLayer") {
      values.set(keyOf({ layer: layer.name, call, tensor: 0 }), inputOf(net.input, layer, place));
      continue;
    }
    const operands = layer.operands?.[call] ?? [];
    const rules = isOperator(layer.kind, operands) ? operatorRules : layerRules;
    if (!Object.hasOwn(rules, layer.kind)) throw unknownLayer(place, layer.kind);
    const inputs = layer.calls[call].map((tensor) => {
      const value = values.get(keyOf(tensor));
      if (value === undefined)
        throw kerasError(place, `input ${keyOf(tensor)}, made by nothing`, "a layer's output");
      return value;
    });
    const own: LayerCall = {
      net,
      layer,
      label,
      where: place,
      weights: weights.get(layer.name) ?? new Map(),
      version: model.version,
      operands,
      freeOrder:
        (layer.kind === "Flatten" || layer.kind === "Reshape") &&
        reachesOnlyMatrices(readers, keyOf({ layer: layer.name, call, tensor: 0 })),
    };
    values.set(keyOf({ layer: layer.name, call, tensor: 0 }), rules[layer.kind](own, inputs));
  }
  const outputs = model.outputs.map((tensor) => {
    const value = values.get(keyOf(tensor));
    if (value === undefined)
      throw kerasError(where, `output ${keyOf(tensor)}, made by nothing`, "a layer's output");
    return value.name;
  });
  return net.build([...new Set(outputs)], metadata);
}

function keyOf({ layer, call, tensor }: KerasTensor): string {
  return `${layer}[${call}][${tensor}]`;
}

function unknownLayer(where: string, kind: string): EtlError {
  const near = nearest(kind, Object.keys(layerRules));
  return new EtlError("unsupported", `${where}: a layer of kind ${kind}, a known kind was needed`, {
    hint: `${near === undefined ? "" : `the nearest known one is ${near}; `}docs/formats.md lists them`,
  });
}

function inputOf(
  add: (label: string, shape: readonly (number | string)[]) => string,
  layer: KerasLayer,
  where: string,
): KerasValue {
  const { config } = layer;
  const given = config["batch_input_shape"] ?? config["batch_shape"] ?? config["input_shape"];
  const all: readonly unknown[] = Array.isArray(given) ? (given as unknown[]) : [];
  const open = (size: unknown): boolean => size === null || (isWhole(size) && size > 0);
  if ((all.length !== 4 && all.length !== 2) || !all.every(open)) {
    const found = all.length === 0 ? text(given) : `[${all.map(text).join(", ")}]`;
    throw new EtlError(
      "unsupported",
      `${where}: input shape ${found}, [n, height, width, channels] or [n, channels] was needed`,
    );
  }
  const sizes = all.slice(1).map((size): KerasSize => (isWhole(size) ? size : undefined));
  const shape = sizes.length === 3 ? [sizes[2], sizes[0], sizes[1]] : sizes;
  if (shape[0] === undefined) {
    throw new EtlError("unsupported", `${where}: an open number of channels, a fixed one was needed`);
  }
  const names = sizes.length === 3 ? ["channels", "height", "width"] : ["channels"];
  return { name: add(layer.name, ["batch", ...shape.map((size, i) => size ?? names[i])]), shape };
}

/** Every call behind the calls it reads. @throws EtlError where calls read each other in a circle */
function inOrder(model: KerasModel, where: string): Step[] {
  const layers = new Map(model.layers.map((layer) => [layer.name, layer]));
  const state = new Map<string, "open" | "done">();
  const order: Step[] = [];
  // An own stack: a damaged file may be as deep as it likes.
  const stack: { step: Step; next: number }[] = [];
  const enter = ({ layer: name, call, tensor }: KerasTensor): void => {
    const layer = layers.get(name);
    const key = `${name}[${call}]`;
    if (layer === undefined || call >= layer.calls.length || tensor !== 0) {
      throw kerasError(where, `reference to ${key}[${tensor}], which does not exist`, "a layer's output");
    }
    if (state.get(key) === "open") {
      throw kerasError(where, `a circle through layer "${name}"`, "layers that do not read themselves");
    }
    if (state.has(key)) return;
    state.set(key, "open");
    stack.push({ step: { layer, call }, next: 0 });
  };
  for (const root of [...model.inputs, ...model.outputs]) {
    enter(root);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const reads = top.step.layer.calls[top.step.call];
      if (top.next < reads.length) {
        enter(reads[top.next++]);
      } else {
        state.set(`${top.step.layer.name}[${top.step.call}]`, "done");
        order.push(top.step);
        stack.pop();
      }
    }
  }
  return order;
}

/** value -> the calls that read it; a model's output is read by `undefined`. */
function readersOf(model: KerasModel): Map<string, (Step | undefined)[]> {
  const readers = new Map<string, (Step | undefined)[]>();
  const add = (tensor: KerasTensor, reader: Step | undefined): void => {
    const key = keyOf(tensor);
    const list = readers.get(key);
    if (list) list.push(reader);
    else readers.set(key, [reader]);
  };
  for (const layer of model.layers) {
    layer.calls.forEach((reads, call) => {
      for (const tensor of reads) add(tensor, { layer, call });
    });
  }
  for (const tensor of model.outputs) add(tensor, undefined);
  return readers;
}

/** Whether a value reaches Dense layers only, through layers that do not care for the order of its numbers. */
function reachesOnlyMatrices(
  readers: ReadonlyMap<string, readonly (Step | undefined)[]>,
  value: string,
): boolean {
  const open = [value];
  const seen = new Set(open);
  for (let key = open.pop(); key !== undefined; key = open.pop()) {
    for (const reader of readers.get(key) ?? []) {
      if (reader === undefined) return false;
      const { layer, call } = reader;
      if (layer.kind === "Dense") continue;
      const blind =
        layer.kind === "Activation" ? isElementwise(layer.config["activation"]) : orderBlind.has(layer.kind);
      if (!blind) return false;
      const next = keyOf({ layer: layer.name, call, tensor: 0 });
      if (!seen.has(next)) open.push(next);
      seen.add(next);
    }
  }
  return true;
}
