/**
 * DMM-CNN (Mao, Yan, Xue, Wang 2020): ResNet50 without its last pooling, a small branch on 1-level spatial pyramid
 * pooling for the 22 objective attributes, a deep one on 3-level pooling for the 18 subjective ones, and a branch that
 * finds landmarks. At 224x224, 40 attributes, 72 landmarks: 88.7 M parameters, 355 MB ("about 360M" in the paper).
 */
import { createBuilder, type Builder } from "../../network/builder.ts";
import { EtlError } from "../../core/errors.ts";
import { CELEBA_ATTRIBUTES } from "../../data/sources/celeba-attributes.ts";
import { int64, type Network } from "../../network/network.ts";
import { finished, linear, imageNetAt, namedWeights } from "./blocks.ts";
import { resnetShapes, resnetTrunk } from "./resnet.ts";
import { fromFile } from "../from-file.ts";
import { dmmRecipe } from "../recipes.ts";

/**
 * The 18 subjective of CelebA's 40 attributes: matters of degree, on which people disagree. A guess: the paper lists them in
 * a figure only, and its text contradicts itself (docs/light-networks.md).
 */
export const subjectiveAttributes: readonly string[] = [
  "Arched_Eyebrows",
  "Attractive",
  "Bags_Under_Eyes",
  "Big_Lips",
  "Big_Nose",
  "Bushy_Eyebrows",
  "Chubby",
  "Double_Chin",
  "Heavy_Makeup",
  "High_Cheekbones",
  "Narrow_Eyes",
  "Oval_Face",
  "Pale_Skin",
  "Pointy_Nose",
  "Receding_Hairline",
  "Rosy_Cheeks",
  "Smiling",
  "Young",
];

export interface DmmCnnOptions {
  /** Number of attributes; default 40. */
  readonly classes?: number;
  /**
   * Positions of the attributes that the deep (3-level) branch answers; default: the subjective ones of CelebA's 40,
   * all of any other number. All of them: no grouping, the variant DMM-SPP.
   */
  readonly subjective?: readonly number[];
  /** Landmarks (x, y); 0: no such branch, the variant DMM-FAC. Default 72. */
  readonly points?: number;
  /** Layers of the ResNet; the paper's 50, or 18 for small machines. Default 50. */
  readonly depth?: 18 | 50;
  /** Side of the picture, more than 64: the last map is divided into 3x3 parts. Default 224. */
  readonly side?: number;
  readonly name?: string;
}

/** Names of the values that others hold on to. Heads for other tasks go on ResNet50's own last map. */
export const dmmCnnValues = {
  features: "layer4.2.relu",
  embedding: "pyramid1",
  prediction: "prediction",
  landmarks: "landmarks",
} as const;

/** DMM-CNN at its initial state; the trunk has torchvision's names, the branches `objective.0`, `subjective.0` ... */
export function buildDmmCnn(options: DmmCnnOptions = {}): Network {
  const { classes = 40, points = 72, depth = 50, side = 224, name = "dmm-cnn" } = options;
  const all = Array.from({ length: classes }, (_, i) => i);
  const subjective = options.subjective ?? (classes === 40 ? subjectiveAmong(CELEBA_ATTRIBUTES) : all);
  const objective = all.filter((i) => !subjective.includes(i));
  const net = createBuilder(name);
  const size = Math.ceil(side / 32);
  if (size < 3) {
    throw new EtlError("usage", `${name}: pictures of ${side}x${side}, a side of more than 64 was needed`, {
      hint: "with etl train: --size 72, or more",
    });
  }
  const { map, channels } = resnetTrunk(net, { ...resnetShapes[depth], side });
  const one = net.flatten(net.globalMaxPool(map, { name: "pyramid1/max" }), { name: "pyramid1" });
  const parts: string[] = [];
  if (objective.length > 0) {
    parts.push(branch(net, one, { at: "objective", widths: [channels, 1024, objective.length] }));
  }
  if (subjective.length > 0) {
    const levels = [one, ...[2, 3].map((level) => pyramid(net, map, { level, size }))];
    const features = net.concat(levels, { name: "pyramid3" });
    const widths = [14 * channels, 2048, 1024, subjective.length];
    parts.push(branch(net, features, { at: "subjective", widths }));
  }
  const outputs = [inOrder(net, parts, [...objective, ...subjective])];
  if (points > 0) {
    const found = branch(net, one, { at: "landmark", widths: [channels, 1024, 2 * points] });
    outputs.push(net.identity(found, { name: dmmCnnValues.landmarks }));
  }
  return finished(net, outputs, side, dmmCnnValues);
}

/** Largest value of every channel in each of level x level windows that cover the map evenly, flat. */
function pyramid(net: Builder, map: string, { level, size }: { level: number; size: number }): string {
  const strides = Math.floor(size / level);
  const kernel = size - (level - 1) * strides;
  const pooled = net.maxPool(map, { name: `pyramid.${level}/max`, kernel, strides });
  return net.flatten(pooled, { name: `pyramid.${level}` });
}

interface Branch {
  readonly at: string;
  /** Inputs, then the width of every layer. */
  readonly widths: readonly number[];
}

/** Linear layers with ReLU between them: `at.0`, `at.2`, ... */
function branch(net: Builder, features: string, { at, widths }: Branch): string {
  let x = features;
  widths.slice(1).forEach((outputs, i) => {
    if (i > 0) x = net.relu(x, { name: `${at}.${2 * i - 1}` });
    x = linear(net, x, { name: `${at}.${2 * i}`, inputs: widths[i], outputs });
  });
  return x;
}

/** The branches' answers side by side, in the order of the attributes. */
function inOrder(net: Builder, parts: readonly string[], order: readonly number[]): string {
  const name = dmmCnnValues.prediction;
  const joined = parts.length === 1 ? parts[0] : net.concat(parts, { name: "attributes" });
  if (order.every((attribute, i) => attribute === i)) return net.identity(joined, { name });
  const position = order.map((_, attribute) => order.indexOf(attribute));
  const table = net.parameter("attributes.order", int64(position));
  return net.node("Gather", [joined, table], { name, attributes: { axis: { type: "int", value: 1 } } });
}

/** Positions of the subjective among some attributes. */
export function subjectiveAmong(attributes: readonly string[]): number[] {
  return attributes.flatMap((attribute, i) => (subjectiveAttributes.includes(attribute) ? [i] : []));
}

export const dmmCnnNet = fromFile(
  {
    name: "dmm-cnn",
    title: "DMM-CNN (40 attributes, 72 landmarks)",
    use: "40 attributes, with landmarks to help",
    preprocessing: imageNetAt(224),
    source: namedWeights("of torchvision's ResNet50 and objective.0, subjective.0, landmark.0, ..."),
  },
  { build: () => buildDmmCnn(), values: dmmCnnValues },
  {
    title: "DMM-CNN",
    takes: ["groups", "landmarks"],
    joint: true,
    trunk: dmmCnnValues.features,
    recipe: dmmRecipe,
    build: ({ heads, side, names = [], ungrouped = false }) => {
      const [{ outputs: classes }, landmarks] = heads;
      const deep = ungrouped ? names.map((_, i) => i) : subjectiveAmong(names);
      return buildDmmCnn({
        classes,
        side,
        points: (landmarks?.outputs ?? 0) / 2,
        subjective: deep.length === 0 ? Array.from({ length: classes }, (_, i) => i) : deep,
      });
    },
  },
);
