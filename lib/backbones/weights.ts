/** Weights from a file into a network that was built with empty ones. */
import { own } from "../core/own.ts";
import { extname } from "node:path";
import { EtlError, nearest } from "../core/errors.ts";
import { readBytes } from "../core/files.ts";
import { readKerasWeights } from "../formats/keras/h5.ts";
import { readSafetensors } from "../formats/safetensors.ts";
import { readTfjsWeights } from "../formats/tfjs/weights.ts";
import type { Network, Parameter } from "../network/network.ts";

/** Named tensors, as a file holds them. */
export type Weights = ReadonlyMap<string, Parameter>;

/** Readers of weight files by ending. */
const readers: Readonly<Partial<Record<string, (path: string) => Promise<Weights>>>> = {
  ".safetensors": async (path) => readSafetensors(await readBytes(path), path).tensors,
  ".json": readTfjsWeights,
  ".h5": readKerasWeights,
  ".hdf5": readKerasWeights,
};

/** Reads a weight file. @throws EtlError kind `usage` for an ending without a reader */
export async function readWeights(path: string): Promise<Weights> {
  const reader = own(readers, extname(path).toLowerCase());
  if (reader !== undefined) return reader(path);
  const known = Object.keys(readers).join(", ");
  throw new EtlError("usage", `--weights: found "${path}", a file that ends in ${known} was needed`, {
    hint: extname(path) === ".onnx" ? "a whole model goes to --backbone" : undefined,
  });
}

/** Whether a file of weights is in Keras's layout, by its ending. */
export function isKerasFile(path: string): boolean {
  return [".h5", ".hdf5"].includes(extname(path).toLowerCase());
}

/** What training wraps around a network puts in front of every name. */
const wrappers = ["module.", "model.", "state_dict.", "_orig_mod."];

/** The same weights without a prefix that all of them share: `module.` of DataParallel, `model.` of Lightning ... */
export function withPlainNames(weights: Weights): Weights {
  let result = weights;
  for (;;) {
    const names = [...result.keys()];
    const prefix = wrappers.find((each) => names.length > 0 && names.every((name) => name.startsWith(each)));
    if (prefix === undefined) return result;
    result = new Map([...result].map(([name, parameter]) => [name.slice(prefix.length), parameter]));
  }
}

/** PyTorch's endings for batch norm -> the builder's. */
const pytorchEndings: readonly (readonly [from: string, to: string])[] = [
  [".weight", ".scale"],
  [".running_mean", ".mean"],
  [".running_var", ".variance"],
];

/**
 * Fills every float32 parameter of a network from tensors of the same name (or PyTorch's name for it); single numbers
 * (the 6 of a ReLU6, the share of a dropout) are settings and stay. Tensors that the network has no place for must be
 * counters of batch norm; anything else would be a different network.
 *
 * @param where the file, for messages
 * @throws EtlError kind `format` for a tensor that is missing, left over or of another shape
 */
export function assignWeights(network: Network, weights: Weights, where: string): Network {
  const used = new Set<string>();
  const missing: string[] = [];
  const parameters = new Map(network.parameters);
  for (const [name, parameter] of network.parameters) {
    if (parameter.type !== "float32" || isSetting(parameter)) continue;
    const source = [name, ...torchNames(name)].find((candidate) => weights.has(candidate));
    const tensor = source === undefined ? undefined : weights.get(source);
    if (source === undefined || tensor === undefined) {
      missing.push(name);
      continue;
    }
    const [found, needed] = [tensor, parameter].map(({ type, shape }) => `${type} [${shape.join(", ")}]`);
    if (found !== needed) {
      throw new EtlError("format", `${where}: weight "${source}" is ${found}, ${needed} was needed`, {
        hint: `the file belongs to another network than ${network.name}, or to one of another width, size of pictures or number of classes`,
      });
    }
    used.add(source);
    parameters.set(name, tensor);
  }
  if (missing.length > 0) throw missingWeights(missing, { network, weights, used, where });
  // A model file has its settings among its weights.
  const isOwnSetting = (name: string): boolean => {
    const own = network.parameters.get(name);
    return own !== undefined && isSetting(own);
  };
  const left = [...weights.keys()].filter(
    (name) => !used.has(name) && !name.endsWith(".num_batches_tracked") && !isOwnSetting(name),
  );
  if (left.length > 0) {
    const some = left.slice(0, 3).join(", ");
    throw new EtlError(
      "format",
      `${where}: ${left.length} weights that ${network.name} has no place for (${some}), exactly its own were needed`,
      { hint: "the file belongs to another network" },
    );
  }
  return { ...network, parameters };
}

const isSetting = ({ shape }: Parameter): boolean => shape.length === 0;

/** Names what is missing, and beside the first few what the file has instead. */
function missingWeights(
  missing: readonly string[],
  at: {
    readonly network: Network;
    readonly weights: Weights;
    readonly used: ReadonlySet<string>;
    readonly where: string;
  },
): EtlError {
  const { network, weights, used, where } = at;
  const unused = [...weights.keys()].filter((name) => !used.has(name));
  const some = missing.slice(0, 3);
  const pairs = some.flatMap((name) => {
    const near = nearest(name, unused) ?? nearest(name, weights.keys());
    return near === undefined ? [] : [missing.length === 1 ? `"${near}"` : `"${near}" for "${name}"`];
  });
  const more = missing.length > some.length ? ` and ${missing.length - some.length} more` : "";
  const names = some.map((name) => `"${name}"`).join(", ") + more;
  return new EtlError("format", `${where}: no weight ${names}, all of ${network.name} were needed`, {
    hint: pairs.length === 0 ? undefined : `the nearest name in the file is ${pairs.join(", ")}`,
  });
}

/** PyTorch's names for a parameter of ours, where they are others. */
export function torchNames(name: string): string[] {
  return pytorchEndings
    .filter(([, ending]) => name.endsWith(ending))
    .map(([from, ending]) => name.slice(0, -ending.length) + from);
}

/** The weights of a network under PyTorch's names, as `load_state_dict` and `--weights` take them; single numbers are left out. */
export function torchWeights(network: Network): Map<string, Parameter> {
  const norms = new Set(
    network.nodes.filter(({ op }) => op === "BatchNormalization").flatMap(({ inputs }) => inputs.slice(1)),
  );
  return new Map(
    [...network.parameters].flatMap(([name, parameter]): [string, Parameter][] => {
      if (parameter.type !== "float32" || isSetting(parameter)) return [];
      return [[(norms.has(name) ? torchNames(name)[0] : undefined) ?? name, parameter]];
    }),
  );
}
