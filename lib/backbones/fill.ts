/** Networks of the catalogue filled from a file of weights, or at random. */
import { basename } from "node:path";
import { EtlError } from "../core/errors.ts";
import { foldBatchNorm } from "../network/fold-batch-norm.ts";
import type { Network } from "../network/network.ts";
import { networkFingerprint, type Backbone, type BackboneEntry, type LoadOptions } from "./backbone.ts";
import { randomNote, type Family } from "./entry.ts";
import { initialise } from "./initialise.ts";
import { describe } from "./metadata.ts";
import { assignWeights, isKerasFile, readWeights, withPlainNames, type Weights } from "./weights.ts";

/**
 * A backbone from the user's file of weights.
 *
 * @throws EtlError `usage` without a file, `format` where it does not fit
 */
export async function loadFilled(
  facts: Pick<BackboneEntry, "name" | "title" | "preprocessing" | "source" | "licence">,
  family: Family,
  { weights, seed = 1, features, preprocessing }: LoadOptions,
): Promise<Backbone> {
  const { name, title } = facts;
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
}

async function filledFrom(path: string, family: Family): Promise<Network> {
  const read = await readWeights(path);
  const weights = isKerasFile(path) ? await fromKeras(read, path, family) : await fromTorch(read, family);
  const classes = family.last === undefined ? undefined : weights.get(family.last)?.shape[0];
  return assignWeights(family.build(classes === undefined ? {} : { classes }), weights, path);
}

async function fromTorch(weights: Weights, family: Family): Promise<Weights> {
  const plain = withPlainNames(weights);
  return family.fromTorch === undefined ? plain : family.fromTorch(plain);
}

async function fromKeras(weights: Weights, path: string, family: Family): Promise<Weights> {
  if (family.fromKeras !== undefined) return family.fromKeras(weights, path);
  throw new EtlError("unsupported", `${path}: a Keras file, .safetensors was needed for this backbone`, {
    hint: "a whole Keras model goes to --backbone FILE",
  });
}
