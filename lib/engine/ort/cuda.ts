/** onnxruntime's CUDA provider: a library that `npm install` leaves out and that may lie beside the others. */
import { statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { EtlError, messageOf } from "../../core/errors.ts";
import type { Network } from "../../network/network.ts";
import type { Program } from "../engine.ts";

/** Where onnxruntime-node keeps its native libraries. */
function librariesFolder(): string {
  const root = dirname(createRequire(import.meta.url).resolve("onnxruntime-node/package.json"));
  return join(root, "bin/napi-v6", process.platform, process.arch);
}

/** Why the CUDA provider cannot be used; undefined where its library is in `folder`. Nothing is loaded. */
export function missingCuda(folder = librariesFolder()): string | undefined {
  const file =
    process.platform === "win32" ? "onnxruntime_providers_cuda.dll" : "libonnxruntime_providers_cuda.so";
  return isLibrary(join(folder, file))
    ? undefined
    : `onnxruntime-node has no CUDA provider: ${file} is not among its libraries`;
}

/** Where the package was installed, a note of a few lines may lie under a library's name (`bin/preinstall.cjs`). */
function isLibrary(file: string): boolean {
  return (statSync(file, { throwIfNoEntry: false })?.size ?? 0) > 65_536;
}

/** @throws EtlError `engine` where the library of the provider is not there */
export function needCuda(folder = librariesFolder()): void {
  const missing = missingCuda(folder);
  if (missing === undefined) return;
  throw new EtlError("engine", `--device cuda: ${missing}, the provider was needed`, {
    hint:
      "on Linux x64 with CUDA 12 and cuDNN 9: ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node; " +
      "or @tensorflow/tfjs-node-gpu with --engine tfjs; `etl doctor` says what is there",
  });
}

/** One number through one operator: the library is there, do CUDA and a GPU answer? */
const probe: Network = {
  name: "probe",
  opset: 17,
  inputs: [{ name: "x", type: "float32", shape: ["batch"] }],
  outputs: [{ name: "y", type: "float32", shape: ["batch"] }],
  nodes: [{ name: "y", op: "Relu", domain: "", inputs: ["x"], outputs: ["y"], attributes: {} }],
  parameters: new Map(),
  metadata: {},
};

/** @throws EtlError `engine` where the provider does not compute */
export async function tryCuda(compile: (network: Network) => Promise<Program>): Promise<void> {
  try {
    const program = await compile(probe);
    await program.run({ x: { shape: [1], data: Float32Array.of(1) } });
    await program.dispose();
  } catch (error) {
    const found = `onnxruntime's CUDA provider does not run (${messageOf(error)})`;
    throw new EtlError("engine", `--device cuda: ${found}, CUDA 12, cuDNN 9 and a GPU were needed`, {
      cause: error,
    });
  }
}
