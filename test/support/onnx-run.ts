import * as ort from "onnxruntime-node";
import { writeOnnx } from "../../lib/formats/onnx/write.ts";
import type { Network, Tensor } from "../../lib/network/network.ts";

/** Runs an ONNX file in onnxruntime as it is: the independent witness of formats and passes. */
export async function runOnnx(
  model: Uint8Array | Network,
  inputs: Readonly<Record<string, Tensor>>,
): Promise<Record<string, Tensor>> {
  const bytes = model instanceof Uint8Array ? model : writeOnnx(model);
  const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 3, intraOpNumThreads: 1 });
  try {
    const feeds = Object.fromEntries(
      Object.entries(inputs).map(([name, { shape, data }]) => [name, new ort.Tensor("float32", data, shape)]),
    );
    const results = await session.run(feeds);
    return Object.fromEntries(
      Object.entries(results).map(([name, tensor]) => [
        name,
        {
          shape: [...tensor.dims],
          data: Float32Array.from(tensor.data as ArrayLike<number | bigint>, Number),
        },
      ]),
    );
  } finally {
    await session.release();
  }
}

/** A tensor of smooth numbers between -1 and 1, different at every place. */
export function wave(...shape: number[]): Tensor {
  const size = shape.reduce((product, dim) => product * dim, 1);
  return { shape, data: Float32Array.from({ length: size }, (_, i) => Math.sin(0.7 * i + 0.01 * i * i)) };
}

/** Largest absolute difference over the largest absolute value. */
export function difference(a: Tensor | undefined, b: Tensor | undefined): number {
  if (a === undefined || b === undefined || a.shape.join() !== b.shape.join()) return Infinity;
  let [largest, scale] = [0, 1e-12];
  a.data.forEach((value, i) => {
    largest = Math.max(largest, Math.abs(value - (b.data[i] ?? NaN)));
    scale = Math.max(scale, Math.abs(value));
  });
  return largest / scale;
}
