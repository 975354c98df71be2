/** Objects that serve as maps: their keys come from files, and every object already has something called `constructor`. */

/**
 * The entry of an object that serves as a map. Unlike `object[key]`, never what all objects inherit: a label, an operator or a
 * dimension may be called `toString`.
 */
export function own<T>(object: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return object !== undefined && Object.hasOwn(object, key) ? object[key] : undefined;
}

/** The one check of what came out of a file: an object with keys, neither a list nor null. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
