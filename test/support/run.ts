import * as ort from "onnxruntime-node";
import { writeOnnx } from "../../lib/formats/onnx/write.ts";
import { createRandom } from "../../lib/core/random.ts";
import { sizeOf, type Network, type Tensor } from "../../lib/network/network.ts";

/** Runs a network once in onnxruntime, straight from its ONNX bytes. */
export async function run(
  network: Network,
  inputs: Readonly<Record<string, Tensor>>,
): Promise<Record<string, Tensor>> {
  const session = await ort.InferenceSession.create(writeOnnx(network), { logSeverityLevel: 3 });
  try {
    const feeds = Object.fromEntries(
      Object.entries(inputs).map(([name, { data, shape }]) => [name, new ort.Tensor("float32", data, shape)]),
    );
    const results = await session.run(feeds);
    return Object.fromEntries(
      Object.entries(results).map(([name, { data, dims }]) => [
        name,
        { shape: dims.slice(), data: Float32Array.from(data as Float32Array) },
      ]),
    );
  } finally {
    await session.release();
  }
}

/** Standard normal inputs for a network, named dimensions bound to `batch`. */
export function randomInputs(
  network: Network,
  options: { batch: number; seed: number },
): Record<string, Tensor> {
  const random = createRandom(options.seed);
  return Object.fromEntries(
    network.inputs.map(({ name, shape }) => {
      const bound = shape.map((dim) => (typeof dim === "number" ? dim : options.batch));
      const data = Float32Array.from({ length: sizeOf(bound) }, () => random.normal());
      return [name, { shape: bound, data }];
    }),
  );
}

/**
 * By how much two networks with the same function may differ, relative to the largest output: their kernels sum
 * float32 products in other orders. CPUs without AVX-512 went up to 2.3e-6, others stay below 1e-6; a channel that is
 * read from the wrong place makes 1e-2 and more.
 */
export const rounding = 1e-5;

/** Largest absolute difference of two sets of outputs, relative to the largest absolute output of `expected`. */
export function relativeDifference(
  actual: Readonly<Record<string, Tensor>>,
  expected: Readonly<Record<string, Tensor>>,
): number {
  let [scale, difference] = [1e-20, 0];
  for (const [name, { data, shape }] of Object.entries(expected)) {
    const other = actual[name];
    if (other.shape.join() !== shape.join()) return Infinity;
    for (let i = 0; i < data.length; i++) {
      scale = Math.max(scale, Math.abs(data[i]));
      const distance = Math.abs(data[i] - other.data[i]);
      difference = Math.max(difference, Number.isNaN(distance) ? Infinity : distance);
    }
  }
  return difference / scale;
}
