/** What a model file says about itself: how pictures become its input, where its features are, what it predicts. */
import type { Preprocessing, Task } from "../core/artifacts.ts";
import { EtlError } from "../core/errors.ts";
import { parseJson } from "../core/parse-json.ts";
import type { SeenParts } from "../data/images/views.ts";
import type { Network } from "../network/network.ts";

/** Keys in a network's metadata (ONNX metadata_props, tfjs userDefinedMetadata). Texts as they are, the rest as JSON. */
const metadataKeys = {
  preprocessing: "etl.preprocessing",
  /** Name of the value that heads are put on. */
  features: "etl.features",
  /** Name of the value that describes a picture (a face descriptor). */
  embedding: "etl.embedding",
  /** The task a head was trained for: kind, classes, units. */
  task: "etl.task",
  /** Several heads: the task of every output. */
  tasks: "etl.tasks",
  /** Where the answer is the mean over parts of a larger picture: its side, and whether mirrored parts count. */
  parts: "etl.parts",
  title: "etl.title",
  source: "etl.source",
  licence: "etl.licence",
} as const;

export type MetadataKey = keyof typeof metadataKeys;

/** An output of a network and the task it answers. */
export interface OutputTask {
  readonly output: string;
  readonly task: Task;
}

/** What {@link describe} can write. */
export interface NetworkDescription {
  readonly preprocessing?: Preprocessing;
  readonly features?: string;
  readonly embedding?: string;
  readonly task?: Task;
  readonly tasks?: readonly OutputTask[];
  readonly parts?: SeenParts;
  readonly title?: string;
  readonly source?: string;
  readonly licence?: string;
}

/** The network with facts about it added to its metadata. */
export function describe(network: Network, facts: NetworkDescription): Network {
  const metadata: Record<string, string> = { ...network.metadata };
  for (const [key, value] of Object.entries(facts)) {
    if (value === undefined) continue;
    metadata[metadataKeys[key as MetadataKey]] = typeof value === "string" ? value : JSON.stringify(value);
  }
  return { ...network, metadata };
}

/** The network's metadata without the facts named. */
export function forget(network: Network, keys: readonly MetadataKey[]): Network {
  const gone = new Set<string>(keys.map((key) => metadataKeys[key]));
  const metadata = Object.fromEntries(Object.entries(network.metadata).filter(([key]) => !gone.has(key)));
  return { ...network, metadata };
}

/** How pictures become the network's input, or undefined where the file does not say. */
export function preprocessingOf(network: Network): Preprocessing | undefined {
  const value = factOf(network, "preprocessing");
  if (value === undefined) return undefined;
  const { width, height, color, mean, scale } = (value ?? {}) as Record<string, unknown>;
  if (!isSize(width) || !isSize(height) || (color !== "RGB" && color !== "BGR")) throw bad(network, value);
  if (!isTriple(mean) || !isTriple(scale)) throw bad(network, value);
  return { width, height, color, mean, scale };
}

/**
 * The parts of a picture by which the network answers, or undefined where it sees whole pictures.
 *
 * @throws EtlError `format` for a side that its input does not fit into
 */
export function seenPartsOf(network: Network, { width, height }: Preprocessing): SeenParts | undefined {
  const value = factOf(network, "parts");
  if (value === undefined) return undefined;
  const { side, mirrored } = (value ?? {}) as Record<string, unknown>;
  // Nothing is trained on parts of less than a quarter of a picture.
  const fits = isSize(side) && width === height && side > width && side <= 2 * width;
  if (fits && typeof mirrored === "boolean") return { side, mirrored };
  throw new EtlError(
    "format",
    `${network.name}: metadata ${metadataKeys.parts} is ${JSON.stringify(value)}, a side from ${width + 1} to ${2 * width} for square inputs of ${width}x${height} and mirrored (true or false) were needed`,
  );
}

/** What every head of the network was trained for, or none where the file does not say. */
export function outputTasksOf(network: Network): OutputTask[] {
  const one = factOf(network, "task");
  if (one !== undefined) return [{ output: network.outputs[0].name, task: checkTask(network, one) }];
  const several = factOf(network, "tasks");
  if (several === undefined) return [];
  const outputs = new Set(network.outputs.map(({ name }) => name));
  return (Array.isArray(several) ? several : [several]).map((each: Partial<OutputTask> | null) => {
    if (each === null || typeof each.output !== "string" || !outputs.has(each.output))
      throw new EtlError(
        "format",
        `${network.name}: metadata ${metadataKeys.tasks} names no output of the network`,
      );
    return { output: each.output, task: checkTask(network, each.task) };
  });
}

function checkTask(network: Network, value: unknown): Task {
  const task = (value ?? {}) as Record<string, unknown>;
  const kinds = ["binary", "categorical", "regression", "multi-label"];
  const lists = [task["columns"], task["classes"]];
  const valid =
    typeof task["name"] === "string" &&
    kinds.some((kind) => kind === task["kind"]) &&
    lists.every((list) => Array.isArray(list) && list.every((item) => typeof item === "string")) &&
    isSize(task["outputs"]) &&
    typeof task["scale"] === "number";
  if (!valid) {
    throw new EtlError("format", `${network.name}: metadata ${metadataKeys.task} is not a task description`);
  }
  return value as Task;
}

/** A fact that is plain text, or undefined where the file does not say. */
export function textOf(
  network: Network,
  key: Exclude<MetadataKey, "preprocessing" | "task" | "tasks" | "parts">,
): string | undefined {
  return network.metadata[metadataKeys[key]];
}

function factOf(network: Network, key: "preprocessing" | "task" | "tasks" | "parts"): unknown {
  const text = network.metadata[metadataKeys[key]];
  if (text === undefined) return undefined;
  return parseJson(text, `${network.name}: metadata ${metadataKeys[key]}`);
}

function isSize(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0;
}

function isTriple(value: unknown): value is [number, number, number] {
  return Array.isArray(value) && value.length === 3 && value.every((item) => Number.isFinite(item));
}

function bad(network: Network, value: unknown): EtlError {
  const found = `${network.name}: metadata ${metadataKeys.preprocessing} is ${JSON.stringify(value)}`;
  return new EtlError(
    "format",
    `${found}, width, height, color (RGB or BGR), mean[3] and scale[3] were needed`,
  );
}
