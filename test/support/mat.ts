/** A MATLAB 5 file with one matrix, as AFLW2000-3D has them. */
import { deflateSync } from "node:zlib";

/** `Pose_Para`: 1 x 3 doubles, pitch, yaw and roll in radians. */
export function matOfPose(pose: readonly [number, number, number], compressed: boolean): Buffer {
  const tag = (type: number, data: Buffer): Buffer => {
    const head = Buffer.alloc(8);
    head.writeUInt32LE(type, 0);
    head.writeUInt32LE(data.length, 4);
    return Buffer.concat([head, data, Buffer.alloc((8 - (data.length % 8)) % 8)]);
  };
  const flags = tag(6, Buffer.from([6, 0, 0, 0, 0, 0, 0, 0]));
  const dims = tag(5, Buffer.from(Int32Array.of(1, 3).buffer));
  const values = tag(9, Buffer.from(Float64Array.from(pose).buffer));
  const matrix = tag(14, Buffer.concat([flags, dims, tag(1, Buffer.from("Pose_Para")), values]));
  const header = Buffer.alloc(128);
  header.writeUInt16LE(0x0100, 124);
  header.write("IM", 126, "latin1");
  const packed = deflateSync(matrix);
  const head = Buffer.alloc(8);
  head.writeUInt32LE(15, 0);
  head.writeUInt32LE(packed.length, 4);
  return Buffer.concat([header, compressed ? Buffer.concat([head, packed]) : matrix]);
}
