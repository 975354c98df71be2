/** The networks of a run's record by what they are. Pure. */
import type { Latency, ModelRecord, RunRecord } from "./record.ts";

/** Other forms of a network, by what follows its name: in bytes, and with the same function as a graph that onnxruntime runs faster. */
const forms = ["onnxruntime", "int8"] as const;

type Form = (typeof forms)[number];

/** What a network in another form is called: its record, its file, its stage. */
export const formName = (name: string, form: Form): string => `${name}-${form}`;

/** Networks that are not controls, in the order of every table. */
const places = [
  ...["baseline", "probe", "pruned"],
  ...forms.flatMap((form) => [formName("baseline", form), formName("pruned", form)]),
];

/** The network that another one is in a form of its own; undefined for one that is no other's form. */
export function plainOf(
  { models }: Pick<RunRecord, "models">,
  { name }: Pick<ModelRecord, "name">,
): { readonly model: ModelRecord; readonly form: Form } | undefined {
  for (const form of forms) {
    const model = models.find((each) => name === formName(each.name, form));
    if (model !== undefined) return { model, form };
  }
  return undefined;
}

/** A time of the record: how often, and with how many threads, all of its networks were timed. */
export const timingOf = ({ models }: Pick<RunRecord, "models">): Latency | undefined =>
  models.find(({ latency }) => latency !== undefined)?.latency;

/** Whether a network is the same whatever was cut. */
export function isUncut({ name }: Pick<ModelRecord, "name">): boolean {
  const uncut = ["baseline", "probe", ...forms.map((form) => formName("baseline", form))];
  return uncut.includes(name);
}

/** Where a network of that name stands in a table: baseline, probe, pruned, the same in other forms, then all controls. */
export function placeOf(name: string): number {
  const place = places.indexOf(name);
  return place < 0 ? places.length : place;
}

/** What everything random in the run was drawn by. */
export function seedOf(record: RunRecord): number {
  return Number(record.config["seed"] ?? 0);
}

/** How a run has met its target without gamma's widths; undefined where it has them. */
export function allocationOf(config: { readonly allocate?: unknown }): string | undefined {
  if (config.allocate === "uniform") return "equal shares of all layers";
  return config.allocate === "knapsack" ? "blocks by error against cost" : undefined;
}

/** The unpruned network, fine-tuned: what everything is compared with. */
export function baselineOf(record: RunRecord): ModelRecord | undefined {
  return record.models.find((model) => model.name === "baseline");
}

/** The network that ETL made. */
export function prunedOf(record: RunRecord): ModelRecord | undefined {
  return record.models.find((model) => model.name === "pruned");
}

/** The networks beside baseline, probe, pruned and their other forms: controls on the same axes. */
export function controlsOf(record: RunRecord): readonly ModelRecord[] {
  return record.models.filter((model) => !places.includes(model.name));
}

/** Baseline, probe, pruned, the same in other forms, controls: the order of every table. */
export function orderedModels(record: RunRecord): readonly ModelRecord[] {
  return record.models.toSorted((a, b) => placeOf(a.name) - placeOf(b.name));
}

/** Whether the run trained a network as it is: no filter was harvested, nothing was cut, and no gamma was chosen. */
export function isTraining(record: RunRecord): boolean {
  return record.curves.length === 0 && record.layers.length === 0 && baselineOf(record) === undefined;
}

/** Which pictures the networks of a run were tested on, as a key; older records know their data set and how many. */
export function testedOn({ dataset, models }: RunRecord): string {
  return `${dataset.testFingerprint ?? dataset.fingerprint} ${models[0]?.test.n ?? 0}`;
}

/** Time over another network's: from rounds in turns, where they were kept. */
export function timeOver(own: Latency, whole: Latency): number {
  return own.ofBaseline?.median ?? own.medianMs / whole.medianMs;
}

/** Two copies of one network that differ by more than this say that the machine was not quiet. */
const COPY_TOLERANCE = 0.05;

/** Whether the times of a run are not to be relied on: an identical copy of its baseline took another time. */
export function isUnsteady({ latency }: Pick<ModelRecord, "latency">): boolean {
  const copy = latency?.copy;
  return copy !== undefined && !(Math.abs(copy.median - 1) <= COPY_TOLERANCE);
}
