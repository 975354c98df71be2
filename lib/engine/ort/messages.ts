/** What the ort worker takes beyond what all engines share. */
import type { Parameter } from "../../network/network.ts";
import type { CompileOptions } from "../engine.ts";
import type { Methods } from "../worker/messages.ts";
import type { SessionSettings } from "./session.ts";

/** An ONNX file, the values that a run gives, and how its session is built. */
export interface Compilation {
  readonly model: Uint8Array;
  readonly outputs: readonly string[];
  readonly settings: Pick<SessionSettings, "threads" | "alone"> & Pick<CompileOptions, "plain">;
}

export type OrtMethods = Methods<Compilation, number>;

/** Bytes of parameters. */
export function bytesOf(parameters: Iterable<Parameter>): number {
  let bytes = 0;
  for (const { data } of parameters) bytes += data.byteLength;
  return bytes;
}
