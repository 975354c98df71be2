/**
 * What a file of `nets/` says of its network, once: `etl backbones` lists it, `loadBackbone` loads it, and where it says how
 * its paper trains it, `etl train` and `etl crossval` build it. `catalogue.ts` collects the entries.
 */
import type { Optimizer } from "../core/artifacts.ts";
import type { Network } from "../network/network.ts";
import type { BackboneEntry, HeadPlace } from "./backbone.ts";
import type { Weights } from "./weights.ts";

/** How a network is trained where nobody says otherwise: its paper's settings. */
export interface Recipe {
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

/** A classifier at the end of a network of several tasks. */
export interface TaskHead {
  /** Name of the output and of the layer. */
  readonly name: string;
  readonly outputs: number;
}

/** What is built for a task. */
export interface ArchitectureOptions {
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

/** Settings of heads that some networks have and others do not. */
type HeadSetting = "heads" | "dropout" | "groups" | "landmarks";

/** How `etl train` builds and trains a network. */
export interface Training {
  /** What tables and reports call it, where the entry's title says what only its published weights have. */
  readonly title?: string;
  /** Width multipliers that it takes: any number in (0, 1], or a list; absent: none. */
  readonly widths?: "any" | readonly number[] | undefined;
  /** Side to which pictures are scaled before parts of the network's side are cut from them; absent: no parts. */
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

/** A network of the catalogue. */
export interface NetEntry extends BackboneEntry {
  /** Absent: it brings its weights, or is too large to begin from nothing. */
  readonly training?: Training;
}

/** How a file of weights becomes a network. */
export interface Family {
  readonly build: (options: { classes?: number }) => Network;
  /** Name of the last layer's weight, [classes, inputs]: it says how many classes the file has. */
  readonly last?: string;
  readonly values: { readonly features: string; readonly embedding: string };
  /** As `Backbone.head`. */
  readonly head?: HeadPlace;
  /** Brings a Keras file's names and layouts into ours. */
  readonly fromKeras?: (weights: Weights, where: string) => Promise<Weights>;
  /** Brings other names of PyTorch files into ours. */
  readonly fromTorch?: (weights: Weights) => Promise<Weights>;
}

/** What the catalogue says of a network whose weights the user brings. */
export type FileFacts = Pick<BackboneEntry, "name" | "title" | "use" | "preprocessing" | "source"> & {
  /** Default: that of the file. */
  readonly licence?: string;
};

/** The note of a network that nobody has trained. */
export function randomNote(name: string, seed: number): string {
  return `${name}: random weights (seed ${seed}), nothing is pretrained`;
}
