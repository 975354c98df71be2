/**
 * WebAssembly modules assembled here, instruction by instruction, in the binary format of the specification (WebAssembly
 * core 2.0, section 5), so that no tool and no binary file is needed. Only what our loops use.
 */

declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

/** The one memory of a module. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

/** Bytes of a page of memory. */
const pageBytes = 65_536;

/**
 * A module that is compiled when it is first asked for, one for each caller and thread. Each time it has memory for at
 * least so many bytes; where it had to grow, what was a view of the memory before is one no more.
 */
export function onDemand<Code extends { readonly memory: WasmMemory }>(
  compile: () => Code,
): (bytes: number) => Code {
  let code: Code | undefined;
  return (bytes) => {
    code ??= compile();
    const missing = bytes - code.memory.buffer.byteLength;
    if (missing > 0) code.memory.grow(Math.ceil(missing / pageBytes));
    return code;
  };
}

export type Bytes = readonly number[];

/** Types of locals. */
export const i32 = 0x7f;
export const v128 = 0x7b;

/** A number, 7 bits to a byte (LEB128, unsigned). */
const count = (n: number): Bytes => (n < 128 ? [n] : [(n & 127) | 128, ...count(n >> 7)]);
/** Items behind their number. */
export const list = (items: readonly Bytes[]): Bytes => [...count(items.length), ...items.flat()];
const sized = (bytes: Bytes): Bytes => [...count(bytes.length), ...bytes];
const section = (id: number, items: readonly Bytes[]): Bytes => [id, ...sized(list(items))];
const text = (value: string): Bytes => sized([...new TextEncoder().encode(value)]);

export const get = (local: number): Bytes => [0x20, ...count(local)];
export const set = (local: number): Bytes => [0x21, ...count(local)];
export const tee = (local: number): Bytes => [0x22, ...count(local)];
/** An i32 constant from 0 to 8,191 (LEB128, signed: the last byte's second bit is the sign). */
export const constant = (value: number): Bytes => [
  0x41,
  ...(value < 64 ? [value] : [(value & 127) | 128, value >> 7]),
];
export const addOp: Bytes = [0x6a];
export const subtract: Bytes = [0x6b];
export const below: Bytes = [0x49];
/** What follows the code of a memory instruction: alignment (2 to the power of `align` bytes) and offset in bytes. */
export const place = (align: number, offset: number): Bytes => [align, ...count(offset)];
export const simd = (code: number, ...more: readonly number[]): Bytes => [0xfd, ...count(code), ...more];
/** do { body } while (the number that body leaves is not 0). */
export const loop = (...body: readonly Bytes[]): Bytes => [0x03, 0x40, ...body.flat(), 0x0d, 0, 0x0b];
/** local += by; leaves the new value. */
export const increase = (local: number, by: Bytes): Bytes => [...get(local), ...by, ...addOp, ...tee(local)];
export const drop: Bytes = [0x1a];

/**
 * Compiles a module with one page of memory and one function.
 *
 * @param parameters how many i32 the function takes
 * @param body locals and instructions, with the final end
 * @returns the exports `memory` and `name`
 */
export function compileFunction(name: string, parameters: number, body: Bytes): unknown {
  const bytes = [
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [[0x60, ...list(new Array<Bytes>(parameters).fill([i32])), 0]]),
    ...section(3, [[0]]),
    ...section(5, [[0, 1]]),
    ...section(7, [
      [...text("memory"), 2, 0],
      [...text(name), 0, 0],
    ]),
    ...section(10, [sized(body)]),
  ];
  return new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(bytes))).exports;
}
