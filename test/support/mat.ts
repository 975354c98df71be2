/** MATLAB 5 files with few matrices, as AFLW2000-3D has them. */
import { deflateSync } from "node:zlib";

function tag(type: number, data: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(type, 0);
  head.writeUInt32LE(data.length, 4);
  return Buffer.concat([head, data, Buffer.alloc((8 - (data.length % 8)) % 8)]);
}

/** A matrix; `type` 2 for bytes, 9 for doubles. */
export function matrixOf(
  name: string,
  shape: readonly number[],
  [type, data]: readonly [number, Buffer],
): Buffer {
  const flags = tag(6, Buffer.from([6, 0, 0, 0, 0, 0, 0, 0]));
  const dims = tag(5, Buffer.from(Int32Array.from(shape).buffer));
  return tag(14, Buffer.concat([flags, dims, tag(1, Buffer.from(name)), tag(type, data)]));
}

/** The same, packed. */
export function packedMatrix(matrix: Buffer): Buffer {
  const packed = deflateSync(matrix);
  const head = Buffer.alloc(8);
  head.writeUInt32LE(15, 0);
  head.writeUInt32LE(packed.length, 4);
  return Buffer.concat([head, packed]);
}

/** A file of matrices. */
export function matFile(...matrices: readonly Buffer[]): Buffer {
  const header = Buffer.alloc(128);
  header.writeUInt16LE(0x0100, 124);
  header.write("IM", 126, "latin1");
  return Buffer.concat([header, ...matrices]);
}

/** `Pose_Para`: 1 x 3 doubles, pitch, yaw and roll in radians. */
export function matOfPose(pose: readonly [number, number, number], compressed: boolean): Buffer {
  const matrix = matrixOf("Pose_Para", [1, 3], [9, Buffer.from(Float64Array.from(pose).buffer)]);
  return matFile(compressed ? packedMatrix(matrix) : matrix);
}
