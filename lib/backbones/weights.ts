/** Weights from a file into a network that was built with empty ones. */
import { extname } from "node:path";
import { EtlError, nearest } from "../core/errors.ts";
import { readBytes } from "../core/files.ts";
import { readSafetensors } from "../formats/safetensors.ts";
import { readTfjsWeights } from "../formats/tfjs-weights.ts";
import type { Network, Parameter } from "../network/network.ts";

/** Named tensors, as a file holds them. */
export type Weights = ReadonlyMap<string, Parameter>;

/** Readers of weight files by ending. */
const readers: Readonly<Partial<Record<string, (path: string) => Promise<Weights>>>> = {
  ".safetensors": async (path) => readSafetensors(await readBytes(path), path).tensors,
  ".json": readTfjsWeights,
};

/** Reads a weight file. @throws EtlError kind `usage` for an ending without a reader */
export async function readWeights(path: string): Promise<Weights> {
  const reader = readers[extname(path).toLowerCase()];
  if (reader !== undefined) return reader(path);
  const known = Object.keys(readers).join(", ");
  throw new EtlError("usage", `--weights: found "${path}", a file that ends in ${known} was needed`, {
    hint: extname(path) === ".onnx" ? "a whole model goes to --backbone" : undefined,
  });
}

/** PyTorch's endings for batch norm -> the builder's. */
const pytorchEndings: readonly (readonly [from: string, to: string])[] = [
  [".weight", ".scale"],
  [".running_mean", ".mean"],
  [".running_var", ".variance"],
];

/**
 * Fills every float32 parameter of a network from tensors of the same name (or PyTorch's name for it). Tensors that
 * the network has no place for must be counters of batch norm; anything else would be a different network.
 *
 * @param where the file, for messages
 * @throws EtlError kind `format` for a tensor that is missing, left over or of another shape
 */
export function assignWeights(network: Network, weights: Weights, where: string): Network {
  const used = new Set<string>();
  const parameters = new Map(network.parameters);
  for (const [name, parameter] of network.parameters) {
    if (parameter.type !== "float32") continue;
    const source = [name, ...pytorchNames(name)].find((candidate) => weights.has(candidate));
    const tensor = source === undefined ? undefined : weights.get(source);
    if (source === undefined || tensor === undefined) {
      const near = nearest(name, weights.keys());
      throw new EtlError("format", `${where}: no weight "${name}", all of ${network.name} were needed`, {
        hint: near === undefined ? undefined : `the nearest name in the file is "${near}"`,
      });
    }
    const [found, needed] = [tensor, parameter].map(({ type, shape }) => `${type} [${shape.join(", ")}]`);
    if (found !== needed) {
      throw new EtlError("format", `${where}: weight "${source}" is ${found}, ${needed} was needed`);
    }
    used.add(source);
    parameters.set(name, tensor);
  }
  const left = [...weights.keys()].filter(
    (name) => !used.has(name) && !name.endsWith(".num_batches_tracked"),
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

function pytorchNames(name: string): string[] {
  return pytorchEndings
    .filter(([, ending]) => name.endsWith(ending))
    .map(([from, ending]) => name.slice(0, -ending.length) + from);
}
