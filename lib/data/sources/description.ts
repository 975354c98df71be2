/**
 * `dataset.json`: what a folder says about itself. Every field is checked; unknown ones are left alone, save those that are a known one
 * mistyped: a "Crop" or a "mising" that is not read changes what is learnt, and nothing would say so.
 */
import { isRecord } from "../../core/own.ts";
import { CROP_NEEDED, isCrop } from "../../core/crop.ts";
import { editDistance, EtlError } from "../../core/errors.ts";
import { readJson } from "../../core/files.ts";
import type { Crop, Task } from "../../core/artifacts.ts";
import type { Split, TaskDeclaration } from "../dataset.ts";
import type { PartsDeclaration } from "../part-columns.ts";

export interface Description {
  readonly name?: string;
  readonly crop?: Crop;
  readonly identity?: string;
  readonly pairs?: string;
  readonly parts?: PartsDeclaration;
  readonly tasks: Readonly<Record<string, TaskDeclaration>>;
}

const SPLITS: readonly Split[] = ["train", "val", "test"];
const CODES = ["yes", "no", "unknown"] as const;
const MIRRORS: readonly Task["mirror"][] = ["keep", "negate", "landmarks", "forbid"];
const KINDS: readonly Task["kind"][] = ["binary", "categorical", "regression", "multi-label"];

const FIELDS = ["name", "crop", "identity", "pairs", "parts", "tasks"];
const PARTS_FIELDS = ["column", "values"];
const TASK_FIELDS = [
  ...["column", "columns", "values", "codes", "missing", "mirror", "kind", "tolerance", "factor", "unit"],
];

/** Reads and checks a `dataset.json`. @throws EtlError kind `format` naming the field */
export async function readDescription(path: string): Promise<Description> {
  const json = await readJson(path);
  if (!isRecord(json)) throw wrong(path, "the file", json, "an object");
  refuseMistyped(path, "", json, FIELDS);
  const tasks = json["tasks"] ?? {};
  if (!isRecord(tasks)) throw wrong(path, "tasks", tasks, "an object");
  return {
    ...text(path, json, "name"),
    ...text(path, json, "identity"),
    ...text(path, json, "pairs"),
    ...(json["crop"] !== undefined && { crop: cropOf(json["crop"], `${path}: crop`) }),
    ...(json["parts"] !== undefined && { parts: partColumnOf(path, json["parts"]) }),
    tasks: Object.fromEntries(
      Object.entries(tasks).map(([name, value]) => [name, declaration(path, `tasks.${name}`, value)]),
    ),
  };
}

function partColumnOf(path: string, parts: unknown): PartsDeclaration {
  if (!isRecord(parts) || Object.keys(parts).length === 0)
    throw wrong(path, "parts", parts, 'an object such as { "column": "split" }', LEAVE_OUT);
  refuseMistyped(path, "parts.", parts, PARTS_FIELDS);
  const { column, values } = parts;
  if (!isText(column)) throw wrong(path, "parts.column", column, "the name of a column");
  if (values === undefined) return { column };
  const good = isFilled(values) && Object.values(values).every((one) => isOneOf(one, SPLITS));
  if (!good) throw wrong(path, "parts.values", values, `an object from word to ${SPLITS.join(", ")}`);
  return { column, values: values as Record<string, Split> };
}

function declaration(path: string, where: string, value: unknown): TaskDeclaration {
  if (!isRecord(value)) throw wrong(path, where, value, "an object");
  refuseMistyped(path, `${where}.`, value, TASK_FIELDS);
  const { columns, values, codes, missing, mirror, kind, tolerance, factor } = value;
  if (missing !== undefined && !isTexts(missing))
    throw wrong(path, `${where}.missing`, missing, "a list of texts that stand for no label");
  if (codes !== undefined && !(isFilled(codes) && Object.values(codes).every((one) => isOneOf(one, CODES)))) {
    throw wrong(path, `${where}.codes`, codes, `an object from code to ${CODES.join(", ")}`);
  }
  if (columns !== undefined && !(Array.isArray(columns) && columns.length > 0 && columns.every(isText)))
    throw wrong(path, `${where}.columns`, columns, "names of columns, at least one", LEAVE_OUT);
  if (values !== undefined && !(isFilled(values) && Object.values(values).every(isText))) {
    throw wrong(path, `${where}.values`, values, "an object from code to name", LEAVE_OUT);
  }
  if (mirror !== undefined && !isOneOf(mirror, MIRRORS)) {
    throw wrong(path, `${where}.mirror`, mirror, MIRRORS.join(", "));
  }
  if (kind !== undefined && !isOneOf(kind, KINDS)) {
    throw wrong(path, `${where}.kind`, kind, KINDS.join(", "));
  }
  if (tolerance !== undefined && !(typeof tolerance === "number" && tolerance > 0)) {
    throw wrong(path, `${where}.tolerance`, tolerance, "a positive number");
  }
  if (factor !== undefined && !(typeof factor === "number" && Number.isFinite(factor) && factor !== 0)) {
    throw wrong(path, `${where}.factor`, factor, "a number other than 0");
  }
  return {
    ...text(path, value, "column", where),
    ...text(path, value, "unit", where),
    ...(columns !== undefined && { columns }),
    ...(values !== undefined && { values: values as Record<string, string> }),
    ...(codes !== undefined && { codes: codes as Record<string, (typeof CODES)[number]> }),
    ...(missing !== undefined && { missing }),
    ...(mirror !== undefined && { mirror }),
    ...(kind !== undefined && { kind }),
    ...(tolerance !== undefined && { tolerance }),
    ...(factor !== undefined && { factor }),
  };
}

/**
 * A face box: four finite numbers x0, y0, x1, y1 with x0 < x1 and y0 < y1, none further than one picture away.
 *
 * @throws EtlError kind `format`
 */
function cropOf(value: unknown, where: string): Crop {
  if (isCrop(value)) return value;
  throw new EtlError("format", `${where}: ${JSON.stringify(value)}, ${CROP_NEEDED}`, {
    hint: "for example 0.18,0.35,0.82,0.87",
  });
}

function text<K extends string>(
  path: string,
  object: Record<string, unknown>,
  key: K,
  where?: string,
): Partial<Record<K, string>> {
  const value = object[key];
  if (value === undefined) return {};
  if (!isText(value))
    throw wrong(path, where === undefined ? key : `${where}.${key}`, value, "text", LEAVE_OUT);
  return { [key]: value } as Partial<Record<K, string>>;
}

/** What people may do with a field that says nothing. */
const LEAVE_OUT = "leave the field out where there is nothing to say";

/** Text that says something. */
function isText(value: unknown): value is string {
  return typeof value === "string" && value.trim() !== "";
}

/** An object that says something. */
function isFilled(value: unknown): value is Record<string, unknown> {
  return isRecord(value) && Object.keys(value).length > 0;
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === "string");
}

function isOneOf<T extends string>(value: unknown, all: readonly T[]): value is T {
  return all.some((candidate) => candidate === value);
}

/** @throws EtlError where a field that is not known is written nearly like one that is, and that one is not there */
function refuseMistyped(
  path: string,
  where: string,
  object: Record<string, unknown>,
  known: readonly string[],
): void {
  const plain = (name: string): string => name.toLowerCase().replaceAll(/[\s_-]/g, "");
  for (const name of Object.keys(object)) {
    if (known.includes(name)) continue;
    // One letter makes another word of a short one.
    const meant = known.find(
      (field) =>
        !Object.hasOwn(object, field) &&
        (plain(field) === plain(name) ||
          (field.length > 4 && name.length < 2 * field.length && editDistance(field, plain(name)) === 1)),
    );
    if (meant !== undefined)
      throw new EtlError(
        "format",
        `${path}: a field ${JSON.stringify(where + name)}, "${where}${meant}" was needed`,
        {
          hint: `call it "${meant}", or give it a name of its own: it is not read`,
        },
      );
  }
}

/** @param ifEmpty hint where nothing was found in the field */
function wrong(path: string, field: string, found: unknown, needed: string, ifEmpty?: string): EtlError {
  const shown = found === undefined ? "not there" : JSON.stringify(found);
  const isEmpty = found === null || /^(\[\]|\{\}|"\s*")$/.test(shown);
  return new EtlError(
    "format",
    `${path}: ${field} is ${shown}, ${needed} was needed`,
    isEmpty && ifEmpty !== undefined ? { hint: ifEmpty } : {},
  );
}
