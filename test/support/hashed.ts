/** Weights and pictures from a formula that a fixture's maker computes too, so that none are stored. */
import { crc32 } from "node:zlib";
import { sizeOf, type Parameter } from "../../lib/network/network.ts";

/** The maker's noise: a 32-bit hash of the position, seeded by the CRC-32 of the name, uniform in [-1, 1). */
export function noise(name: string, count: number, offset = 0, factor = 1): Float32Array {
  const seed = crc32(name);
  const data = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    let h = (Math.imul(i + 1, 2654435761) + seed) | 0;
    h = Math.imul(h ^ (h >>> 16), 0x45d9f3b);
    data[i] = offset + factor * (((h ^ (h >>> 16)) >>> 0) / 2 ** 31 - 1);
  }
  return data;
}

/** The maker's weights. */
function fill(name: string, shape: readonly number[]): Parameter {
  const norm = shape.length === 1;
  const count = sizeOf(shape);
  const of = (offset: number, factor: number): Parameter => {
    return { type: "float32", shape, data: noise(name, count, offset, factor) };
  };
  if (name.endsWith("running_var")) return of(1, 0.5);
  if (norm && name.endsWith("weight")) return of(1, 0.2);
  return norm ? of(0, 0.1) : of(0, Math.sqrt(6 / sizeOf(shape.slice(1))));
}

/** All weights of a fixture, by PyTorch's names. */
export function hashedWeights(
  names: readonly (readonly [name: string, shape: readonly number[]])[],
): Map<string, Parameter> {
  return new Map(
    names.map(([name, shape]) => [
      name,
      name.endsWith("num_batches_tracked")
        ? ({ type: "int64", shape: [], data: BigInt64Array.of(0n) } as const)
        : fill(name, shape),
    ]),
  );
}
