/** A trained model as users name it: a run folder, a model file, or a backbone. */
import { isRecord } from "../../core/own.ts";
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Crop, Preprocessing, Task } from "../../core/artifacts.ts";
import type { CropChoice } from "../../core/crop.ts";
import { EtlError, nearest, shellWord } from "../../core/errors.ts";
import { parseJson } from "../../core/parse-json.ts";
import { loadBackbone } from "../../backbones/catalogue.ts";
import { outputTasksOf, seenPartsOf, type OutputTask } from "../../backbones/metadata.ts";
import { isModelFile, readModel } from "../../backbones/read-model.ts";
import { refuseStranger } from "../../backbones/stranger.ts";
import { partViews, readAt, type SeenParts, type Views } from "../../data/images/views.ts";
import { assumptions, boundTo, fitSaid, type SaidSizes } from "../../network/fit.ts";
import { foldBatchNorm } from "../../network/fold-batch-norm.ts";
import type { Network } from "../../network/network.ts";
import { needWhole } from "./state.ts";
import { channelsFirst } from "../../network/picture-input.ts";
import { simplify } from "../../network/simplify.ts";
import { readBytes } from "../../core/files.ts";
import { readOnnx } from "../../formats/onnx/read.ts";
import type { RunFolder } from "./folder.ts";
import { asSingle } from "../../network/single.ts";

export interface Model {
  readonly name: string;
  /** File it came from; undefined for a named backbone. */
  readonly path?: string;
  readonly network: Network;
  readonly preprocessing: Preprocessing;
  /** What its (first) output means, where the file says. */
  readonly task?: Task;
  /** What each of its outputs means; none where the file does not say. */
  readonly tasks: readonly OutputTask[];
  /** By which parts of a picture it answers, where it learnt parts of them: `preprocessing` is that of one part. */
  readonly parts?: SeenParts;
  /** Face box of the pictures it was trained on, where the file says. */
  readonly crop?: CropChoice;
  /** Value that describes a picture, for verification. */
  readonly embedding?: string;
  readonly notes: readonly string[];
}

const cropKey = "etl.crop";

/** The box that a model remembers: the middle of each picture where that was asked for, whatever the shape of its pictures. */
export function rememberedCrop(asked: CropChoice | undefined, found: Crop): CropChoice {
  return asked === "center" ? asked : found;
}

/** The network with the face box of its training pictures in its metadata. */
export function withCrop(network: Network, crop: CropChoice): Network {
  return { ...network, metadata: { ...network.metadata, [cropKey]: JSON.stringify(crop) } };
}

/** The network with what a user of its file needs to know: the face box of its pictures, and where it comes from. */
export function withOrigin(network: Network, crop: CropChoice, provenance: object): Network {
  const { metadata, ...boxed } = withCrop(network, crop);
  return { ...boxed, metadata: { ...metadata, "etl.provenance": JSON.stringify(provenance) } };
}

/** Who made a network from what: the `etl.provenance` of its metadata; empty where it has none or it makes no sense. */
export function provenanceOf({ metadata }: Network): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(metadata["etl.provenance"] ?? "{}");
    return isRecord(value) ? value : {};
  } catch {
    return {};
  }
}

/** A network that is looked at or written, not given pictures. */
export interface OpenNetwork {
  readonly network: Network;
  /** What was assumed, a sentence each. */
  readonly notes: readonly string[];
}

/**
 * Opens a run folder, a backbone by name, or any model file that can be read, whatever its inputs are.
 *
 * @param how.asFile leave pictures with the channels behind as the file has them, unless it says itself how they are prepared
 */
export async function openNetwork(
  name: string,
  { asFile = false }: { readonly asFile?: boolean } = {},
): Promise<OpenNetwork> {
  if (!isModelFile(name) || !existsSync(name) || statSync(name).isDirectory()) return openModel(name);
  await needWhole(name);
  const file = await readModel(name);
  const isKept = asFile && file.metadata["etl.preprocessing"] === undefined;
  return { network: foldBatchNorm(simplify(isKept ? file : channelsFirst(file))), notes: [] };
}

/** The network with numbers for all that it leaves open, so that it can be counted and timed; in single precision. */
export function settled({ network: file, notes }: OpenNetwork, said: SaidSizes = {}): OpenNetwork {
  const { bound: network, assumed } = fitSaid(file, said);
  return {
    network: asSingle(boundTo(network, assumed)),
    notes: [...notes, ...assumptions(network, assumed)],
  };
}

/**
 * Opens a run folder (its pruned network), a model file, or a backbone by name.
 *
 * @param options.weights weight file of a backbone that does not bring its own
 * @param options.size of pictures, where the file leaves it open
 * @param options.bind numbers for open dimensions, by their names
 */
export async function openModel(
  name: string,
  { weights, size, bind }: SaidSizes & { readonly weights?: string | undefined } = {},
): Promise<Model> {
  if (!existsSync(name) && (name.includes("/") || name.includes("\\"))) {
    throw new EtlError(
      "usage",
      `${name}: nothing is there, a run folder, a model file or a backbone was needed`,
      { hint: siblingHint(name) },
    );
  }
  if (existsSync(name) && /\.mlpackage$/i.test(name)) await refuseStranger(name);
  const path = existsSync(name) && statSync(name).isDirectory() ? modelFileIn(name) : name;
  if (path === name && existsSync(name)) await refuseOtherFile(name);
  if (existsSync(path)) await needWhole(path);
  const backbone = await loadBackbone(path, {
    ...(weights !== undefined && { weights }),
    single: true,
    ...(size !== undefined && { preprocessing: { height: size[0], width: size[1] } }),
    ...(bind !== undefined && { bind }),
  });
  const tasks = outputTasksOf(backbone.network);
  const task = tasks[0]?.task as Task | undefined;
  const crop = cropOf(backbone.network);
  const parts = seenPartsOf(backbone.network, backbone.preprocessing);
  return {
    name: backbone.name,
    network: backbone.network,
    preprocessing: backbone.preprocessing,
    notes: backbone.notes,
    tasks,
    ...(existsSync(path) ? { path } : {}),
    ...(task === undefined ? {} : { task }),
    ...(crop === undefined ? {} : { crop }),
    ...(parts === undefined ? {} : { parts }),
    ...(backbone.embedding === undefined ? {} : { embedding: backbone.embedding }),
  };
}

/** How a picture is read for a model, and in which parts it is shown; one look at all of it where it learnt whole pictures. */
export function shownTo({ preprocessing, parts, tasks }: Pick<Model, "preprocessing" | "parts" | "tasks">): {
  readonly read: Preprocessing;
  readonly views?: Views;
} {
  if (parts === undefined) return { read: preprocessing };
  const known = new Map(tasks.map(({ output, task }) => [output, task]));
  return {
    read: readAt(preprocessing, parts),
    views: partViews(parts, preprocessing.width, (output) => known.get(output)),
  };
}

/** @throws EtlError `usage` for a file that is no model; of a run's other files the hint names the run */
async function refuseOtherFile(name: string): Promise<void> {
  const folder = dirname(name);
  const ofRun = /\.(json|html|csv|bin)$/i.test(name) && existsSync(join(folder, "run.json"));
  if (isModelFile(name) && !ofRun) return;
  if (!ofRun) await refuseStranger(name);
  throw new EtlError("usage", `${name}: a file that is no model, a run folder or a model file was needed`, {
    hint: ofRun
      ? `did you mean the run, ${shellWord(folder)}?`
      : "model files end in .onnx, .h5, .keras or are the model.json of TensorFlow.js",
  });
}

/** What lies beside the place where nothing is, and has a name like it. */
function siblingHint(name: string): string {
  const folder = dirname(name);
  const near = existsSync(folder) ? nearest(basename(name), readdirSync(folder)) : undefined;
  if (near !== undefined) return `did you mean ${join(folder, near)}?`;
  return "check the path; etl backbones lists the backbones that have a name";
}

/** A network that a stage has left in a run folder, as it was written. */
export async function networkIn(folder: Pick<RunFolder, "file">, file: string): Promise<Network> {
  const name = folder.file(file);
  return readOnnx(await readBytes(name), { name });
}

/** The file of the pruned (or trained) network in a run folder, or of the model in a folder that was exported. */
export function modelFileIn(name: string): string {
  const path = ["pruned.onnx", "model.onnx", "model.json"]
    .map((file) => join(name, file))
    .find((file) => existsSync(file));
  if (path !== undefined) return path;
  throw new EtlError(
    "usage",
    `${name}: a folder without pruned.onnx, a finished run or a model file was needed`,
    { hint: folderHint(name) },
  );
}

/** What to do with a folder that holds no network. */
function folderHint(name: string): string {
  const runs = runsIn(name);
  if (runs !== undefined) return runs;
  if (existsSync(join(name, "sweep.json"))) return "a sweep: name the folder of one of its runs, below it";
  if (existsSync(join(name, "run.json"))) return `continue the run with: etl resume ${shellWord(name)}`;
  return "name a model file, or the run folder of etl prune or etl train";
}

function cropOf(network: Network): CropChoice | undefined {
  const text = network.metadata[cropKey];
  if (text === undefined) return undefined;
  const value = parseJson(text, `${network.name}: metadata ${cropKey}`);
  if (value === "center") return value;
  if (!Array.isArray(value) || value.length !== 4 || !value.every((each) => Number.isFinite(each)))
    return undefined;
  return value as unknown as Crop;
}

/** A hint that names the runs directly below a folder; undefined where there are none. */
export function runsIn(folder: string): string | undefined {
  if (!existsSync(folder) || !statSync(folder).isDirectory()) return undefined;
  const runs = readdirSync(folder)
    .map((name) => join(folder, name))
    .filter((path) => existsSync(join(path, "run.json")));
  if (runs.length === 0) return undefined;
  const more = runs.length > 3 ? ", ..." : "";
  return `runs lie in it, name one: ${runs.slice(0, 3).map(shellWord).join(", ")}${more}`;
}
