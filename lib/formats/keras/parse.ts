/**
 * The inside of Keras `.h5` files (HDF5): layers are groups listed in the attribute `layer_names`; each lists its
 * tensors in `weight_names`. Runs in a thread of its own ({@link readKerasFile} starts it).
 */
import { basename } from "node:path";
import type { Dataset, File, Group } from "h5wasm";
import { needWithin } from "../../core/budget.ts";
import { EtlError, isEtlError, messageOf } from "../../core/errors.ts";
import { readBytes } from "../../core/files.ts";
import { parseJson } from "../../core/parse-json.ts";
import { float32, sizeOf, type Parameter } from "../../network/network.ts";

/** One layer's tensors in the file's order: name as written -> parameter in Keras's layout. */
interface KerasLayerWeights {
  readonly layer: string;
  readonly weights: ReadonlyMap<string, Parameter>;
}

/** What an `.h5` file holds. */
export interface KerasFile {
  readonly layers: readonly KerasLayerWeights[];
  /** The parsed `model_config` of a whole model. */
  readonly config?: unknown;
  /** "2.4.0", where the file says. */
  readonly kerasVersion?: string;
  /** The layout of Keras 3: layers are called by their kind, weights by their number. */
  readonly byOrder?: true;
}

/** Name of the file in the memory of the HDF5 library. */
const inside = "/model.h5";

const magic = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];
/** Deflate cannot pack tighter than about 1:1032: what declares more holds nothing but its own fill value. */
const tightest = 1032;
/** How tight weights may be packed that are large. */
const loosest = 20;
/** Numbers of layers and of tensors in a layer, beyond which a file is damaged. */
const mostNames = 100_000;

/**
 * Reads a Keras `.h5` file. float64 comes in as float32.
 *
 * @param given its bytes, where they lie inside another file
 * @throws EtlError kind `format` for a damaged file
 */
export async function parseKerasFile(path: string, given?: Uint8Array): Promise<KerasFile> {
  const where = basename(path);
  const content = given ?? (await readBytes(path));
  checkMagic(content, where);
  const bytes = content.length;
  const h5 = await import("h5wasm");
  // Errors inside HDF5 are thrown, not printed. The library cannot be used after one: its thread ends with the file.
  const library = await h5.ready;
  library.activate_throwing_error_handler();
  try {
    // In memory: HDF5 files can name other files (external storage, external links), and from there none is reached.
    library.FS.writeFile(inside, content);
    const file = new h5.File(inside, "r");
    if (file.file_id < 0n) throw damaged(where, "an HDF5 file that cannot be opened", "a whole one");
    const read = readOpen(file, { where, bytes, declared: { sum: 0 } });
    // Not after an error: closing a damaged file can go wrong too, and the thread ends anyway.
    file.close();
    return read;
  } catch (error) {
    if (isEtlError(error)) throw error;
    throw new EtlError("format", `${where}: damaged (${reasonOf(error)}), a whole HDF5 file was needed`, {
      hint: "fetch the file again",
      cause: error,
    });
  }
}

/** The innermost reason of HDF5's stack of errors, or the message as it is. */
function reasonOf(error: unknown): string {
  const message = messageOf(error);
  const reasons = [...message.matchAll(/in \w+\(\): (.+)/g)];
  return reasons.at(-1)?.[1] ?? (message.split("\n")[0] || "HDF5 cannot read it");
}

function checkMagic(content: Uint8Array, where: string): void {
  if (magic.every((byte, i) => content[i] === byte)) return;
  throw damaged(where, `${content.length} bytes that do not begin as HDF5 does`, "a Keras .h5 file");
}

interface Source {
  readonly where: string;
  /** Size of the file. */
  readonly bytes: number;
  /** Bytes of the tensors that were read so far, as declared: one that has several names as often as it is read. */
  readonly declared: { sum: number };
}

function readOpen(file: File, source: Source): KerasFile {
  const { where } = source;
  const config = textAttribute(file, "model_config", source);
  const kerasVersion = textAttribute(file, "keras_version", source);
  const keys = file.keys();
  const root = keys.includes("model_weights") ? groupIn(file, "model_weights", where) : file;
  if (!hasNames(root, "layer_names")) {
    const folder = ["layers", "_layer_checkpoint_dependencies"].find((name) => keys.includes(name));
    if (folder !== undefined) return readThird(groupIn(root, folder, where), source);
    throw new EtlError(
      "format",
      `${where}: no attribute layer_names, a Keras .h5 file with weights by layer was needed`,
    );
  }
  const layers = namesOf(root, "layer_names", source).map((layer): KerasLayerWeights => {
    const group = groupIn(root, layer, where);
    const weights = new Map<string, Parameter>();
    for (const name of namesOf(group, "weight_names", {
      ...source,
      where: `${where}: layer "${layer}"`,
    })) {
      if (weights.has(name)) throw damaged(where, `weight "${name}" twice`, "every weight once");
      const tensor = readTensor(group, name, source);
      if (tensor !== undefined) weights.set(name, tensor);
    }
    return { layer, weights };
  });
  return {
    layers,
    ...(config === undefined ? {} : { config: parseJson(config, `${where}: model_config`) }),
    ...(kerasVersion === undefined ? {} : { kerasVersion }),
  };
}

/** The layout of Keras 3: a group for each layer, in it `vars` with 0, 1, 2 ... */
function readThird(layers: Group, source: Source): KerasFile {
  const { where } = source;
  const names = layers.keys();
  if (names.length > mostNames) throw damaged(where, `${names.length} layers`, "as many as a file holds");
  const read = names.map((layer): KerasLayerWeights => {
    const vars: unknown = groupIn(layers, layer, where).get("vars");
    const weights = new Map<string, Parameter>();
    if (!isOfType(vars, "Group")) return { layer, weights };
    const places = (vars as Group).keys().sort((a, b) => Number(a) - Number(b));
    for (const place of places) {
      const tensor = readTensor(vars as Group, place, { ...source, where: `${where}: layer "${layer}"` });
      if (tensor !== undefined) weights.set(place, tensor);
    }
    return { layer, weights };
  });
  return { layers: read, byOrder: true };
}

function groupIn(parent: Group, name: string, where: string): Group {
  const found: unknown = parent.get(name);
  if (isOfType(found, "Group")) return found as Group;
  throw damaged(where, `no group "${name}"`, "a group for each layer");
}

function isOfType(value: unknown, type: "Group" | "Dataset"): boolean {
  return typeof value === "object" && value !== null && "type" in value && value.type === type;
}

function textAttribute(file: File, name: string, { where, bytes }: Source): string | undefined {
  if (!Object.hasOwn(file.attrs, name)) return undefined;
  const { metadata, shape } = file.attrs[name];
  if (metadata.size * sizeOf(shape ?? [0]) > bytes) {
    throw damaged(
      where,
      `attribute ${name} of ${metadata.size} bytes in a file of ${bytes}`,
      "one that it can hold",
    );
  }
  const value: unknown = file.get_attribute(name, false);
  if (typeof value === "string") return value;
  if (value instanceof Uint8Array) return new TextDecoder().decode(value);
  throw damaged(where, `attribute ${name} that is no text`, "text");
}

function hasNames(group: Group, attribute: string): boolean {
  const { attrs } = group;
  return Object.hasOwn(attrs, attribute) || Object.hasOwn(attrs, `${attribute}0`);
}

/** A list of names; long ones are cut into attributes `name0`, `name1`, ... */
function namesOf(group: Group, attribute: string, source: Source): string[] {
  const { attrs } = group;
  if (Object.hasOwn(attrs, attribute)) return listOf(group, attribute, source);
  if (!Object.hasOwn(attrs, `${attribute}0`))
    throw damaged(source.where, `no attribute ${attribute}`, "a list of names");
  const names: string[] = [];
  for (let i = 0; Object.hasOwn(attrs, `${attribute}${i}`) && i < mostNames; i++) {
    names.push(...listOf(group, `${attribute}${i}`, source));
  }
  return names;
}

function listOf(group: Group, attribute: string, { where, bytes }: Source): string[] {
  const { shape, dtype, metadata } = group.attrs[attribute];
  const count = sizeOf(shape ?? [0]);
  if (count === 0) return [];
  if (count > mostNames || count * metadata.size > bytes) {
    throw damaged(
      where,
      `${count} names of ${metadata.size} bytes in ${attribute}`,
      "as many as a file holds",
    );
  }
  const value: unknown = group.get_attribute(attribute, false);
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (list.every((name): name is string => typeof name === "string" && name !== "")) return [...list];
  throw damaged(where, `${attribute} of type ${JSON.stringify(dtype)}`, "a list of names");
}

/** A weight; undefined for whole numbers (counts, seeds), which no layer computes with. */
function readTensor(group: Group, name: string, source: Source): Parameter | undefined {
  const { where, bytes } = source;
  const at = `${where}: weight "${name}"`;
  const found: unknown = group.get(name);
  if (!isOfType(found, "Dataset")) throw damaged(at, "no data", "a dataset");
  const dataset = found as Dataset;
  const { shape, metadata, dtype } = dataset;
  if ((metadata.virtual_sources?.length ?? 0) > 0)
    throw damaged(
      at,
      "a virtual dataset, whose numbers lie in other files",
      "one with its numbers in the file",
    );
  if (shape === null || !shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
    throw damaged(at, "no shape", "a tensor");
  }
  const count = sizeOf(shape);
  if (!(count * metadata.size <= bytes * tightest)) {
    throw damaged(
      at,
      `[${shape.join(", ")}] in a file of ${bytes} bytes`,
      "no more numbers than it can hold",
    );
  }
  source.declared.sum += count * metadata.size;
  const { sum } = source.declared;
  if (sum > bytes * tightest)
    throw damaged(where, `${sum} bytes of weights in a file of ${bytes}`, "no more than it can hold");
  // Weights hardly pack: a small file of many numbers is a trap, or all zeros.
  if (sum > bytes * loosest) needWithin(where, "unpacked", sum);
  if (typeof dtype === "string" && /^[<|][bBhHiIlLqQ]$/.test(dtype)) return undefined;
  if (dtype !== "<f" && dtype !== "<d") {
    throw new EtlError(
      "unsupported",
      `${at}: element type ${JSON.stringify(dtype)}, float32 or float64 was needed`,
    );
  }
  const value: unknown = count === 0 ? new Float32Array(0) : dataset.value;
  const data = value instanceof Float64Array ? Float32Array.from(value) : value;
  if (data instanceof Float32Array && data.length === count) return float32(shape, data);
  // A tensor without axes comes as a plain number.
  if (typeof data === "number" && count === 1) return float32(shape, Float32Array.of(data));
  throw damaged(at, "numbers that cannot be read", String(count));
}

function damaged(where: string, found: string, needed: string): EtlError {
  return new EtlError("format", `${where}: ${found}, ${needed} was needed`, {
    hint: "the file is damaged or not from Keras; fetch it again",
  });
}
