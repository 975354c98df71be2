/** A model file as a backbone: what its metadata say, and what has to be assumed where they are silent. */
import { own } from "../core/own.ts";
import { basename, extname } from "node:path";
import type { Preprocessing } from "../core/artifacts.ts";
import { EtlError, isEtlError } from "../core/errors.ts";
import { readBeside, readBytes, readJson } from "../core/files.ts";
import { readKerasArchive, readKerasModel } from "../formats/keras/h5.ts";
import { readOnnx } from "../formats/onnx/read.ts";
import { readTfjsModel } from "../formats/tfjs/read.ts";
import { webFiles } from "../formats/web/layout.ts";
import { isWebModel, readWebModel } from "../formats/web/read.ts";
import { openSizes, withBound } from "../network/fit.ts";
import { producersOf, type Network, type ValueInfo } from "../network/network.ts";
import { foldBatchNorm } from "../network/fold-batch-norm.ts";
import { openReshapes } from "../network/open/batch.ts";
import { propagate } from "../network/shapes/infer.ts";
import { channelsFirst, fromColour } from "../network/picture-input.ts";
import { simplify } from "../network/simplify.ts";
import { asSingle } from "../network/single.ts";
import { networkFingerprint, type Backbone, type LoadOptions } from "./backbone.ts";
import { featuresOf } from "./head.ts";
import { initialise } from "./initialise.ts";
import { preprocessingOf, textOf } from "./metadata.ts";
import { refuseStranger } from "./stranger.ts";

/** Readers by file ending. */
const readers: Readonly<Partial<Record<string, (path: string) => Promise<Network>>>> = {
  ".onnx": async (path) => {
    const beside = new Map<string, Uint8Array>(); // many tensors lie in one file
    return readOnnx(await readBytes(path), {
      name: basename(path),
      external: (location) => {
        const bytes = beside.get(location) ?? readBeside(path, location);
        beside.set(location, bytes);
        return bytes;
      },
    });
  },
  ".h5": (path) => readKerasModel(path),
  ".hdf5": (path) => readKerasModel(path),
  ".json": async (path) => {
    const model = await readJson(path);
    if (!isWebModel(model)) return readTfjsModel(path);
    return readWebModel(model, readBeside(path, webFiles.numbers), path);
  },
  ".keras": readKerasArchive,
};

/** Mean and scale of ImageNet training in PyTorch, in the units of 0..255. */
const imageNet = {
  mean: [123.675, 116.28, 103.53],
  scale: [1 / 58.395, 1 / 57.12, 1 / 57.375],
} as const;

/** The usual of networks for grey pictures. */
const between0and1 = { mean: [0, 0, 0], scale: [1 / 255, 1 / 255, 1 / 255] } as const;

/** Whether a name looks like a model file rather than a name of the catalogue. */
export function isModelFile(name: string): boolean {
  return Object.hasOwn(readers, extname(name).toLowerCase());
}

/** Reads a model file as a network. @throws EtlError kind `usage` for an ending without a reader */
export async function readModel(path: string): Promise<Network> {
  await refuseStranger(path);
  const reader = own(readers, extname(path).toLowerCase());
  if (reader === undefined) {
    const known = Object.keys(readers).join(", ");
    throw new EtlError("usage", `${path}: file ending "${extname(path)}", one of ${known} was needed`);
  }
  return reader(path);
}

/**
 * A model file as a backbone: shape arithmetic folded away, batch norm folded into the convolutions (unless the
 * weights are fresh ones, which need it to be trained).
 *
 * Pictures with the channels behind are turned, grey ones are mixed from RGB in front of the network.
 *
 * @throws EtlError kind `unsupported` where the file has no single picture input
 */
export async function loadModelFile(path: string, options: LoadOptions = {}): Promise<Backbone> {
  const name = basename(path, extname(path));
  const { weights, seed = 1 } = options;
  if (weights !== undefined && weights !== "random") {
    throw new EtlError(
      "usage",
      `--weights: found "${weights}" beside the model file ${path}, which has its own`,
      {
        hint: 'leave --weights out, or say "random" for fresh ones',
      },
    );
  }
  const asStored = await readModel(path);
  const asFile = asSingle(asStored); // engines compute in single precision, and have no layers in double
  const plain = channelsFirst(withBound(asFile, options.bind));
  const file = fromColour(plain);
  const input = pictureInput(file, path, {
    given: options.preprocessing ?? {},
    isGrey: file !== plain,
  });
  const { preprocessing } = input;
  const notes =
    asFile === asStored
      ? input.notes
      : [`${path} is in double precision: it is computed in single precision`, ...input.notes];
  if (asFile.inputs.some(({ shape }) => openSizes(shape).length > 0)) needFit(file, path, preprocessing);
  const read = simplify(withFreeBatch(file, path, { ...preprocessing, single: options.single === true }));
  const network = weights === "random" ? initialise(read, seed) : foldBatchNorm(read);
  const features = options.features ?? featuresOf(network);
  if (!producersOf(network).has(features)) {
    throw new EtlError("usage", `--features: found "${features}", a value that ${path} computes was needed`);
  }
  const embedding = textOf(network, "embedding");
  return {
    name,
    title: textOf(network, "title") ?? name,
    network,
    preprocessing,
    features,
    ...(embedding === undefined ? {} : { embedding }),
    source: textOf(network, "source") ?? basename(path),
    licence: textOf(network, "licence") ?? "that of the file",
    fingerprint: networkFingerprint(network),
    notes:
      weights === "random"
        ? [`${name}: random weights (seed ${seed}), nothing is pretrained`, ...notes]
        : notes,
  };
}

/** How pictures get into the network: the options first, then the metadata, then the usual, which is announced. */
function pictureInput(
  network: Network,
  path: string,
  { given, isGrey }: { readonly given: Partial<Preprocessing>; readonly isGrey: boolean },
): { preprocessing: Preprocessing; notes: string[] } {
  const input = pictureInputOf(network, path);
  const [height, width] = [2, 3].map((axis) => {
    const size = input.shape[axis];
    return typeof size === "number" ? size : undefined;
  });
  const stated = preprocessingOf(network);
  const known: Partial<Preprocessing> = { ...stated, ...given };
  const size = { width: known.width ?? width, height: known.height ?? height };
  if (size.width === undefined || size.height === undefined) {
    throw new EtlError(
      "usage",
      `${path}: the file does not say how large its pictures are, a size was needed`,
      {
        hint: "say it with --size HEIGHTxWIDTH; in the library: preprocessing: { width, height }",
      },
    );
  }
  if ((width ?? size.width) !== size.width || (height ?? size.height) !== size.height) {
    const asked = `pictures of ${size.width}x${size.height}`;
    throw new EtlError(
      "usage",
      `${path}: ${asked} for an input of ${width ?? "any"}x${height ?? "any"}, equal sizes were needed`,
    );
  }
  const usual = isGrey ? between0and1 : imageNet;
  const { color = "RGB", mean = usual.mean, scale = usual.scale } = known;
  const assumed = [
    ...(known.color === undefined ? [`colour order ${color}`] : []),
    ...(known.mean === undefined ? [`mean ${mean.join(", ")}`] : []),
    ...(known.scale === undefined ? [`scale ${scale.map((value) => value.toFixed(6)).join(", ")}`] : []),
  ];
  const whose = isGrey ? "values of 0 to 1" : "ImageNet's";
  const notes = [
    ...(isGrey ? [`${path} takes grey pictures: they are mixed from RGB in front of it`] : []),
    ...(assumed.length === 0
      ? []
      : [`${path} does not say how its pictures are prepared: ${assumed.join("; ")} assumed (${whose})`]),
  ];
  return { preprocessing: { width: size.width, height: size.height, color, mean, scale }, notes };
}

/**
 * The network with a free batch size and pictures of a fixed size. A file exported for one picture is opened up where
 * nothing inside depends on it; where something does it stays one picture, if that will do (`single`).
 */
function withFreeBatch(
  network: Network,
  path: string,
  { height, width, single }: { readonly height: number; readonly width: number; readonly single: boolean },
): Network {
  const input = pictureInputOf(network, path);
  const [batch, channels] = input.shape;
  const isOpen = typeof batch === "string";
  const free = (value: ValueInfo): ValueInfo => ({ ...value, shape: ["batch", ...value.shape.slice(1)] });
  const opened = openReshapes({
    ...network,
    inputs: [{ ...input, shape: [isOpen ? batch : "batch", channels, height, width] }],
    outputs: isOpen ? network.outputs : network.outputs.map(free),
  });
  if (takesSeveral(opened, isOpen)) return opened;
  if (single && (isOpen || batch === 1))
    return { ...network, inputs: [{ ...input, shape: [1, channels, height, width] }] };
  throw new EtlError(
    "unsupported",
    `${path}: made for batches of ${isOpen ? 1 : batch}, a free batch size was needed`,
    {
      hint: "export the model again with a dynamic first axis",
    },
  );
}

/** @throws EtlError `usage` where pictures of the size that was said do not fit through a file that leaves it open */
function needFit(
  network: Network,
  path: string,
  { height, width }: { readonly height: number; readonly width: number },
): void {
  const [input] = network.inputs;
  const sized = { ...network, inputs: [{ ...input, shape: [1, input.shape[1], height, width] }] };
  try {
    propagate(sized, { onError: "unknown" });
  } catch (error) {
    if (!isEtlError(error)) throw error;
    throw new EtlError(
      "usage",
      `${path}: ${error.message}: pictures of ${height}x${width} do not fit through, another size was needed`,
      { hint: "say it with --size HEIGHTxWIDTH", cause: error },
    );
  }
}

/** Whether two pictures give two answers; what cannot be told is believed of a file that says so itself. */
function takesSeveral(network: Network, saysSo: boolean): boolean {
  const batch = network.inputs[0].shape[0];
  try {
    const { shapes } = propagate(network, {
      bindings: { batch: 2, [batch]: 2 },
      onError: saysSo ? "unknown" : "throw",
    });
    return network.outputs.every(({ name }) => (shapes.get(name)?.[0] ?? (saysSo ? 2 : undefined)) === 2);
  } catch (error) {
    if (isEtlError(error)) return false;
    throw error;
  }
}

function pictureInputOf(network: Network, path: string): ValueInfo {
  const [input] = network.inputs;
  const list = network.inputs.map(({ name, shape }) => `${name} [${shape.join(", ")}]`).join("; ");
  if (network.inputs.length !== 1 || input.shape.length !== 4 || input.shape[1] !== 3) {
    throw new EtlError("unsupported", `${path}: inputs ${list}, one input of pictures was needed`, {
      hint: "[n, 3, height, width], one channel in place of three, or the channels behind; etl profile, export and cut take any",
    });
  }
  if (input.type !== "float32") {
    const found = `input ${input.name} of ${input.type}, pictures in float32 were needed`;
    throw new EtlError("unsupported", `${path}: ${found}`, {
      hint: "export the model again from behind its Cast to float32; etl profile, export and cut take any type",
    });
  }
  return input;
}
