/** How the papers of the light networks train them. What they do not state is a guess: docs/light-networks.md says which. */
import { withTaskHeads } from "./nets/task-heads.ts";
import type { ArchitectureOptions, Recipe, Training } from "./entry.ts";
import type { Network } from "../network/network.ts";

const adam = { kind: "adamw", weightDecay: 0 } as const;
const sgd = { kind: "sgd", momentum: 0.9 } as const;
const bce = { optimizer: adam, schedule: "constant", loss: "cross-entropy" } as const;

/** Wang and Wong: learning rate 0.001, 50 epochs, "the one with best accuracy" is kept. */
export const attributesRecipe: Recipe = {
  ...bce,
  epochs: 50,
  learningRate: 1e-3,
  batchSize: 64,
  dropout: 0,
  keep: "highest",
};
/** Thesis on efficient networks: Adam, 1e-4, batches of 64, 20 epochs, dropout 0.2. */
export const efficientRecipe: Recipe = {
  ...bce,
  epochs: 20,
  learningRate: 1e-4,
  batchSize: 64,
  dropout: 0.2,
};
/** Levi and Hassner: SGD, 1e-3, batches of 50, dropout 0.5. */
export const ageGenderRecipe: Recipe = {
  ...bce,
  optimizer: sgd,
  epochs: 50,
  learningRate: 1e-3,
  batchSize: 50,
  dropout: 0.5,
};
/** Mao et al.: SGD, 1e-3, a tenth whenever the validation loss stops falling, 15 epochs of batches of 64. */
export const dmmRecipe: Recipe = {
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

/**
 * Training of a network whose heads sit on its pooled features.
 *
 * @param features the value that heads are put on, where it is not the trunk's end
 */
export function pooledTraining(
  build: Headless,
  recipe: Recipe,
  { features, ...own }: Pick<Training, "trunk" | "title" | "widths"> & { readonly features?: string },
): Training {
  return {
    ...own,
    takes: ["heads", "dropout"],
    joint: false,
    recipe,
    build: ({ heads, side, width, dropout, headKind = "one" }) => {
      const net = build({ classes: 1, side, ...(width === undefined ? {} : { width }) });
      return withTaskHeads(net, features ?? own.trunk, {
        outputs: heads[0].outputs,
        heads: headKind,
        dropout,
      });
    },
  };
}

/** Training of the networks for age group and gender: parts of larger pictures, a softmax even of two classes. */
export function ageGenderTraining(
  build: (options: Pick<ArchitectureOptions, "heads" | "side" | "dropout">) => Network,
  own: Required<Pick<Training, "title" | "trunk" | "joint">>,
): Training {
  return {
    ...own,
    overSampling: 256,
    softmax: true,
    takes: ["dropout"],
    recipe: ageGenderRecipe,
    build: ({ heads, side, dropout }) => build({ heads, side, dropout }),
  };
}
