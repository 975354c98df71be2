/** `etl export`: a model in another format; beside an ONNX file a JSON file that says what its numbers mean. */
import { isRecord } from "../../core/own.ts";
import { existsSync, statSync } from "node:fs";
import { basename } from "node:path";
import { isModelFile, readModel } from "../../backbones/read-model.ts";
import {
  formatOf,
  writeModel,
  writeWeights,
  type WrittenModel,
  type WrittenWeights,
} from "../../backbones/write-model.ts";
import type { Preprocessing, Task } from "../../core/artifacts.ts";
import type { CropChoice } from "../../core/crop.ts";
import { EtlError } from "../../core/errors.ts";
import { jsonText, readJson } from "../../core/files.ts";
import { writeSpare } from "../../core/spare.ts";
import { refuseUnknown, type OptionNames } from "../../core/options.ts";
import { WHOLE } from "../../data/dataset.ts";
import type { SeenParts } from "../../data/images/views.ts";
import type { ModelFormat } from "../../formats/names.ts";
import type { Dim, Network } from "../../network/network.ts";
import { simplify } from "../../network/simplify.ts";
import { serviceNames, type ServiceOptions } from "../../engine/service.ts";
import { boundTo, fitSaid, withBound, type SaidSizes } from "../../network/fit.ts";
import { openModel, openNetwork, type Model, type OpenNetwork } from "../run/model.ts";
import { needWhole } from "../run/state.ts";
import { graphFor, type ExportFor } from "../run/graph.ts";
import { stripped } from "./strip.ts";

export interface ExportOptions extends ServiceOptions {
  /** Default: by the ending of the file's name. */
  readonly format?: ModelFormat | undefined;
  /** Leave out who made the model from which data, when and with what options. @defaultValue false */
  readonly strip?: boolean | undefined;
  /** Which graph: for any runtime, or what is faster in onnxruntime on this machine. @defaultValue "portable" */
  readonly exportFor?: ExportFor | undefined;
  /** Height and width of pictures, where the file leaves them open. */
  readonly size?: SaidSizes["size"];
  /** Numbers for open dimensions, by the names that the file gives them. */
  readonly bind?: SaidSizes["bind"];
  /** Write over files that are there already; those of a run never (the command line asks for `--replace`). @defaultValue true */
  readonly replace?: boolean | undefined;
}

const optionNames: OptionNames<ExportOptions> = {
  ...serviceNames,
  ...{ format: true, strip: true, exportFor: true, size: true, bind: true, replace: true },
};

/** `NAME.json` beside `NAME.onnx`: onnxruntime for browsers does not hand out what the file itself says. */
export interface ModelDescription {
  readonly schema: "etl/model/1";
  readonly file: string;
  readonly input: { readonly name: string; readonly shape: readonly Dim[]; readonly type: "float32" };
  /** input = (pixel - mean) * scale, pixels 0 to 255, channels in the order of `color`, [picture, channel, y, x]. */
  readonly preprocessing: Preprocessing;
  /** Part of a picture like those of the training that is resized to the input, in fractions; or the largest square in its middle. */
  readonly crop: CropChoice;
  /** Of a model that answers by parts of a picture: how these are cut, and how its scores become one. */
  readonly parts?: SeenParts & { readonly how: string };
  /** What each output says; of a backbone only the name. */
  readonly outputs: readonly ModelOutput[];
}

/** One output: `task` as it was trained, and how its numbers become an answer. */
export interface ModelOutput {
  readonly name: string;
  readonly task?: Task;
  readonly answer?: string;
}

/**
 * Writes a model in another format.
 *
 * @param nameOrPath run folder, model file or backbone
 * @param out file to write; for tfjs `model.json` or a folder
 * @throws EtlError `usage` where name and format do not go together, or where the description would take the place of
 *   another file
 */
export async function exportModel(
  nameOrPath: string,
  out: string,
  options: ExportOptions = {},
): Promise<WrittenModel> {
  refuseUnknown("exportModel", options, optionNames);
  const { format, exportFor = "portable", size, bind, replace = true } = options;
  const isOnnx = (format ?? formatOf(out)) === "onnx";
  if (exportFor === "onnxruntime" && !isOnnx)
    throw new EtlError(
      "usage",
      `--for onnxruntime: ${out} is no ONNX file, a name ending in .onnx was needed`,
    );
  // Whoever feeds the file feeds what is written from it; other formats have their own order of axes.
  const opened = await openNetwork(nameOrPath, { asFile: isOnnx });
  const graph = await graphFor(sizedAs(opened.network, { size, bind }), exportFor, options);
  const network = options.strip === true ? stripped(graph) : graph;
  const model = await describable(nameOrPath, opened, { size, bind });
  const beside = out.replace(/\.onnx$/i, ".json");
  if (model !== undefined && beside !== out) await refuseOther(beside);
  const written = await writeModel(network, out, format, { replace });
  if (written.format !== "onnx" || model === undefined) return written;
  const text = jsonText(descriptionOf({ ...model, network }, basename(out)));
  await writeSpare(new Map([[beside, new TextEncoder().encode(text)]]), { replace: true });
  return { ...written, files: [...written.files, beside] };
}

/** Writes the weights alone as they are stored, with batch norm: a training can begin with them. */
export async function exportWeights(
  nameOrPath: string,
  out: string,
  { replace = true }: { readonly replace?: boolean | undefined } = {},
): Promise<WrittenWeights> {
  const isFile = isModelFile(nameOrPath) && existsSync(nameOrPath) && !statSync(nameOrPath).isDirectory();
  if (isFile) {
    await needWhole(nameOrPath);
    return writeWeights(await readModel(nameOrPath), out, { replace });
  }
  const { network, path } = await openModel(nameOrPath);
  return writeWeights(path === undefined ? network : await readModel(path), out, { replace });
}

/** The sizes that the user says, and what follows from them; what nobody says stays open. */
function sizedAs(network: Network, said: SaidSizes): Network {
  if (said.size === undefined && said.bind === undefined) return network;
  if (said.size === undefined) return simplify(withBound(network, said.bind));
  const { bound, assumed } = fitSaid(network, said);
  return simplify(boundTo(bound, assumed));
}

/** The model with what its numbers mean; undefined for a file that says nothing of that. */
async function describable(
  nameOrPath: string,
  opened: OpenNetwork | Model,
  said: SaidSizes,
): Promise<Model | undefined> {
  if ("preprocessing" in opened) return opened;
  return opened.network.metadata["etl.preprocessing"] === undefined ? undefined : openModel(nameOrPath, said);
}

/** A description may be written again; a model.json of TensorFlow.js that lies there may not be lost. */
async function refuseOther(path: string): Promise<void> {
  if (!existsSync(path)) return;
  const value: unknown = await readJson(path).catch(() => undefined);
  const schema = isRecord(value) ? value["schema"] : undefined;
  if (schema === "etl/model/1") return;
  throw new EtlError("usage", `${path}: another file, the place of the model's description was needed`, {
    hint: "choose another name for --out",
  });
}

function descriptionOf(
  { network, preprocessing, crop, parts, tasks }: Model,
  file: string,
): ModelDescription {
  const [input] = network.inputs;
  const known = new Map(tasks.map(({ output, task }) => [output, task]));
  return {
    schema: "etl/model/1",
    file,
    input: { name: input.name, shape: input.shape, type: "float32" },
    preprocessing,
    crop: crop ?? WHOLE,
    ...(parts !== undefined && { parts: { ...parts, how: howOf(parts) } }),
    outputs: network.outputs.map(({ name }) => {
      const task = known.get(name);
      return { name, ...(task !== undefined && { task, answer: answerOf(task) }) };
    }),
  };
}

function howOf({ side, mirrored }: SeenParts): string {
  const which = mirrored
    ? "ten parts of the input's size (corners, middle, and these mirrored)"
    : "five parts of the input's size (corners and middle)";
  return `the picture is resized to ${side}x${side}; the answer is the mean over ${which}: of probabilities, or of values`;
}

/** How an output becomes an answer, in a sentence. */
function answerOf({ kind, scale, unit, scores }: Task): string {
  const probability = scores === "signed" ? "(1 + x) / 2, between 0 and 1," : "1 / (1 + exp(-x))";
  switch (kind) {
    case "binary":
      return `${probability} is the probability of classes[1]`;
    case "categorical":
      return "the largest output is the class; softmax gives the probabilities";
    case "multi-label":
      return `${probability} of each output is the probability of its class`;
    case "regression":
      return `the value is x / ${scale}${unit === undefined ? "" : ` ${unit}`}`;
  }
}
