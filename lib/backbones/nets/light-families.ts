/** The light networks as backbones: how a file of weights becomes one. */
import type { Network } from "../../network/network.ts";
import { lightValues } from "./blocks.ts";
import { buildDmmCnn, dmmCnnValues } from "./dmm-cnn.ts";
import { buildEfficientnetB0 } from "./efficientnet.ts";
import { buildLeviHassner, leviHassnerValues } from "./levi-hassner.ts";
import { buildLmtcnn, lmtcnnValues } from "./lmtcnn.ts";
import { buildMobilenetV1 } from "./mobilenet-v1.ts";
import { buildMobilenetV2 } from "./mobilenet-v2.ts";
import { buildResnet18Mlp, resnet18MlpValues } from "./resnet.ts";
import { buildShufflenetV2 } from "./shufflenet-v2.ts";

/** What the catalogue needs to know of one. */
export interface LightFamily {
  readonly facts: {
    readonly name: string;
    readonly title: string;
    readonly side: number;
    readonly source: string;
  };
  readonly family: {
    readonly build: (options: { classes?: number }) => Network;
    /** Name of the last layer's weight, where one layer says how many classes a file has. */
    readonly last?: string;
    readonly values: { readonly features: string; readonly embedding: string };
  };
}

const torchvision = "torchvision, saved as .safetensors";
const own = (names: string): string => `a .safetensors file with the names ${names}`;

const mobilenetV1 = (width: number): LightFamily => {
  const name = width === 1 ? "mobilenet-v1" : `mobilenet-v1-${width}`;
  return {
    facts: {
      name,
      title: `MobileNetV1, width ${width.toFixed(2)}`,
      side: 224,
      source: own("conv_stem, blocks.1.0.conv_dw, ... (timm's), ReLU"),
    },
    family: {
      build: (options) => buildMobilenetV1({ ...options, width, name }),
      last: "classifier.weight",
      values: lightValues,
    },
  };
};

const lmtcnn = (name: string, title: string, widths: readonly [number, number]): LightFamily => ({
  facts: { name, title, side: 227, source: own("conv1, conv2.depthwise, conv2.pointwise, ...") },
  family: {
    build: (options) => buildLmtcnn({ ...options, widths, name }),
    last: "age.weight",
    values: lmtcnnValues,
  },
});

export const lightFamilies: readonly LightFamily[] = [
  ...[1, 0.75, 0.5, 0.25].map(mobilenetV1),
  {
    facts: { name: "mobilenet-v2", title: "MobileNetV2", side: 224, source: torchvision },
    family: { build: buildMobilenetV2, last: "classifier.1.weight", values: lightValues },
  },
  {
    facts: { name: "shufflenet-v2", title: "ShuffleNetV2 x1", side: 224, source: torchvision },
    family: { build: buildShufflenetV2, last: "fc.weight", values: lightValues },
  },
  {
    facts: { name: "efficientnet-b0", title: "EfficientNet-B0", side: 224, source: torchvision },
    family: { build: buildEfficientnetB0, last: "classifier.1.weight", values: lightValues },
  },
  {
    facts: {
      name: "resnet18-mlp",
      title: "ResNet18, head 512-512-128-40",
      side: 224,
      source: own("of torchvision's ResNet18 and fc.0, fc.2, fc.4"),
    },
    family: { build: buildResnet18Mlp, last: "fc.4.weight", values: resnet18MlpValues },
  },
  lmtcnn("lmtcnn-1-1", "LMTCNN-1-1 (age group and gender)", [1, 1]),
  lmtcnn("lmtcnn-2-1", "LMTCNN-2-1 (age group and gender)", [2, 1]),
  {
    facts: {
      name: "levi-hassner",
      title: "Levi-Hassner (age group or gender)",
      side: 227,
      source: own("conv1, conv2, conv3, fc6, fc7, fc8"),
    },
    family: { build: buildLeviHassner, last: "fc8.weight", values: leviHassnerValues },
  },
  {
    facts: {
      name: "dmm-cnn",
      title: "DMM-CNN (40 attributes, 72 landmarks)",
      side: 224,
      source: own("of torchvision's ResNet50 and objective.0, subjective.0, landmark.0, ..."),
    },
    family: { build: () => buildDmmCnn(), values: dmmCnnValues },
  },
];
