/** What people do with a model that exists: predict, evaluate, verify, profile. */
import type { Crop, Task } from "../../core/artifacts.ts";
import { EtlError, isEtlError } from "../../core/errors.ts";
import { silent } from "../../core/progress.ts";
import { createRecycler } from "../../core/recycler.ts";
import type { Latency, Metrics } from "../../record/record.ts";
import type { OutputTask } from "../../backbones/metadata.ts";
import { batches } from "../../data/images/batches.ts";
import type { Split } from "../../data/dataset.ts";
import { loadImages } from "../../data/images/decode.ts";
import { openDataset } from "../../data/open.ts";
import { prepareImages, rowsOf, type ImageStore } from "../../data/images/store.ts";
import { openPairs } from "../../data/pairs.ts";
import type { Engine, Tensors } from "../../engine/engine.ts";
import { withEngine, type ServiceOptions } from "../../engine/service.ts";
import { computeMetrics } from "../../evaluate/metrics.ts";
import { predict } from "../../evaluate/predict.ts";
import { profileModels } from "../../evaluate/profile.ts";
import { verify, type Verification } from "../../evaluate/verify.ts";
import { costOf } from "../../network/cost.ts";
import { openModel, type Model } from "../run/model.ts";
import { labelsOf } from "../run/tasks.ts";

/** What one output of a model says of a picture. */
export interface Answer {
  /** The network's numbers: logits, target units of a regression, or a descriptor. */
  readonly outputs: readonly number[];
  /** What they mean, where the model says: a class, or the value in the label's unit. */
  readonly label?: string;
  readonly probability?: number;
  readonly value?: number;
  readonly unit?: string;
}

/** The outputs of a model for one picture. */
export interface Prediction extends Answer {
  readonly file: string;
  /** A model of several tasks: the one that is answered here, and the answers to the others. */
  readonly task?: string;
  readonly others?: readonly (Answer & { readonly task: string })[];
}

export interface PredictModelOptions extends ServiceOptions {
  /** Face box; default: that of the pictures the model was trained on, else the whole picture. */
  readonly crop?: Crop | undefined;
}

/** Predicts single pictures. Unreadable ones are an error that names them, after the others were done. */
export async function predictImages(
  nameOrPath: string,
  files: readonly string[],
  options: PredictModelOptions = {},
): Promise<Prediction[]> {
  const model = await openModel(nameOrPath);
  const progress = options.progress ?? silent;
  const crop = options.crop ?? model.crop ?? [0, 0, 1, 1];
  if (options.crop === undefined && model.crop !== undefined) {
    progress.note(
      `face box ${crop.join(",")}, as in the pictures the model was trained on (--crop 0,0,1,1: whole picture)`,
    );
  }
  return withEngine(options, async (engine) => {
    const program = await engine.compile(model.network);
    const input = model.network.inputs[0].name;
    const predictions: Prediction[] = [];
    progress.start("predict", files.length);
    const chunk = 32;
    for (let at = 0; at < files.length; at += chunk) {
      const images = await loadImages(files.slice(at, at + chunk), crop, model.preprocessing);
      if (images.problems.length > 0) {
        const { file, problem } = images.problems[0];
        throw new EtlError("data", `${file}: ${problem}, a readable picture was needed`);
      }
      const result = await program.run({ [input]: images.x });
      images.files.forEach((file, i) => {
        const row = { number: i, of: images.files.length };
        predictions.push({ file, ...answersOf(model, result, row) });
      });
      progress.update(predictions.length);
    }
    await program.dispose();
    progress.finish(`${predictions.length} pictures`);
    return predictions;
  });
}

/** What a model says of one picture of a batch. */
function answersOf(
  { network, tasks }: Model,
  result: Tensors,
  row: { readonly number: number; readonly of: number },
): Omit<Prediction, "file"> {
  const answer = (output: string, task: Task | undefined): Answer => {
    const { data } = result[output];
    const width = data.length / row.of;
    const outputs = Array.from(data.subarray(row.number * width, (row.number + 1) * width));
    return { outputs, ...meaning(outputs, task) };
  };
  const [first, ...others] = tasks.map(({ output, task }) => ({ task: task.name, ...answer(output, task) }));
  if (others.length > 0) return { ...first, others };
  return answer(network.outputs[0].name, tasks.at(0)?.task);
}

function meaning(outputs: readonly number[], task: Task | undefined): Partial<Answer> {
  if (task === undefined || outputs.length !== task.outputs) return {};
  if (task.kind === "binary") {
    const probability = 1 / (1 + Math.exp(-outputs[0]));
    return probability >= 0.5
      ? { label: task.classes[1], probability }
      : { label: task.classes[0], probability: 1 - probability };
  }
  if (task.kind === "categorical") {
    const best = outputs.indexOf(Math.max(...outputs));
    const total = outputs.reduce((sum, z) => sum + Math.exp(z - outputs[best]), 0);
    return { label: task.classes[best], probability: 1 / total };
  }
  if (task.kind === "regression" && task.outputs === 1) {
    return { value: outputs[0] / task.scale, ...(task.unit === undefined ? {} : { unit: task.unit }) };
  }
  return task.kind === "multi-label"
    ? { label: task.classes.filter((_, k) => outputs[k] > 0).join(", ") }
    : {};
}

export interface EvaluateOptions extends ServiceOptions {
  readonly data: string;
  /** Of a model of several tasks: only these, with commas; default: all that the data have labels of. */
  readonly task?: string | undefined;
  readonly label?: string | undefined;
  readonly crop?: Crop | undefined;
  /** Only this part; default: all labelled pictures. */
  readonly split?: Split | undefined;
  readonly seed?: number | undefined;
  readonly limit?: number | undefined;
  readonly strict?: boolean | undefined;
  readonly cacheDir?: string | undefined;
}

/** Quality of a model on a folder of labelled faces. */
export interface Evaluation extends Metrics {
  readonly model: string;
  readonly task: string;
  readonly dataset: string;
  readonly split: Split | "all";
  readonly crop: Crop;
  readonly problems: number;
  /** A model of several tasks: the quality of the others. */
  readonly others?: readonly Evaluation[];
}

/**
 * Evaluates a model on all labelled pictures of a folder (or one split). Labels are matched to classes by name. Of a model
 * of several tasks every task is evaluated that the data have labels of.
 */
export async function evaluateModel(nameOrPath: string, options: EvaluateOptions): Promise<Evaluation> {
  const model = await openModel(nameOrPath);
  const asked = tasksToEvaluate(model, nameOrPath, options.task);
  const evaluations: Evaluation[] = [];
  let missing: unknown;
  for (const head of asked) {
    try {
      evaluations.push(await evaluateTask(model, head, options));
    } catch (error) {
      if (asked.length === 1 || options.task !== undefined || !isEtlError(error, "usage")) throw error;
      missing ??= error;
      options.progress?.note(`${head.task.name} is left out: ${error.message}`);
    }
  }
  const [first, ...others] = evaluations;
  if (evaluations.length === 0) throw missing;
  return others.length === 0 ? first : { ...first, others };
}

/** The model's tasks that were asked for. */
function tasksToEvaluate({ tasks }: Model, model: string, wanted: string | undefined): readonly OutputTask[] {
  if (tasks.length === 0) {
    throw new EtlError(
      "usage",
      `${model}: the model does not say which task it predicts, a model made by etl was needed`,
    );
  }
  if (wanted === undefined || tasks.length === 1) return tasks;
  const names = tasks.map(({ task }) => task.name);
  return wanted.split(",").flatMap((name) => {
    const found = tasks.filter(({ task }) => task.name === name.trim());
    if (found.length > 0) return found;
    throw new EtlError("usage", `--task: ${JSON.stringify(name)}, one of ${names.join(", ")} was needed`);
  });
}

async function evaluateTask(
  model: Model,
  { task, output }: OutputTask,
  options: EvaluateOptions,
): Promise<Evaluation> {
  const progress = options.progress ?? silent;
  const dataset = await openDataset({
    data: options.data,
    task: task.name,
    seed: options.seed ?? 0,
    valFraction: 0,
    ...defined({
      label: options.label,
      crop: options.crop,
      split: options.split,
      limit: options.limit,
      strict: options.strict,
    }),
    ...(task.classes.length > 0 ? { classes: task.classes } : {}),
  });
  for (const assumption of dataset.assumptions) progress.note(assumption);
  const store = await prepareImages(dataset, model.preprocessing, {
    progress,
    ...defined({ cacheDir: options.cacheDir, threads: options.threads, strict: options.strict }),
  });
  try {
    const rows = options.split ? rowsOf(store, options.split) : Uint32Array.from(store.items.keys());
    if (dataset.task.outputs !== task.outputs) {
      throw new EtlError(
        "data",
        `${dataset.name}: ${dataset.task.outputs} label values a picture, ${task.outputs} were needed`,
      );
    }
    const collected = await withEngine(options, (engine) =>
      collect(engine, model, { store, rows, options, output }),
    );
    const { targets, mask } = labelsOf(store, { task, start: 0 }, rows);
    return {
      model: model.name,
      task: task.name,
      dataset: dataset.name,
      split: options.split ?? "all",
      crop: dataset.crop,
      problems: dataset.problems.length + store.problems.length,
      ...computeMetrics(task, collected, targets, mask ? { mask } : {}),
    };
  } finally {
    await store.close();
  }
}

async function collect(
  engine: Engine,
  model: Model,
  what: { store: ImageStore; rows: Uint32Array; options: ServiceOptions; output?: string },
): Promise<Float32Array> {
  const input = model.network.inputs[0].name;
  const output = what.output ?? model.network.outputs[0].name;
  const batchSize = 32;
  const runs = Math.ceil(what.rows.length / batchSize);
  const program = await engine.compile(model.network, { outputs: [output], runs });
  const recycler = createRecycler();
  async function* inputs(): AsyncGenerator<Tensors> {
    for await (const batch of batches(what.store, what.rows, {
      batchSize,
      preprocessing: model.preprocessing,
      recycler,
    })) {
      yield { [input]: batch.x };
    }
  }
  const progress = what.options.progress ?? silent;
  progress.start("run the network", what.rows.length);
  const result = await predict(program, inputs(), {
    outputs: [output],
    give: recycler,
    progress,
    signal: what.options.signal,
  });
  progress.finish(`${what.rows.length} pictures`);
  await program.dispose();
  return result[output].data;
}

export interface VerifyModelOptions extends ServiceOptions {
  readonly crop?: Crop | undefined;
  readonly distance?: "cosine" | "euclidean" | undefined;
  readonly cacheDir?: string | undefined;
  readonly seed?: number | undefined;
}

/** Verification accuracy of a backbone on pairs of pictures: shows a wrong crop, colour order or mean. */
export async function verifyModel(
  nameOrPath: string,
  pairsFile: string,
  options: VerifyModelOptions = {},
): Promise<Verification & { readonly crop: Crop; readonly problems: number }> {
  const model = await openModel(nameOrPath);
  const progress = options.progress ?? silent;
  const { pairs, problems, dataset } = await openPairs(pairsFile, defined({ crop: options.crop }));
  for (const assumption of dataset.assumptions) progress.note(assumption);
  const store = await prepareImages(dataset, model.preprocessing, {
    progress,
    ...defined({ cacheDir: options.cacheDir, threads: options.threads }),
  });
  try {
    const rows = Uint32Array.from(store.items.keys());
    const output = model.embedding ?? model.network.outputs[0].name;
    const described = await withEngine(options, (engine) =>
      collect(engine, model, { store, rows, options, output }),
    );
    const rowOf = new Map(store.items.map((item, row) => [item.file, row]));
    const usable = pairs.flatMap(({ file1, file2, same }) => {
      const [first, second] = [rowOf.get(file1), rowOf.get(file2)];
      return first === undefined || second === undefined ? [] : [{ first, second, same }];
    });
    const width = described.length / rows.length;
    const result = verify(
      { width, data: described },
      usable,
      defined({ distance: options.distance, seed: options.seed }),
    );
    return { ...result, crop: dataset.crop, problems: problems.length + pairs.length - usable.length };
  } finally {
    await store.close();
  }
}

export interface Profile {
  readonly model: string;
  readonly engine: string;
  readonly batch: number;
  readonly latency: Latency;
  readonly cost: ReturnType<typeof costOf>;
}

/** Cost and CPU time of models, interleaved. */
export async function profileFiles(
  names: readonly string[],
  options: ServiceOptions & { readonly runs?: number | undefined; readonly batch?: number | undefined } = {},
): Promise<Profile[]> {
  const models = await Promise.all(names.map(openModel));
  const progress = options.progress ?? silent;
  return withEngine(options, async (engine) => {
    progress.start("profile");
    const latency = await profileModels(
      engine,
      models.map(({ network }, i) => ({ name: names[i], network })),
      defined({ runs: options.runs, batch: options.batch, signal: options.signal }),
    );
    progress.finish();
    return models.map(({ network }, i) => {
      const measured = latency.get(names[i]);
      if (measured === undefined) throw new Error(`no latency of ${names[i]}`);
      return {
        model: names[i],
        engine: engine.description,
        batch: options.batch ?? 1,
        latency: measured,
        cost: costOf(network),
      };
    });
  });
}

/** The entries that are not undefined. */
export function defined<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined)) as never;
}
