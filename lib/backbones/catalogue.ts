/** The backbones the toolkit knows by name, and model files as backbones. */
import { EtlError, nearest } from "../core/errors.ts";
import type { Backbone, BackboneEntry, LoadOptions } from "./backbone.ts";
import { networkFingerprint } from "./backbone.ts";
import { faceResnetPreprocessing, faceResnetValues, loadFaceResnet } from "./face-resnet.ts";
import { initialise } from "./initialise.ts";
import { isModelFile, loadModelFile } from "./model-file.ts";

export type { Backbone, BackboneEntry, LoadOptions } from "./backbone.ts";

const faceResnet: BackboneEntry = {
  name: "face-resnet",
  title: "Face ResNet (dlib, 29 convolutions)",
  preprocessing: faceResnetPreprocessing,
  weights: "embedded",
  source: "npm package @vladmandic/face-api, face_recognition_model",
  licence: "MIT",
  load: async ({ weights, seed = 1, features, preprocessing }) => {
    const random = weights === "random";
    const shipped = random || weights === undefined;
    const trained = await (shipped ? loadFaceResnet() : loadFaceResnet(weights));
    const network = random ? initialise(trained, seed) : trained;
    const { name, title, source, licence } = faceResnet;
    return {
      name,
      title,
      network,
      preprocessing: { ...faceResnetPreprocessing, ...preprocessing },
      features: features ?? faceResnetValues.features,
      embedding: faceResnetValues.embedding,
      source: random ? `random weights, seed ${seed}` : (weights ?? source),
      licence: shipped ? licence : "that of the file",
      fingerprint: networkFingerprint(network),
      notes: random ? [`${name}: random weights (seed ${seed}), nothing is pretrained`] : [],
    };
  },
};

const entries: readonly BackboneEntry[] = [faceResnet];

/** The backbones that have a name. */
export function backboneEntries(): readonly BackboneEntry[] {
  return entries;
}

/** Their names. */
export function backboneNames(): string[] {
  return entries.map(({ name }) => name);
}

/**
 * Loads a backbone by name, or a model file.
 *
 * @param nameOrPath one of {@link backboneNames}, or the path of an `.onnx` file
 * @throws EtlError kind `usage` for an unknown name, with the nearest known one
 */
export async function loadBackbone(nameOrPath: string, options: LoadOptions = {}): Promise<Backbone> {
  const entry = entries.find(({ name }) => name === nameOrPath);
  if (entry !== undefined) return entry.load(options);
  if (isModelFile(nameOrPath)) return loadModelFile(nameOrPath, options);
  const names = backboneNames();
  const near = nearest(nameOrPath, names);
  const found = `--backbone: found "${nameOrPath}"`;
  throw new EtlError(
    "usage",
    `${found}, one of ${names.join(", ")} or the path of an .onnx file was needed`,
    {
      hint: near === undefined ? undefined : `did you mean "${near}"?`,
    },
  );
}
