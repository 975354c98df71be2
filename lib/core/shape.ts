/** What a JSON file must look like: one description per file, from which its reader says what is wrong and where. */
import { EtlError } from "./errors.ts";
import { readJson } from "./files.ts";

/** Says what is wrong with a value, as "PLACE is FOUND, NEEDED was needed"; undefined where it fits. */
export type ValueShape = (value: unknown, at: string) => string | undefined;

/** Longest text of what was found that is repeated. */
const shown = 60;

function unlike(at: string, value: unknown, needed: string): string {
  return `${at} is ${foundText(value)}, ${needed} was needed`;
}

function foundText(value: unknown): string {
  if (value === undefined) return "missing";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object" && value !== null) return "an object";
  const text = JSON.stringify(value);
  return text.length > shown ? `${text.slice(0, shown)}…` : text;
}

const where =
  (needed: string, fits: (value: unknown) => boolean): ValueShape =>
  (value, at) =>
    fits(value) ? undefined : unlike(at, value, needed);

/** JSON knows no other numbers than finite ones. */
export const aNumber = where("a number", (value) => typeof value === "number" && Number.isFinite(value));
export const aText = where("a text", (value) => typeof value === "string");
export const aSwitch = where("true or false", (value) => typeof value === "boolean");
export const aCount = where(
  "a whole number of at least 0",
  (value) => Number.isSafeInteger(value) && Number(value) >= 0,
);
/** A number that is not below `least`. */
export const aNumberFrom = (least: number): ValueShape =>
  where(
    least === Number.MIN_VALUE ? "a number above 0" : `a number of at least ${least}`,
    (value) => typeof value === "number" && Number.isFinite(value) && value >= least,
  );
/** A position in a list, or -1 for none. */
export const aPlace = where("a place or -1", (value) => Number.isSafeInteger(value) && Number(value) >= -1);
/** What JSON makes of a number that is none. */
export const aNumberOrNull: ValueShape = (value, at) => (value === null ? undefined : aNumber(value, at));

/** A typed array: `Float64Array`, `Uint32Array`. */
export function arrayOf(kind: abstract new (...given: never[]) => object): ValueShape {
  return where(`a ${kind.name}`, (value) => value instanceof kind);
}

/** What fits `shape` and holds together in itself; else `needed` is said of the whole. */
export function soThat(shape: ValueShape, needed: string, holds: (value: never) => boolean): ValueShape {
  return (value, at) => shape(value, at) ?? (holds(value as never) ? undefined : unlike(at, value, needed));
}

export function oneOf(...all: readonly (string | number)[]): ValueShape {
  return where(all.join(", "), (value) => all.some((each) => each === value));
}

export function eitherOf(...shapes: readonly ValueShape[]): ValueShape {
  return (value, at) => {
    const wrong = shapes.map((shape) => shape(value, at));
    return wrong.includes(undefined) ? undefined : wrong[0];
  };
}

export function listOf(shape: ValueShape): ValueShape {
  return (value, at) => {
    if (!Array.isArray(value)) return unlike(at, value, "a list");
    return firstWrong(
      value.map((each: unknown, i) => [each, `${at}[${i}]`] as const),
      shape,
    );
  };
}

/** A list of at least one. */
export function someOf(shape: ValueShape): ValueShape {
  const list = listOf(shape);
  return (value, at) =>
    Array.isArray(value) && value.length === 0 ? unlike(at, value, "at least one") : list(value, at);
}

/** An object whose keys are names. */
export function mapOf(shape: ValueShape): ValueShape {
  return (value, at) => {
    if (!isObject(value)) return unlike(at, value, "an object");
    return firstWrong(
      Object.entries(value).map(([key, each]) => [each, `${at}.${key}`] as const),
      shape,
    );
  };
}

/** An object with these fields, and perhaps more; `optional` ones may be missing. */
export function objectOf(
  fields: Readonly<Record<string, ValueShape>>,
  optional: Readonly<Record<string, ValueShape>> = {},
): ValueShape {
  return (value, at) => {
    if (!isObject(value)) return unlike(at, value, "an object");
    const place = (key: string): string => (at === "" ? key : `${at}.${key}`);
    for (const [key, shape] of Object.entries(fields)) {
      const wrong = shape(Object.hasOwn(value, key) ? value[key] : undefined, place(key));
      if (wrong !== undefined) return wrong;
    }
    for (const [key, shape] of Object.entries(optional)) {
      const wrong = Object.hasOwn(value, key) ? shape(value[key], place(key)) : undefined;
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  };
}

function firstWrong(entries: readonly (readonly [unknown, string])[], shape: ValueShape): string | undefined {
  for (const [value, at] of entries) {
    const wrong = shape(value, at);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Checks a value that was read.
 *
 * @param path the file
 * @param what what the file should be, "latency table"
 * @throws EtlError `format` with the first place that does not fit
 */
export function needShape(
  value: unknown,
  shape: ValueShape,
  path: string,
  { what, hint }: { readonly what?: string; readonly hint?: string } = {},
): void {
  const wrong = shape(value, "");
  if (wrong === undefined) return;
  const found = wrong.replace(/^ is/, "the whole is");
  throw new EtlError("format", `${path}: ${what === undefined ? "" : `no ${what}: `}${found}`, { hint });
}

/** A JSON file of this program as its type says. @throws EtlError `format` where it is another */
export async function readShaped<T>(
  path: string,
  shape: ValueShape,
  told: { readonly what?: string; readonly hint?: string } = {},
): Promise<T> {
  const value = await readJson(path);
  needShape(value, shape, path, told);
  return value as T;
}
