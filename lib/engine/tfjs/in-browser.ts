/** The tfjs engine inside a web page: the same operators, on WebAssembly that lies beside the page. */
import * as tf from "@tensorflow/tfjs-core";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { EtlError } from "../../core/errors.ts";
import type { Network } from "../../network/network.ts";
import type { Program } from "../engine.ts";
import { registerWasmKernels } from "./kernels.ts";
import { createTfjsProgram } from "./program.ts";

/**
 * Starts the backend.
 *
 * @param folder address where the `.wasm` files lie, with a slash behind
 * @returns what makes a network run
 * @throws EtlError `engine` where the browser has no WebAssembly
 */
export async function openInBrowser(folder: string): Promise<(network: Network) => Pick<Program, "run">> {
  setWasmPaths(folder);
  if (!(await tf.setBackend("wasm"))) {
    throw new EtlError("engine", "this browser does not start WebAssembly, it was needed");
  }
  registerWasmKernels();
  return (network) =>
    createTfjsProgram(
      network,
      network.outputs.map(({ name }) => name),
    );
}
