/** A network into a file or folder, in the format that its name or the caller asks for. */
import { namedFormat, type ModelFormat } from "../formats/names.ts";
import { basename, dirname, extname, join } from "node:path";
import { EtlError } from "../core/errors.ts";
import { writeSpare, type SpareOptions } from "../core/spare.ts";
import { writeSafetensors } from "../formats/safetensors.ts";
import { writeLike } from "../formats/onnx/like.ts";
import { writeOnnx } from "../formats/onnx/write.ts";
import { writeTfjs } from "../formats/tfjs/write.ts";
import type { Network } from "../network/network.ts";
import { torchWeights } from "./weights.ts";

/** A safetensors file: weights without a network. */
export type WrittenWeights = Omit<WrittenModel, "format"> & { readonly format: "safetensors" };

/** What was written. */
export interface WrittenModel {
  readonly format: ModelFormat;
  /** The file to open: the `.onnx` file or the `model.json`. */
  readonly file: string;
  /** All files, the one to open first. */
  readonly files: readonly string[];
  /** Bytes of all files together. */
  readonly bytes: number;
}

/** The format that a name asks for: `.onnx`, or tfjs for `.json`; undefined where the name does not say. */
export function formatOf(path: string): ModelFormat | undefined {
  const named = namedFormat(path);
  return named === "safetensors" ? undefined : named;
}

/**
 * Writes a network.
 *
 * @param path an `.onnx` file; for tfjs a `model.json` (shards go beside it) or a folder to put one in
 * @param format default: what the name's ending says
 * @param how what may become of files that are there; default: they are replaced
 * @throws EtlError kind `usage` where name and format do not go together, or a file is in the way, `unsupported` for a node that the
 *   format cannot hold
 */
export async function writeModel(
  network: Network,
  path: string,
  format: ModelFormat | undefined = formatOf(path),
  how: SpareOptions = { replace: true },
): Promise<WrittenModel> {
  const named = formatOf(path);
  if (
    format === undefined ||
    (named !== undefined && named !== format) ||
    (format === "onnx" && named !== "onnx")
  ) {
    const needed = format === "tfjs" ? "a folder or a name ending in .json" : "a name ending in .onnx";
    throw new EtlError(
      "usage",
      `${path}: cannot be written as ${format ?? "a model"}, ${needed} was needed`,
      {
        hint: format === undefined ? "for a folder with a tfjs model say --format tfjs" : undefined,
      },
    );
  }
  const files =
    format === "onnx"
      ? new Map([[path, isHalf(network) ? writeLike(network).bytes : writeOnnx(network)]])
      : tfjsFiles(writeTfjs(network), named === undefined ? join(path, "model.json") : path);
  await writeSpare(files, how);
  const names = [...files.keys()];
  const bytes = [...files.values()].reduce((sum, { length }) => sum + length, 0);
  return { format, file: names[0], files: names, bytes };
}

/** Whether the file that it was read from computes in half precision, which a file that is written keeps. */
function isHalf({ inputs, parameters }: Network): boolean {
  return [...inputs, ...parameters.values()].some(({ stored }) => stored !== undefined);
}

/**
 * Writes the weights of a network alone, under PyTorch's names.
 *
 * @throws EtlError `usage` for a name that does not end in .safetensors
 */
export async function writeWeights(
  network: Network,
  path: string,
  how: SpareOptions = { replace: true },
): Promise<WrittenWeights> {
  if (extname(path).toLowerCase() !== ".safetensors")
    throw new EtlError(
      "usage",
      `${path}: cannot hold weights alone, a name ending in .safetensors was needed`,
    );
  const data = writeSafetensors(torchWeights(network), network.metadata);
  await writeSpare(new Map([[path, data]]), how);
  return { format: "safetensors", file: path, files: [path], bytes: data.length };
}

function tfjsFiles(files: ReadonlyMap<string, Uint8Array>, model: string): Map<string, Uint8Array> {
  const folder = dirname(model);
  return new Map(
    [...files].map(([name, bytes]) => [join(folder, name === "model.json" ? basename(model) : name), bytes]),
  );
}
