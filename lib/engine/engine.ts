/**
 * The boundary to the engines that compute. An engine compiles a network and runs batches, or compiles a training
 * step and runs it. Whoever compiles, disposes. Compute lives in worker threads: awaiting a run leaves the calling
 * thread free for decoding, progress and Ctrl-C.
 */
import type { LossTerm, Optimizer } from "../core/artifacts.ts";
import { EtlError } from "../core/errors.ts";
import type { Recycler } from "../core/recycler.ts";
import type { Network, Tensor } from "../network/network.ts";

/** Named tensors in or out of a run. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** What an engine computes on. */
export type Device = "cpu" | "cuda";

export interface EngineOptions {
  /** Number of compute threads in all; default: the machine's cores. */
  readonly threads?: number | undefined;
  /**
   * Default: the CPU for `ort`, the best that its backend finds for `tfjs`. Another device than the one asked for is
   * refused.
   */
  readonly device?: Device | undefined;
}

/** More threads than any machine has: they would be started all the same, until there is no memory left. */
const MOST_THREADS = 1024;

/** @throws EtlError `usage` */
export function checkThreads(threads: number | undefined): void {
  if (threads === undefined || (Number.isInteger(threads) && threads >= 1 && threads <= MOST_THREADS)) return;
  throw new EtlError(
    "usage",
    `--threads: ${String(threads)}, a whole number from 1 to ${MOST_THREADS} was needed`,
  );
}

/** How a network is compiled for inference. */
export interface CompileOptions {
  /** May name any values of the graph (taps); default: the network's outputs. */
  readonly outputs?: readonly string[];
  /**
   * The program has the cores to itself while it runs: its threads may spin until the run ends. For timing networks, in turns,
   * too. Default false: programs, decoding and training take turns.
   */
  readonly alone?: boolean;
  /**
   * How many runs will come as a stream (`runStream`). Where they are many, an engine may compile the network
   * twice, each copy for half of the threads, which leaves fewer threads waiting for each other. Default 1.
   */
  readonly runs?: number;
  /**
   * Node by node as the network says, without kernels that suit some widths only: two networks of different widths sum in the same
   * order, so that rounding tells them less apart. Slow. Default false.
   */
  readonly plain?: boolean;
}

export type EngineName = "ort" | "tfjs";

/** The engines, in order of preference. Nobody else calls them by name. */
export const engineNames: readonly [EngineName, EngineName] = ["ort", "tfjs"];

/** The one that is onnxruntime. */
export const onnxruntime: EngineName = engineNames[0];

export interface Engine {
  readonly name: EngineName;
  /** Whether it computes on bytes. */
  readonly int8: boolean;
  /** For example "onnxruntime-node 1.30.0, CPU" - printed with every measurement. */
  readonly description: string;
  readonly threads: number;
  /** The same engine, whose programs have so many threads, disposed with it; absent where its backend chooses them. */
  readonly withThreads?: (threads: number) => Engine;
  /**
   * Channels that its fast convolution kernels compute at a time: 16 with AVX-512, 8 with AVX2, 1 where it has no such
   * kernels. Between two multiples a further channel costs nothing, so widths are best multiples of it.
   */
  readonly channelBlock: number;
  compile(network: Network, options?: CompileOptions): Promise<Program>;
  /**
   * Times of the kernels that a run of the network takes, in the order of the run: medians over `runs` runs. Looking slows a run
   * down by a little, so shares are more exact than milliseconds.
   *
   * @throws EtlError `unsupported` where the engine does not tell
   */
  kernels(network: Network, inputs: Tensors, options: { readonly runs: number }): Promise<KernelTime[]>;
  /** Compiles forward, loss, gradients and optimiser update into one step. */
  compileTraining(network: Network, options: TrainingOptions): Promise<Trainer>;
  dispose(): Promise<void>;
}

/** One kernel that a run takes. It does the work of one node, or of several that were fused. */
export interface KernelTime {
  /** The value that it makes, or the node whose work it does. */
  readonly name: string;
  /** The runtime's operator. */
  readonly op: string;
  /** `blocked`: blocks of channels at a time; `bytes`: on int8; `plain`: anything else. */
  readonly form: "blocked" | "bytes" | "plain";
  readonly ms: number;
}

export interface RunOptions {
  /**
   * The inputs' arrays are the engine's from now on: it moves them to its thread, where it would copy them. The caller
   * must not read them again; arrays that fill their buffers are empty afterwards. A recycler gets those back that it
   * lent. Default false.
   */
  readonly give?: boolean | Recycler | undefined;
}

export interface StepOptions extends RunOptions {
  readonly learningRate: number;
}

/** A compiled network. Batches of any size may follow each other. */
export interface Program {
  /** How many runs are computed at the same time. */
  readonly lanes: number;
  run(inputs: Tensors, options?: RunOptions): Promise<Record<string, Tensor>>;
  /**
   * Times `runs` runs inside the worker, without the cost of messages, after `warmup` runs.
   * @returns milliseconds of each run
   */
  time(inputs: Tensors, options: { readonly warmup: number; readonly runs: number }): Promise<number[]>;
  dispose(): Promise<void>;
}

export interface TrainingOptions {
  readonly losses: readonly LossTerm[];
  readonly optimizer: Optimizer;
  /** Parameters that are trained (float32); default: all that a loss depends on. The others are frozen and skipped. */
  readonly trainable?: (parameter: string) => boolean;
  /** Largest global norm of the gradient; larger ones are scaled down. */
  readonly clipNorm?: number;
  /** Seed of dropout masks. */
  readonly seed?: number;
}

/** What one step reports. */
export interface StepResult {
  /** Weighted sum of the loss terms, mean over the batch, before the update. */
  readonly loss: number;
  /** Value of each loss term, unweighted, in the order of `losses`. */
  readonly terms: readonly number[];
  /** Global norm of the gradient before clipping. */
  readonly gradientNorm: number;
}

export interface Trainer {
  /** One step: forward, backward, update. `inputs` holds the network's inputs, the targets and the masks. */
  step(inputs: Tensors, options: StepOptions): Promise<StepResult>;
  /** Loss and gradients at the current parameters, without an update (for gradient checks). */
  gradients(inputs: Tensors): Promise<{ loss: number; gradients: Record<string, Tensor> }>;
  /** The current values of the trained parameters (and running statistics), a copy. */
  parameters(): Promise<Map<string, Tensor>>;
  /** Puts parameters and the optimiser's state back to a snapshot. */
  restore(state: TrainerState): Promise<void>;
  /** All that is needed to go on exactly: parameters, optimiser moments, step count. */
  state(): Promise<TrainerState>;
  dispose(): Promise<void>;
}

export interface TrainerState {
  readonly step: number;
  readonly tensors: Readonly<Record<string, Tensor>>;
}
