/** Numbers of 16 bits: IEEE half precision, and the upper half of a float32 (bfloat16). */

/** IEEE 754 binary16 to a number. */
export function halfToFloat(bits: number): number {
  const sign = (bits & 0x8000) !== 0 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** bfloat16 (the upper half of a float32) to a number. */
export function brainToFloat(bits: number): number {
  scratch.setUint32(0, bits << 16);
  return scratch.getFloat32(0);
}

const scratch = new DataView(new ArrayBuffer(4));

/** The bits of a float32 to those of the nearest bfloat16, ties to even. */
export function floatToBrain(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40; // not a number
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** The bits of a float32 to those of the nearest half, ties to even. */
export function floatToHalf(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const rest = bits & 0x7fffffff;
  if (rest >= 0x7f800000) return sign | 0x7c00 | (rest > 0x7f800000 ? 0x200 | ((rest >>> 13) & 0x3ff) : 0);
  if (rest >= 0x477ff000) return sign | 0x7c00; // too large
  if (rest >= 0x38800000) {
    const rounded = rest + 0xfff + ((rest >>> 13) & 1);
    return sign | ((rounded - 0x38000000) >>> 13);
  }
  // Below the smallest normal number: whole multiples of 2^-24.
  const exponent = rest >>> 23;
  if (exponent < 102) return sign;
  const fraction = (rest & 0x7fffff) | 0x800000;
  const shift = 126 - exponent;
  const floor = fraction >>> shift;
  const left = fraction & ((1 << shift) - 1);
  const middle = 1 << (shift - 1);
  return sign | (floor + (left > middle || (left === middle && (floor & 1) === 1) ? 1 : 0));
}

/** The nearest number that half precision has. */
export function nearestHalf(value: number, half: "float16" | "bfloat16"): number {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  return half === "float16" ? halfToFloat(floatToHalf(bits)) : brainToFloat(floatToBrain(bits));
}
