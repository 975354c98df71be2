/** What the ort worker takes beyond what all engines share. */
import type { Parameter } from "../../network/network.ts";

/** An ONNX file, the values that a run gives, and the number of threads of its kernels. */
export interface Compilation {
  readonly model: Uint8Array;
  readonly outputs: readonly string[];
  readonly threads: number;
}

/** Bytes of parameters. */
export function bytesOf(parameters: Iterable<Parameter>): number {
  let bytes = 0;
  for (const { data } of parameters) bytes += data.byteLength;
  return bytes;
}
