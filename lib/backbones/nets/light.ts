/** The light networks of the literature and what they are compared with: how each is built, and how its paper trains it. */
import type { Network } from "../../network/network.ts";
import type { Optimizer } from "../../core/artifacts.ts";
import { EtlError, isEtlError, nearest } from "../../core/errors.ts";
import { inferShapes } from "../../network/shapes/infer.ts";
import { lightValues } from "./blocks.ts";
import { buildDmmCnn, dmmCnnValues, subjectiveAmong } from "./dmm-cnn.ts";
import { buildEfficientnetB0 } from "./efficientnet.ts";
import { buildLeviHassner, leviHassnerValues } from "./levi-hassner.ts";
import { buildLmtcnn, lmtcnnValues, type TaskHead } from "./lmtcnn.ts";
import { buildMobilenetV1 } from "./mobilenet-v1.ts";
import { buildMobilenetV2 } from "./mobilenet-v2.ts";
import { buildResnet18, buildResnet18Mlp, buildResnet50, resnet18MlpValues, resnetValues } from "./resnet.ts";
import { buildShufflenetV2 } from "./shufflenet-v2.ts";
import { withTaskHeads } from "./task-heads.ts";

/** How an architecture is trained where nobody says otherwise: its paper's settings. */
interface Recipe {
  readonly epochs: number;
  readonly learningRate: number;
  readonly batchSize: number;
  readonly optimizer: Optimizer;
  /** `plateau`: a tenth of the rate whenever the validation loss stops falling. */
  readonly schedule: "constant" | "plateau" | "cosine";
  readonly dropout: number;
  /** `highest`: of the epochs the one with the highest accuracy on the validation part, to the letter. */
  readonly keep?: "highest";
  /** `squared`: labels are -1 and 1 and the error is squared (DMM-CNN, eq. 2). */
  readonly loss: "cross-entropy" | "squared";
}

/** What is built for a task. */
interface ArchitectureOptions {
  /** One answer for every task, in order; the first is the main one. */
  readonly heads: readonly TaskHead[];
  /** Side of the picture. */
  readonly side: number;
  readonly width?: number | undefined;
  readonly dropout: number;
  readonly headKind?: "one" | "each";
  /** Names of the main task's outputs, where it has several. */
  readonly names?: readonly string[];
  /** DMM-CNN: answer all attributes in the deep branch, without groups. */
  readonly ungrouped?: boolean;
}

/** Settings of heads that some architectures have and others do not. */
type HeadSetting = "heads" | "dropout" | "groups" | "landmarks";

/** A network that `etl train` can build. */
export interface Architecture {
  readonly name: string;
  readonly title: string;
  readonly side: number;
  /** Width multipliers that it takes: any number in (0, 1], or a list; absent: none. */
  readonly widths?: "any" | readonly number[] | undefined;
  /** Side to which pictures are scaled before parts of `side` are cut from them; absent: no parts. */
  readonly overSampling?: number;
  /** Two classes are answered by a softmax of two, not by one number (Lee et al., section 3.2). */
  readonly softmax?: boolean;
  /** Settings of its head that it has; the others would change nothing. */
  readonly takes: readonly HeadSetting[];
  /** Whether it takes several tasks at once, hard-sharing all layers but the heads. */
  readonly joint: boolean;
  /** Value that separates the trunk, whose weights a file can bring, from the heads. */
  readonly trunk: string;
  readonly recipe: Recipe;
  readonly build: (options: ArchitectureOptions) => Network;
}

const adam = { kind: "adamw", weightDecay: 0 } as const;
const sgd = { kind: "sgd", momentum: 0.9 } as const;
const bce = { optimizer: adam, schedule: "constant", loss: "cross-entropy" } as const;

/** Wang and Wong: learning rate 0.001, 50 epochs, "the one with best accuracy" is kept. */
const attributesRecipe: Recipe = {
  ...bce,
  epochs: 50,
  learningRate: 1e-3,
  batchSize: 64,
  dropout: 0,
  keep: "highest",
};
/** Thesis on efficient networks: Adam, 1e-4, batches of 64, 20 epochs, dropout 0.2. */
const efficientRecipe: Recipe = { ...bce, epochs: 20, learningRate: 1e-4, batchSize: 64, dropout: 0.2 };
/** Levi and Hassner: SGD, 1e-3, batches of 50, dropout 0.5. */
const ageGenderRecipe: Recipe = {
  ...bce,
  optimizer: sgd,
  epochs: 50,
  learningRate: 1e-3,
  batchSize: 50,
  dropout: 0.5,
};
/** Mao et al.: SGD, 1e-3, a tenth whenever the validation loss stops falling, 15 epochs of batches of 64. */
const dmmRecipe: Recipe = {
  optimizer: sgd,
  schedule: "plateau",
  loss: "squared",
  epochs: 15,
  learningRate: 1e-3,
  batchSize: 64,
  dropout: 0,
};

type Headless = (options: {
  readonly classes: number;
  readonly side: number;
  readonly width?: number;
}) => Network;

/** A network whose heads sit on its pooled features. */
function onFeatures(build: Headless, features: string): Architecture["build"] {
  return ({ heads, side, width, dropout, headKind = "one" }) => {
    const trunk = build({ classes: 1, side, ...(width === undefined ? {} : { width }) });
    return withTaskHeads(trunk, features, { outputs: heads[0].outputs, heads: headKind, dropout });
  };
}

interface Facts {
  readonly name: string;
  readonly title: string;
  readonly widths?: Architecture["widths"];
}

function pooled(facts: Facts, build: Headless, recipe: Recipe): Architecture {
  const { features } = lightValues;
  const takes = ["heads", "dropout"] as const;
  return {
    ...facts,
    side: 224,
    takes,
    joint: false,
    trunk: features,
    recipe,
    build: onFeatures(build, features),
  };
}

function ageGender(
  facts: Facts,
  trunk: string,
  build: (options: { heads: readonly TaskHead[]; side: number; dropout: number }) => Network,
): Architecture {
  return {
    ...facts,
    side: 227,
    overSampling: 256,
    softmax: true,
    takes: ["dropout"],
    joint: true,
    trunk,
    recipe: ageGenderRecipe,
    build: ({ heads, side, dropout }) => build({ heads, side, dropout }),
  };
}

/** The architectures, by the papers they come from. */
export const architectures: readonly Architecture[] = [
  pooled({ name: "mobilenet-v1", title: "MobileNetV1", widths: "any" }, buildMobilenetV1, attributesRecipe),
  {
    name: "resnet18-mlp",
    title: "ResNet18 with a head of 512, 128 and the outputs",
    side: 224,
    takes: ["heads", "dropout"],
    joint: false,
    trunk: resnetValues.embedding,
    recipe: attributesRecipe,
    build: onFeatures(buildResnet18Mlp, resnet18MlpValues.features),
  },
  pooled(
    { name: "shufflenet-v2", title: "ShuffleNetV2", widths: [0.5, 1, 1.5, 2] },
    buildShufflenetV2,
    efficientRecipe,
  ),
  pooled({ name: "mobilenet-v2", title: "MobileNetV2", widths: "any" }, buildMobilenetV2, efficientRecipe),
  pooled({ name: "efficientnet-b0", title: "EfficientNet-B0" }, buildEfficientnetB0, efficientRecipe),
  ageGender({ name: "lmtcnn-1-1", title: "LMTCNN-1-1" }, lmtcnnValues.features, (o) =>
    buildLmtcnn({ ...o, name: "lmtcnn-1-1" }),
  ),
  ageGender({ name: "lmtcnn-2-1", title: "LMTCNN-2-1" }, lmtcnnValues.features, (o) =>
    buildLmtcnn({ ...o, name: "lmtcnn-2-1", widths: [2, 1] }),
  ),
  {
    ...ageGender(
      { name: "levi-hassner", title: "Levi-Hassner" },
      leviHassnerValues.features,
      buildLeviHassner,
    ),
    joint: false,
  },
  {
    name: "dmm-cnn",
    title: "DMM-CNN",
    side: 224,
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
  pooled({ name: "resnet18", title: "ResNet18" }, buildResnet18, attributesRecipe),
  pooled({ name: "resnet50", title: "ResNet50" }, buildResnet50, dmmRecipe),
];

/** Whether an architecture can be built for pictures of a side. */
function fits({ build, name }: Architecture, side: number, width: number | undefined): boolean {
  const heads = [{ name: "prediction", outputs: name === "dmm-cnn" ? 40 : 1 }];
  try {
    inferShapes(build({ heads, side, width, dropout: 0 }));
    return true;
  } catch (error) {
    // Negative sizes of layers are range errors: the builders count before they look.
    if (isEtlError(error) || error instanceof RangeError) return false;
    throw error;
  }
}

/** The smallest side of a picture that an architecture takes, at most its paper's. */
export function smallestSide(architecture: Architecture, width?: number): number {
  let [low, high] = [1, architecture.side];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (fits(architecture, middle, width)) high = middle;
    else low = middle + 1;
  }
  return high;
}

/** @throws EtlError `usage` that says the smallest side, where the one given is smaller */
export function checkSide(architecture: Architecture, side: number, width?: number): void {
  if (side >= architecture.side || fits(architecture, side, width)) return;
  const least = smallestSide(architecture, width);
  throw new EtlError("usage", `--size: ${side} with ${architecture.name}, at least ${least} was needed`);
}

/**
 * The architecture of a name.
 *
 * @throws EtlError kind `usage` with the nearest known name
 */
export function architectureOf(name: string): Architecture {
  const found = architectures.find((each) => each.name === name);
  if (found !== undefined) return found;
  const names = architectures.map((each) => each.name);
  const near = nearest(name, names);
  throw new EtlError("usage", `--arch: found "${name}", one of ${names.join(", ")} was needed`, {
    hint: near === undefined ? undefined : `did you mean "${near}"?`,
  });
}
