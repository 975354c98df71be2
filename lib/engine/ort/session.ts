/** onnxruntime sessions: the only file that names the native package. Runs inside the worker. */
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { EtlError, messageOf } from "../../core/errors.ts";
import type { Tensor } from "../../network/network.ts";
import type { Device, Tensors } from "../engine.ts";

export type Session = InferenceSession;

/** How a session is built. */
export interface SessionSettings {
  readonly threads: number;
  readonly optimization: "disabled" | "basic" | "extended" | "all";
  /** Shapes do not change from run to run, so that memory can be planned once. */
  readonly fixedShapes: boolean;
  /** Threads may spin while a run waits for them, not after it: nothing else wants their cores. */
  readonly alone?: boolean;
  /** Start of the name of the file that gets the times of all kernels, once profiling ends. */
  readonly profile?: string;
}

/** What this compute thread runs on: chosen once, when the engine is opened. */
let device: Device = "cpu";

export function chooseDevice(chosen: Device): void {
  device = chosen;
}

export const computesOnCpu = (): boolean => device === "cpu";

/** Builds a session from ONNX bytes. Operators that a GPU does not have run on the CPU. */
export async function createSession(model: Uint8Array, settings: SessionSettings): Promise<Session> {
  try {
    return await InferenceSession.create(model, {
      executionProviders: device === "cpu" ? ["cpu"] : [device, "cpu"],
      intraOpNumThreads: settings.threads,
      interOpNumThreads: 1,
      executionMode: "sequential",
      graphOptimizationLevel: settings.optimization,
      enableMemPattern: settings.fixedShapes,
      logSeverityLevel: 4,
      ...(settings.profile !== undefined && {
        enableProfiling: true,
        profileFilePrefix: settings.profile,
      }),
      extra: {
        session: {
          set_denormal_as_zero: "1",
          // Threads that spin take cores from decoding and from other programs. Those of a network that is timed spin within its
          // runs only: left to themselves they go on for 50 ms, and the network that is timed next takes three times its time.
          intra_op: { allow_spinning: settings.alone === true ? "1" : "0" },
          force_spinning_stop: "1",
        },
      },
    });
  } catch (error) {
    throw runtimeError("compile", error);
  }
}

/** Tensors as onnxruntime wants them. No copy. */
export function toOrt(tensors: Tensors): Record<string, OrtTensor> {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { shape, data }]) => [name, new OrtTensor("float32", data, shape)]),
  );
}

/** Runs a session for some of its outputs. Into arrays of the caller: {@link ./in-place.ts}. */
export async function runSession(
  session: Session,
  feeds: Record<string, OrtTensor>,
  outputs: readonly string[],
): Promise<Record<string, OrtTensor>> {
  try {
    return await session.run(feeds, outputs);
  } catch (error) {
    throw runtimeError("run", error);
  }
}

/** A float32 result as a plain tensor. No copy. */
export function fromOrt(name: string, tensor: OrtTensor): Tensor {
  const { data, dims } = tensor;
  if (data instanceof Float32Array) return { shape: [...dims], data };
  if (data instanceof Float64Array || data instanceof Int32Array) {
    return { shape: [...dims], data: Float32Array.from(data) };
  }
  if (data instanceof Int8Array || data instanceof Uint8Array) {
    return { shape: [...dims], data: Float32Array.from(data) };
  }
  if (data instanceof BigInt64Array) return { shape: [...dims], data: Float32Array.from(data, Number) };
  throw new EtlError("unsupported", `${name}: an output of type ${tensor.type}, a numeric type was needed`);
}

/** Where onnxruntime's sentences name a node, or the operator that it does not know. */
const named = [
  /In Node, \("([^"]+)"/,
  /[Nn]ode with name '([^']+)'/,
  /\b[Nn]ode(?: name)? ?\(([^)]+)\)/,
  /\b[Nn]ode:? ?['"]([^'"]+)['"]/,
  /\bNode:(\S+)/,
  /([\w.]+:\w+)\(-?\d+\) is not a registered/,
];

/** onnxruntime's message as one sentence that names the node. */
export function runtimeError(where: "compile" | "run", error: unknown): EtlError {
  const text = messageOf(error).replace(/\s+/g, " ").trim();
  const running = /while running (\S+) node\. Name:'([^']*)' Status Message: (.*)$/.exec(text);
  if (running) {
    const [, op, node, reason = ""] = running;
    // The place in its sources and the kind of error say nothing to who reads it, brackets in the sentence do.
    const sentence = reason.replace(/^(?:[^[\]]*\[with [^\]]*\]|\[\w+\]) ?/, "");
    return new EtlError(
      "engine",
      `${node} (${op}): onnxruntime failed (${sentence}), inputs that fit the operator were needed`,
      { cause: error },
    );
  }
  const at = named.map((pattern) => pattern.exec(text)?.[1]).find((name) => name !== undefined) ?? where;
  return new EtlError("engine", `${at}: onnxruntime refused (${text}), a valid network was needed`, {
    cause: error,
  });
}

export { OrtTensor };
