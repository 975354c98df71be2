/** What fine-tuning is asked, and what it gives back. */
import type { EpochRecord, LossTerm, Optimizer } from "../core/artifacts.ts";
import type { OptionNames } from "../core/options.ts";
import type { Progress } from "../core/progress.ts";
import type { Engine, RunOptions, Tensors, TrainerState } from "../engine/engine.ts";
import type { Network, Tensor } from "../network/network.ts";
import type { RatePosition } from "./schedule.ts";

/** What tells the better of two epochs, see {@link FinetuneOptions.judge}. */
export type Judge = "accuracy" | "loss" | "highest";

export interface Validation {
  readonly loss: number;
  readonly accuracy: number;
}

/** What a stopped run needs to go on exactly. */
export interface Checkpoint {
  readonly learningRate: number;
  readonly trials: readonly LearningRateTrial[];
  readonly history: readonly EpochRecord[];
  readonly state: TrainerState;
  /** Trained parameters of the best epoch so far. */
  readonly best: ReadonlyMap<string, Tensor>;
  /** Mean of those of the epochs that are averaged, where there are some. */
  readonly average?: ReadonlyMap<string, Tensor> | undefined;
}

/** One candidate learning rate and the validation loss after a short trial. */
export interface LearningRateTrial {
  readonly learningRate: number;
  readonly valLoss: number;
}

export interface FinetuneOptions {
  readonly engine: Engine;
  readonly losses: readonly LossTerm[];
  /** The part of `trainTerms` that each loss belongs to; absent: only their sum is told. */
  readonly parts?: readonly (keyof NonNullable<EpochRecord["trainTerms"]>)[];
  /** Named tensors of each step of an epoch: inputs, targets, masks. Deterministic for the epoch. */
  readonly batches: (epoch: number) => AsyncIterable<Tensors>;
  /** The arrays of the batches are the engine's, as in `RunOptions`. */
  readonly give?: RunOptions["give"];
  readonly stepsPerEpoch: number;
  readonly epochs: number;
  /** One rate, or candidates of which a short trial on the validation split picks one. */
  readonly learningRate: number | readonly number[];
  /** Steps of a trial; default: a third of an epoch, at least 12, at most 60. */
  readonly trialSteps?: number;
  /** Learning rate of a step; default: linear warm-up over a fifth of the run, then a cosine to zero. */
  readonly rateAt?: ((at: RatePosition) => number) | undefined;
  readonly validate: (network: Network) => Promise<Validation>;
  /** Looks at the network within an epoch, after every so many steps of the run; `validate` sees it at the end of each. */
  readonly within?: {
    readonly every: number;
    readonly look: (network: Network, steps: number) => Promise<void>;
  };
  /**
   * What tells the better of two epochs: `accuracy` where it differs clearly, else the loss (default); or the `loss` alone, for
   * numbers: there the share within a tolerance says little of how far off the others are; or the `highest` accuracy, to the
   * letter, of the trained epochs the first that has it.
   */
  readonly judge?: Judge;
  /** What to do where a loss becomes no number: an error (default), or `stop` there with the best epoch so far, the start among them. */
  readonly onDivergence?: "throw" | "stop";
  /** Pictures that `validate` looks at. */
  readonly validationSize: number;
  /** Let the mean of the weights of the second half's epochs compete with each of them; default: not. */
  readonly average?: boolean;
  readonly optimizer?: Optimizer;
  readonly clipNorm?: number;
  readonly trainable?: (parameter: string) => boolean;
  readonly seed?: number;
  readonly checkpoint?: {
    readonly load: () => Promise<Checkpoint | undefined>;
    readonly save: (checkpoint: Checkpoint) => Promise<void>;
  };
  readonly label?: string;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
}

export const finetuneNames: OptionNames<FinetuneOptions> = {
  engine: true,
  losses: true,
  parts: true,
  batches: true,
  give: true,
  stepsPerEpoch: true,
  epochs: true,
  learningRate: true,
  trialSteps: true,
  rateAt: true,
  validate: true,
  within: true,
  judge: true,
  onDivergence: true,
  validationSize: true,
  average: true,
  optimizer: true,
  clipNorm: true,
  trainable: true,
  seed: true,
  checkpoint: true,
  label: true,
  progress: true,
  signal: true,
};

export interface FinetuneResult {
  readonly network: Network;
  readonly history: readonly EpochRecord[];
  readonly bestEpoch: number;
  readonly learningRate: number;
  readonly trials: readonly LearningRateTrial[];
  /** Why training ended before its last epoch: a loss that was no number. */
  readonly stopped?: string;
}
