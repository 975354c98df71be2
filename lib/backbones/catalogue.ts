/** The backbones the toolkit knows by name, and model files as backbones. */
import { basename } from "node:path";
import { EtlError, nearest } from "../core/errors.ts";
import { foldBatchNorm } from "../network/fold-batch-norm.ts";
import type { Network } from "../network/network.ts";
import type { Backbone, BackboneEntry, HeadPlace, LoadOptions } from "./backbone.ts";
import { networkFingerprint } from "./backbone.ts";
import { faceResnetPreprocessing, faceResnetValues, loadFaceResnet } from "./nets/face-resnet.ts";
import { initialise } from "./initialise.ts";
import { describe } from "./metadata.ts";
import { imageNetAt } from "./nets/blocks.ts";
import { lightFamilies } from "./nets/light-families.ts";
import { isModelFile, loadModelFile } from "./read-model.ts";
import { buildResnet18, buildResnet50, imageNetPreprocessing, resnetValues } from "./nets/resnet.ts";
import { buildVgg16, vggfacePreprocessing, vggfaceValues } from "./nets/vggface.ts";
import { vggfaceFromKeras, vggfaceFromTorch } from "./nets/vggface-weights.ts";
import { assignWeights, isKerasFile, readWeights, withPlainNames, type Weights } from "./weights.ts";

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
      source: random ? `random weights, seed ${seed}` : weights === undefined ? source : basename(weights),
      licence: shipped ? licence : "that of the file",
      fingerprint: networkFingerprint(network),
      notes: random ? [randomNote(name, seed)] : [],
    };
  },
};

interface Family {
  readonly build: (options: { classes?: number }) => Network;
  /** Name of the last layer's weight, [classes, inputs]: it says how many classes the file has. */
  readonly last?: string;
  readonly values: { readonly features: string; readonly embedding: string };
  /** As {@link Backbone.head}. */
  readonly head?: HeadPlace;
  /** Brings a Keras file's names and layouts into ours. */
  readonly fromKeras?: (weights: Weights, where: string) => Weights;
  /** Brings other names of PyTorch files into ours. */
  readonly fromTorch?: (weights: Weights) => Weights;
}

/** A network of public fame whose weights the user brings. */
function fromFile(
  facts: Pick<BackboneEntry, "name" | "title" | "preprocessing" | "source" | "licence">,
  family: Family,
): BackboneEntry {
  const { name, title } = facts;
  const load = async ({ weights, seed = 1, features, preprocessing }: LoadOptions): Promise<Backbone> => {
    if (weights === undefined) {
      throw new EtlError("usage", `--backbone ${name}: no weights, a file with --weights was needed`, {
        hint: `source: ${facts.source}; --weights random starts from nothing`,
      });
    }
    const random = weights === "random";
    const filled = random
      ? initialise(family.build({}), seed)
      : foldBatchNorm(await filledFrom(weights, family));
    const network = describe(filled, { title });
    return {
      name,
      title,
      network,
      preprocessing: { ...facts.preprocessing, ...preprocessing },
      features: features ?? family.values.features,
      ...(family.head === undefined ? {} : { head: family.head }),
      embedding: family.values.embedding,
      source: random ? `random weights, seed ${seed}` : basename(weights),
      licence: random ? "none needed" : facts.licence,
      fingerprint: networkFingerprint(network),
      notes: random ? [randomNote(name, seed)] : [],
    };
  };
  return { ...facts, weights: "file", load };
}

async function filledFrom(path: string, family: Family): Promise<Network> {
  const read = await readWeights(path);
  const weights = isKerasFile(path) ? fromKeras(read, path, family) : fromTorch(read, family);
  const classes = family.last === undefined ? undefined : weights.get(family.last)?.shape[0];
  return assignWeights(family.build(classes === undefined ? {} : { classes }), weights, path);
}

function fromTorch(weights: Weights, family: Family): Weights {
  const plain = withPlainNames(weights);
  return family.fromTorch === undefined ? plain : family.fromTorch(plain);
}

function fromKeras(weights: Weights, path: string, family: Family): Weights {
  if (family.fromKeras !== undefined) return family.fromKeras(weights, path);
  throw new EtlError("unsupported", `${path}: a Keras file, .safetensors was needed for this backbone`, {
    hint: "a whole Keras model goes to --backbone FILE",
  });
}

function randomNote(name: string, seed: number): string {
  return `${name}: random weights (seed ${seed}), nothing is pretrained`;
}

const entries: readonly BackboneEntry[] = [
  faceResnet,
  fromFile(
    {
      name: "vggface",
      title: "VGGFace (VGG16, 2,622 identities)",
      preprocessing: vggfacePreprocessing,
      source: "Visual Geometry Group, University of Oxford: VGG Face Descriptor",
      licence: "CC BY-NC 4.0 (non-commercial)",
    },
    {
      build: buildVgg16,
      last: "fc8.weight",
      values: vggfaceValues,
      head: "task",
      fromKeras: vggfaceFromKeras,
      fromTorch: vggfaceFromTorch,
    },
  ),
  fromFile(
    {
      name: "resnet18",
      title: "ResNet18",
      preprocessing: imageNetPreprocessing,
      source: "torchvision or timm, saved as .safetensors",
      licence: "that of the file",
    },
    { build: buildResnet18, last: "fc.weight", values: resnetValues },
  ),
  fromFile(
    {
      name: "resnet50",
      title: "ResNet50",
      preprocessing: imageNetPreprocessing,
      source: "torchvision or timm, saved as .safetensors",
      licence: "that of the file",
    },
    { build: buildResnet50, last: "fc.weight", values: resnetValues },
  ),
  ...lightFamilies.map(({ facts: { side, ...facts }, family }) =>
    fromFile({ ...facts, preprocessing: imageNetAt(side), licence: "that of the file" }, family),
  ),
];

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
 * @param nameOrPath one of {@link backboneNames}, or the path of a model file: `.onnx`, `.h5`, tfjs `model.json`
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
    `${found}, one of ${names.join(", ")} or the path of a model file (.onnx, .h5, model.json) was needed`,
    {
      hint: near === undefined ? undefined : `did you mean "${near}"?`,
    },
  );
}
