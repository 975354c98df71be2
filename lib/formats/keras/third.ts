/**
 * The weights of Keras 3: `layers/<kind>_<i>/vars/<k>`, by the kinds of the layers and the order in which a layer made its
 * variables, without names.
 */
import { EtlError } from "../../core/errors.ts";
import type { Parameter } from "../../network/network.ts";
import { kerasError, type KerasLayer, type KerasModel } from "./config.ts";
import type { LayerWeights } from "./model.ts";
import type { KerasFile } from "./parse.ts";

/** Names of a layer's variables, in the order in which it makes them: those that learn, then the others. */
function variablesOf({ kind, config }: KerasLayer): readonly string[] {
  const bias = config["use_bias"] === false ? [] : ["bias"];
  const scale = config["scale"] === false ? [] : ["gamma"];
  const center = config["center"] === false ? [] : ["beta"];
  switch (kind) {
    case "SeparableConv2D":
      return ["depthwise_kernel", "pointwise_kernel", ...bias];
    case "BatchNormalization":
      return [...scale, ...center, "moving_mean", "moving_variance"];
    case "LayerNormalization":
      return [...scale, ...center];
    case "Normalization":
      return ["mean", "variance"];
    case "PReLU":
      return ["alpha"];
    default:
      return ["kernel", ...bias];
  }
}

/** `GlobalAveragePooling2D` -> `global_average_pooling2d`, as Keras does it. */
export function snakeCase(kind: string): string {
  return kind
    .replace(/\W+/g, "")
    .replace(/(.)([A-Z][a-z]+)/g, "$1_$2")
    .replace(/([a-z])([A-Z])/g, "$1_$2")
    .toLowerCase();
}

/** The weights of every layer by their names. @throws EtlError `format` where file and model do not fit */
export function weightsByOrder(model: KerasModel, file: KerasFile, where: string): LayerWeights {
  const stored = new Map(file.layers.map(({ layer, weights }) => [layer, weights]));
  const counts = new Map<string, number>();
  const result = new Map<string, ReadonlyMap<string, Parameter>>();
  for (const layer of model.layers) {
    // A Sequential model's input is no layer of its own there; others count it, but it has no weights.
    const kind = snakeCase(layer.kind);
    const count = counts.get(kind) ?? 0;
    counts.set(kind, count + 1);
    const folder = count === 0 ? kind : `${kind}_${count}`;
    const weights = [...(stored.get(folder) ?? new Map<string, Parameter>())];
    if (weights.length === 0) continue;
    const names = variablesOf(layer);
    const named = weights.map(([place, parameter]): [string, Parameter] => {
      const name = names[Number(place)];
      if (name === undefined)
        throw kerasError(
          `${where}: layer "${layer.name}" (${layer.kind})`,
          `${weights.length} variables`,
          String(names.length),
        );
      return [name, parameter];
    });
    result.set(layer.name, new Map(named));
  }
  if (result.size === 0 && stored.size > 0) {
    const kinds = [...stored.keys()].slice(0, 5).join(", ");
    throw new EtlError(
      "format",
      `${where}: weights of ${kinds}, none of a layer of the model; the weights of this model were needed`,
    );
  }
  return result;
}
