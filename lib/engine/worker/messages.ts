/** What travels between the calling thread and a thread that computes. Plain data; array buffers are transferred. */
import type { ErrorKind } from "../../core/errors.ts";
import type { Network, Tensor } from "../../network/network.ts";
import type { Device, KernelTime, StepResult, Tensors, TrainerState, TrainingOptions } from "../engine.ts";

/** Options of a training step without the function `trainable`, which cannot travel: it is resolved to names first. */
export interface TrainingSetup {
  readonly options: Omit<TrainingOptions, "trainable">;
  readonly trainable: readonly string[];
  readonly threads: number;
}

/** What a method of a worker takes and what it gives. */
interface MethodShape {
  readonly takes: unknown;
  readonly gives: unknown;
}

/** Methods by name; every worker can be closed. */
export type MethodTable<T> = Readonly<Record<keyof T, MethodShape>> & { readonly close: MethodShape };

/**
 * The methods of an engine's worker: what each takes and what it gives. `id` names a compiled program or trainer. Engines differ
 * in what a compilation takes and in what they say of themselves once the native package has loaded.
 */
export interface Methods<Compile = unknown, Hello = unknown> {
  /** Answered as soon as the native package has loaded, for a device where the engine can be told which. */
  readonly hello: { readonly takes: Device | null; readonly gives: Hello };
  readonly compile: { readonly takes: Compile; readonly gives: { readonly id: number } };
  /** `lent` inputs come back as `returned`. */
  readonly run: {
    readonly takes: { readonly id: number; readonly inputs: Tensors; readonly lent: readonly string[] };
    readonly gives: Returning<Record<string, Tensor>>;
  };
  readonly time: {
    readonly takes: {
      readonly id: number;
      readonly inputs: Tensors;
      readonly warmup: number;
      readonly runs: number;
    };
    readonly gives: number[];
  };
  readonly kernels: {
    readonly takes: { readonly compilation: Compile; readonly inputs: Tensors; readonly runs: number };
    readonly gives: KernelTime[];
  };
  readonly train: {
    readonly takes: { readonly network: Network; readonly setup: TrainingSetup };
    readonly gives: { readonly id: number };
  };
  readonly step: {
    readonly takes: {
      readonly id: number;
      readonly inputs: Tensors;
      readonly lent: readonly string[];
      readonly learningRate: number;
    };
    readonly gives: Returning<StepResult>;
  };
  readonly gradients: {
    readonly takes: { readonly id: number; readonly inputs: Tensors };
    readonly gives: { readonly loss: number; readonly gradients: Record<string, Tensor> };
  };
  readonly state: { readonly takes: { readonly id: number }; readonly gives: TrainerState };
  readonly restore: {
    readonly takes: { readonly id: number; readonly state: TrainerState };
    readonly gives: null;
  };
  readonly parameters: { readonly takes: { readonly id: number }; readonly gives: Record<string, Tensor> };
  readonly dispose: { readonly takes: { readonly id: number }; readonly gives: null };
  /** Releases everything and lets the thread end. */
  readonly close: { readonly takes: null; readonly gives: null };
}

/** A result together with the arrays that were lent for it. */
export interface Returning<T> {
  readonly result: T;
  readonly returned: readonly Float32Array<ArrayBuffer>[];
}

export interface Request {
  readonly call: number;
  readonly method: string;
  readonly payload: unknown;
}

/** An {@link EtlError} as data. */
export interface Failure {
  readonly kind: ErrorKind;
  readonly message: string;
  readonly hint?: string | undefined;
  readonly stack?: string | undefined;
}

export type Reply =
  { readonly call: number; readonly result: unknown } | { readonly call: number; readonly failure: Failure };

/** The array buffers of tensors that the sender gives away, each once. */
export function buffersOf(tensors: Tensors): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const { data } of Object.values(tensors)) {
    if (data.buffer instanceof ArrayBuffer && data.byteLength === data.buffer.byteLength) {
      buffers.add(data.buffer);
    }
  }
  return [...buffers];
}
