/** Ways to change files that are texts, tables and JSON; bytes: test/formats/mutate.ts. */
import type { Random } from "../../../lib/core/random.ts";
import { mutate } from "../../formats/mutate.ts";

const pick = <T>(random: Random, from: readonly T[]): T => from[random.integer(from.length)];

/** Texts that were trouble somewhere. */
const oddTexts = [
  ...["", " ", "constructor", "__proto__", "toString", "hasOwnProperty", "..", "../victim/thesis.txt"],
  ...["/etc/passwd", "/dev/zero", "/proc/self/environ", "a\u0000b", "\u001b[2J\u001b]0;x\u0007", "\u202eabc"],
  ...[
    "=cmd()",
    "@x",
    "-1",
    "1e999",
    "NaN",
    "Infinity",
    "0x10",
    "1,2",
    '"',
    "\ud800",
    "<script>alert(1)</script>",
  ],
  "x".repeat(100_000),
];
const oddValues: readonly unknown[] = [
  ...[null, true, false, 0, -0, -1, 0.5, 1e-300, 1e308, 2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 53), 1e6, 1e9],
  ...[[], {}, [null], [[]], { length: 1e9 }, { toString: null }, [[["x"]]], { then: 1 }],
];

/** A JSON text with one to three places changed, lost, renamed, doubled, exchanged or nested deeply; now and then its bytes. */
export function mutateJson(bytes: Uint8Array, random: Random): Uint8Array {
  if (random.uniform() < 0.15) return mutate(bytes, random);
  const root = { value: JSON.parse(Buffer.from(bytes).toString()) as unknown };
  for (let edits = 1 + random.integer(3); edits > 0; edits--) {
    const places = placesOf(root);
    if (places.length === 0) break;
    const [object, key] = pick(random, places);
    const kind = random.uniform();
    if (kind < 0.12) Reflect.deleteProperty(object, key);
    else if (kind < 0.24) define(object, pick(random, ["__proto__", "constructor", "toString"]), object[key]);
    else if (kind < 0.44) object[key] = pick(random, oddTexts);
    else if (kind < 0.54) {
      const [other, name] = pick(random, places);
      object[key] = copied(other[name]);
    } else if (kind < 0.6 && Array.isArray(object)) object.push(...((copied(object) ?? []) as unknown[]));
    else if (kind < 0.64) object[key] = nested(1 + random.integer(20_000), random);
    else if (kind < 0.72 && typeof object[key] === "number") object[key] = -object[key];
    else object[key] = copied(pick(random, oddValues));
  }
  return Buffer.from(text(root.value));
}

/** The value as JSON; deep ones are more than JSON.stringify can walk. */
function text(value: unknown): string {
  try {
    return JSON.stringify(value) ?? "";
  } catch {
    return `${"[".repeat(50_000)}${"]".repeat(50_000)}`;
  }
}

/** A copy; of what is too deep to be copied, nothing. */
function copied(value: unknown): unknown {
  try {
    return structuredClone(value);
  } catch {
    return null;
  }
}

function nested(depth: number, random: Random): unknown {
  let value: unknown = 1;
  const isList = random.uniform() < 0.5;
  for (let i = 0; i < depth; i++) value = isList ? [value] : { a: value };
  return value;
}

function define(object: Record<string, unknown>, name: string, value: unknown): void {
  if (!Array.isArray(object))
    Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
}

function placesOf(root: Record<string, unknown>): [Record<string, unknown>, string][] {
  const places: [Record<string, unknown>, string][] = [];
  const open: Record<string, unknown>[] = [root];
  for (let object = open.pop(); object !== undefined; object = open.pop()) {
    for (const key of Object.keys(object)) {
      places.push([object, key]);
      const inner = object[key];
      if (typeof inner === "object" && inner !== null && places.length < 5000)
        open.push(inner as Record<string, unknown>);
    }
  }
  return places;
}

/** A table with cells, lines and separators changed; now and then its bytes. */
export function mutateTable(bytes: Uint8Array, random: Random): Uint8Array {
  if (random.uniform() < 0.3) return mutate(bytes, random);
  const lines = Buffer.from(bytes).toString("latin1").split("\n");
  for (let edits = 1 + random.integer(4); edits > 0; edits--) {
    const at = random.integer(lines.length);
    const mark = pick(random, [",", "\t", " ", ";"]);
    const cells = (lines[at] ?? "").split(mark);
    const kind = random.uniform();
    if (kind < 0.5) cells[random.integer(cells.length)] = pick(random, oddTexts);
    else if (kind < 0.6) cells.splice(random.integer(cells.length), 1);
    else if (kind < 0.65) cells.push(...cells);
    else if (kind < 0.75) lines.splice(at, 1);
    else if (kind < 0.8) lines.splice(at, 0, ...new Array<string>(200).fill(lines[at] ?? ""));
    else if (kind < 0.85) lines[at] = pick(random, oddTexts);
    else if (kind < 0.95) cells[random.integer(cells.length)] = text(pick(random, oddValues));
    if (kind < 0.65 || (kind >= 0.85 && kind < 0.95)) lines[at] = cells.join(mark);
  }
  return Buffer.from(lines.join("\n"), "latin1");
}
