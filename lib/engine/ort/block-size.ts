/** How many channels one block of onnxruntime's NCHWc layout has on this machine: 16, 8, or none. */
import { writeOnnx } from "../../formats/onnx/write.ts";
import type { Network } from "../../network/network.ts";
import { NCHWC } from "../../gradients/blocked.ts";
import { createSession, OrtTensor, runSession } from "./session.ts";

const CHANNELS = 64;

/** [1, 64, 1, 2] -> its blocked form. */
const probe: Network = {
  name: "probe",
  opset: 17,
  inputs: [{ name: "x", type: "float32", shape: [1, CHANNELS, 1, 2] }],
  outputs: [{ name: "y", type: "float32", shape: [1, CHANNELS, 1, 2] }],
  nodes: [{ name: "y", op: "ReorderInput", domain: NCHWC, inputs: ["x"], outputs: ["y"], attributes: {} }],
  parameters: new Map(),
  metadata: {},
};

let known: Promise<number> | undefined;

/** Channels per block; 0 where this machine's onnxruntime has no such layout. */
export function blockSize(): Promise<number> {
  known ??= measure();
  return known;
}

/** The second position of channel 0 comes right behind the first block of channels. */
async function measure(): Promise<number> {
  try {
    const session = await createSession(writeOnnx(probe), {
      threads: 1,
      optimization: "disabled",
      fixedShapes: true,
    });
    const x = Float32Array.from({ length: 2 * CHANNELS }, (_, i) => i);
    const { y } = await runSession(session, { x: new OrtTensor("float32", x, [1, CHANNELS, 1, 2]) }, ["y"]);
    const block = (y.data as Float32Array).indexOf(1);
    await session.release();
    return block > 1 && CHANNELS % block === 0 ? block : 0;
  } catch {
    return 0;
  }
}
