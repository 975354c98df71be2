/**
 * The public VGGFace weight files for Keras. Two namings are around: keras-vggface calls its layers conv1_1 ... fc8 and
 * flattens in front of fc6; deepface has a Sequential of conv2d_1 ... conv2d_16 whose last three are convolutions.
 */
import { EtlError } from "../../core/errors.ts";
import { lastName } from "../../formats/keras/h5.ts";
import { kernelFromKeras, matrixFromKeras } from "../../formats/permute.ts";
import { float32, type Parameter } from "../../network/network.ts";

/** Layers of VGG16 with weights, in order. */
const vggfaceLayers: readonly string[] = [
  ...[2, 2, 3, 3, 3].flatMap((layers, stage) =>
    Array.from({ length: layers }, (_, i) => `conv${stage + 1}_${i + 1}`),
  ),
  "fc6",
  "fc7",
  "fc8",
];

/**
 * Brings the weights of either naming into the names and layouts of our VGG16: `conv1_1.weight` [out, in, 3, 3],
 * `fc6.weight` [out, in] with the inputs over (channel, row, column). Names decide where the file uses the original
 * ones; else the order of the layers in the file.
 *
 * @param weights from {@link readKerasWeights}: `layer/kernel`, in the file's order
 * @param where the file, for messages
 */
export function vggfaceFromKeras(
  weights: ReadonlyMap<string, Parameter>,
  where: string,
): Map<string, Parameter> {
  const layers = new Map<string, { kernel?: Parameter; bias?: Parameter }>();
  for (const [name, parameter] of weights) {
    const part = lastName(name);
    if (part !== "kernel" && part !== "bias") {
      throw wrong(where, `weight "${name}"`, "kernels and biases of VGG16 only");
    }
    const layer = name.slice(0, name.indexOf("/"));
    layers.set(layer, { ...layers.get(layer), [part]: parameter });
  }
  const original = vggfaceLayers.slice(0, -1).every((layer) => layers.has(layer));
  const found = [...layers.keys()];
  const [complete, trunk] = [vggfaceLayers.length, vggfaceLayers.length - 3];
  if (layers.size === trunk) {
    throw new EtlError(
      "format",
      `${where}: the ${trunk} convolutions of VGG16, its three linear layers too were needed`,
      {
        hint: "this is a file without top: take the one with top",
      },
    );
  }
  if (layers.size !== complete)
    throw wrong(where, `${layers.size} layers with weights`, `${complete}, VGG16's,`);
  // keras-vggface lets a changed last layer be called otherwise ("classifier").
  const ordered = original
    ? [...vggfaceLayers.slice(0, -1), ...found.filter((name) => !vggfaceLayers.slice(0, -1).includes(name))]
    : found;
  const result = new Map<string, Parameter>();
  let channels = 0;
  ordered.forEach((source, i) => {
    const layer = vggfaceLayers[i];
    const { kernel, bias } = layers.get(source) ?? {};
    const at = `${where}: layer "${source}" (${layer})`;
    if (kernel === undefined || bias === undefined) throw wrong(at, "no kernel or no bias", "both");
    const weight = layer.startsWith("conv") ? convolution(kernel, at) : linear(kernel, channels, at);
    if (layer.startsWith("conv")) channels = weight.shape[0];
    else channels = 0;
    result.set(`${layer}.weight`, weight).set(`${layer}.bias`, bias);
  });
  return result;
}

/** Places of the convolutions in the `features` of torchvision and timm. */
const torchPlaces = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28];
/** The linear layers there: torchvision's names, timm's names. */
const torchLinear = [
  ["classifier.0", "classifier.3", "classifier.6"],
  ["pre_logits.fc1", "pre_logits.fc2", "head.fc"],
];

/** Brings the names of torchvision's or timm's VGG16 into ours; other weights are returned as they are. */
export function vggfaceFromTorch(weights: ReadonlyMap<string, Parameter>): ReadonlyMap<string, Parameter> {
  if (!weights.has("features.0.weight")) return weights;
  const trunk = torchPlaces.map((place) => `features.${place}`);
  const names = new Map(
    torchLinear.flatMap((linearNames) => {
      return [...trunk, ...linearNames].map((name, i) => [name, vggfaceLayers[i]] as const);
    }),
  );
  return new Map(
    [...weights].map(([name, parameter]): [string, Parameter] => {
      const dot = name.lastIndexOf(".");
      const layer = names.get(name.slice(0, dot));
      if (layer === undefined) return [name, parameter];
      const { shape, data } = parameter;
      // timm writes fc6 and fc7 as convolutions: [out, in, height, width] is [out, in * height * width].
      const flat = layer.startsWith("fc") && shape.length === 4 && data instanceof Float32Array;
      const [outputs, ...inputs] = shape;
      const wide = inputs.reduce((product, size) => product * size, 1);
      return [layer + name.slice(dot), flat ? float32([outputs, wide], data) : parameter];
    }),
  );
}

function convolution(kernel: Parameter, at: string): Parameter {
  if (kernel.shape.length === 4) return kernelFromKeras(kernel, at);
  throw wrong(at, `a kernel [${kernel.shape.join(", ")}]`, "[height, width, in, out]");
}

/** @param channels of the image in front of the layer, 0 behind another linear layer */
function linear(kernel: Parameter, channels: number, at: string): Parameter {
  if (kernel.shape.length === 4) {
    const weight = kernelFromKeras(kernel, at);
    const [outputs, ...inputs] = weight.shape;
    const shape = [outputs, inputs.reduce((product, size) => product * size, 1)];
    return float32(shape, weight.data as Float32Array);
  }
  if (kernel.shape.length !== 2) throw wrong(at, `a kernel [${kernel.shape.join(", ")}]`, "[in, out]");
  if (channels === 0) return matrixFromKeras(kernel, at);
  const side = Math.sqrt(kernel.shape[0] / channels);
  if (Number.isInteger(side)) return matrixFromKeras(kernel, at, [channels, side, side]);
  throw wrong(at, `${kernel.shape[0]} inputs from ${channels} channels`, "those of a square picture");
}

function wrong(where: string, found: string, needed: string): EtlError {
  return new EtlError("format", `${where}: ${found}, ${needed} were needed`, {
    hint: "the file belongs to another network",
  });
}
