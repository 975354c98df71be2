import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

type Value = string | number | bigint | Uint8Array;

/** A protobuf message from [field, value] pairs: text and bytes as they are, numbers as floats, bigints as varints. */
export function message(...fields: readonly (readonly [field: number, value: Value])[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const [field, value] of fields) {
    if (typeof value === "string") writer.tag(field, WireType.LengthDelimited).string(value);
    else if (typeof value === "number") writer.tag(field, WireType.Bit32).float(value);
    else if (typeof value === "bigint") writer.tag(field, WireType.Varint).int64(value);
    else writer.tag(field, WireType.LengthDelimited).bytes(value);
  }
  return writer.finish();
}

/** Packed varints. */
export function varints(...values: bigint[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const value of values) writer.int64(value);
  return writer.finish();
}
