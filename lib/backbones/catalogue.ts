/** The backbones the toolkit knows by name, and model files as backbones. */
import { refuseUnknown, type OptionNames } from "../core/options.ts";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { EtlError, nearest, shellWord } from "../core/errors.ts";
import type { Backbone, BackboneEntry, LoadOptions } from "./backbone.ts";
import { nets } from "./entries.ts";
import { refuseStranger } from "./stranger.ts";
import { isModelFile, loadModelFile } from "./read-model.ts";

export type { Backbone, BackboneEntry, LoadOptions } from "./backbone.ts";

const loadNames: OptionNames<LoadOptions> = {
  weights: true,
  seed: true,
  features: true,
  preprocessing: true,
  bind: true,
  single: true,
};

/** The backbones that have a name. */
export function backboneEntries(): readonly BackboneEntry[] {
  return nets;
}

/** Their names. */
export function backboneNames(): string[] {
  return nets.map(({ name }) => name);
}

/** @throws EtlError `usage` for pictures of another size than the backbone has */
async function loadEntry(entry: BackboneEntry, options: LoadOptions): Promise<Backbone> {
  const backbone = await entry.load(options);
  const [bound] = Object.keys(options.bind ?? {});
  if (bound !== undefined)
    throw new EtlError(
      "usage",
      `--bind ${bound}: ${entry.name} leaves no size open, a model file that does was needed`,
      { hint: "leave --bind out" },
    );
  const [, , height, width] = backbone.network.inputs[0].shape;
  const asked = { height, width, ...options.preprocessing };
  if (asked.height === height && asked.width === width) return backbone;
  throw new EtlError(
    "usage",
    `--size ${asked.height}x${asked.width}: ${entry.name} takes pictures of ${height}x${width}, a model file that leaves its sizes open was needed`,
    { hint: "leave --size out: pictures of any size are scaled to what the network takes" },
  );
}

/**
 * Loads a backbone by name, or a model file.
 *
 * @param nameOrPath one of {@link backboneNames}, or the path of a model file: `.onnx`, `.h5`, tfjs `model.json`
 * @throws EtlError kind `usage` for an unknown name, with the nearest known one
 */
export async function loadBackbone(nameOrPath: string, options: LoadOptions = {}): Promise<Backbone> {
  refuseUnknown("loadBackbone", options, loadNames);
  const entry = nets.find(({ name }) => name === nameOrPath);
  if (entry !== undefined) return loadEntry(entry, options);
  if (isModelFile(nameOrPath)) return loadModelFile(nameOrPath, options);
  if (existsSync(nameOrPath) && !statSync(nameOrPath).isDirectory()) await refuseStranger(nameOrPath);
  const names = backboneNames();
  const near = nearest(nameOrPath, names);
  const kind = existsSync(nameOrPath)
    ? statSync(nameOrPath).isDirectory()
      ? ", a folder"
      : ", a file that is no model"
    : /[\\/]/.test(nameOrPath)
      ? ", where nothing is"
      : "";
  const found = `--backbone: found "${nameOrPath}"${kind}`;
  throw new EtlError(
    "usage",
    `${found}, one of ${names.join(", ")} or the path of a model file (.onnx, .h5, model.json) was needed`,
    {
      hint: existsSync(join(nameOrPath, "pruned.onnx"))
        ? `the network of that run: --backbone ${shellWord(join(nameOrPath, "pruned.onnx"))}`
        : near === undefined
          ? undefined
          : `did you mean "${near}"?`,
    },
  );
}
