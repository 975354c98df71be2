/** Pictures to quantise a model with: some for its ranges, others to judge it by, with labels where there are some. */
import { join } from "node:path";
import type { Crop } from "../../core/artifacts.ts";
import type { CropChoice } from "../../core/crop.ts";
import { EtlError, isEtlError } from "../../core/errors.ts";
import type { Random } from "../../core/random.ts";
import { batches } from "../../data/images/batches.ts";
import { loadImages, noneUsable } from "../../data/images/decode.ts";
import { centreView } from "../../data/images/views.ts";
import { prepareImages, rowsOf } from "../../data/images/store.ts";
import { openDataset, readTable } from "../../data/open.ts";
import { listFolder } from "../../data/sources/layout.ts";
import { isSynthetic } from "../../data/synthetic/name.ts";
import { WHOLE, type Dataset } from "../../data/dataset.ts";
import { asAnswered } from "../../data/softmax.ts";
import type { DataProblem } from "../../record/record.ts";
import type { Engine, Tensors } from "../../engine/engine.ts";
import type { ServiceOptions } from "../../engine/service.ts";
import { computeMetrics } from "../../evaluate/metrics.ts";
import { joinParts } from "../../math/join.ts";
import { picturesAtOnce, type Network, type Tensor } from "../../network/network.ts";
import { outputQuality, taskQuality, type Quality } from "../../quantize/quality.ts";
import { shownTo, type Model } from "../run/model.ts";
import { labelsOf } from "../run/tasks.ts";
import { inParts, ownData } from "./evaluate.ts";
import { collect, defined } from "./rows.ts";

interface PicturesOptions extends ServiceOptions {
  readonly data: string;
  readonly crop?: CropChoice | undefined;
  /** How many for the ranges. */
  readonly calibrate: number;
  readonly limit?: number | undefined;
  readonly int8Tolerance?: number | undefined;
  readonly seed?: number | undefined;
  readonly cacheDir?: string | undefined;
  readonly random: Random;
}

/** Opened once, closed by who opened it. */
export interface Pictures {
  readonly batches: () => AsyncGenerator<Tensors>;
  readonly judge: (network: Network) => Promise<Quality[]>;
  readonly notes: readonly string[];
  close(): Promise<void>;
}

type Options = Omit<PicturesOptions, "engine"> & { readonly engine: Engine };

const BATCH = 16;
const LIMIT = 2000;
/** Fewest labelled pictures that say something about quality. */
const FEWEST = 50;

/** Labelled pictures of the model's tasks where the data have labels of one, else any pictures. */
export async function openPictures(model: Model, options: Options): Promise<Pictures> {
  const notes: string[] = [];
  let reason: EtlError | undefined;
  for (const head of model.tasks) {
    try {
      return await labelled(model, head, options, notes);
    } catch (error) {
      if (!isEtlError(error, "usage") && !isEtlError(error, "data")) throw error;
      notes.push(`not judged by ${head.task.name}: ${error.message}`);
      reason = error;
    }
  }
  if (reason !== undefined && isSynthetic(options.data))
    throw new EtlError(reason.kind, `--data: ${options.data}: ${reason.message}`, {
      hint: reason.hint ?? "synthetic:1000 draws more faces",
      cause: reason,
    });
  return unlabelled(model, options, notes);
}

/** The model's own training part where it was made from these data: its test part is touched by neither. */
async function labelled(
  model: Model,
  { task, output }: Model["tasks"][number],
  options: Options,
  notes: readonly string[],
): Promise<Pictures> {
  const { data, seed = 0, calibrate, random, engine, progress, int8Tolerance } = options;
  const { parts, ...own } = (await ownData(model, task.name, data)) ?? { limit: options.limit ?? LIMIT };
  const found = await openDataset({
    ...{ data, task: task.name, seed, valFraction: 0.15 },
    ...own,
    ...defined({ crop: options.crop }),
    ...(task.classes.length > 0 ? { classes: task.classes } : {}),
  });
  const opened = asAnswered(found, task);
  const dataset = parts === undefined ? opened : inParts(opened, { parts, split: "all", limit: undefined });
  const part = (split: string): Dataset["items"] => dataset.items.filter((item) => item.split === split);
  const training = random.shuffle([...part("train")]).slice(0, calibrate);
  const judging = part("val");
  if (judging.length < FEWEST) {
    throw new EtlError(
      "data",
      `${judging.length} labelled pictures of the validation part, at least ${FEWEST} were needed`,
    );
  }
  const shown = shownTo(model);
  const centre = centreOf(model);
  const store = await prepareImages({ ...dataset, items: [...training, ...judging] }, shown.read, {
    ...(progress && { progress }),
    ...defined({ signal: options.signal, cacheDir: options.cacheDir, threads: options.threads }),
  });
  try {
    const input = model.network.inputs[0].name;
    const atOnce = picturesAtOnce(model.network, BATCH);
    const rows = rowsOf(store, "val");
    const { targets, mask } = labelsOf(store, { task, start: 0 }, rows);
    const service = { ...defined({ progress, signal: options.signal }) };
    return {
      batches: async function* () {
        const how = { batchSize: atOnce, preprocessing: shown.read };
        for await (const { x } of batches(store, rowsOf(store, "train"), how)) yield { [input]: centre(x) };
      },
      judge: async (network) => {
        const answers = await collect(
          engine,
          { ...model, network },
          { store, rows, options: service, output },
        );
        return [
          taskQuality(task, computeMetrics(task, answers, targets, mask ? { mask } : {}), int8Tolerance),
        ];
      },
      notes: [
        ...notes,
        `ranges of ${training.length} training pictures, judged by ${task.name} on ${rows.length} others`,
      ],
      close: () => store.close(),
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Pictures without labels: a network in bytes is judged by how far its outputs move. */
async function unlabelled(model: Model, options: Options, notes: readonly string[]): Promise<Pictures> {
  const { calibrate, random, engine, int8Tolerance } = options;
  const { files, crop } = await someFiles(options);
  const chosen = random.shuffle(files).slice(0, 2 * calibrate);
  const half = Math.ceil(chosen.length / 2);
  const box = options.crop ?? model.crop ?? crop;
  const [input, output] = [model.network.inputs[0].name, model.network.outputs[0].name];
  const said = new Set<string>();
  async function* read(part: readonly string[]): AsyncGenerator<Tensors> {
    const atOnce = picturesAtOnce(model.network, BATCH);
    const unread: DataProblem[] = [];
    for (let at = 0; at < part.length; at += atOnce) {
      const { x, problems } = await loadImages(part.slice(at, at + atOnce), box, shownTo(model).read);
      unread.push(...problems);
      if (x.shape[0] > 0) yield { [input]: centreOf(model)(x) };
    }
    if (part.length > 0 && unread.length === part.length) throw noneUsable(unread, "a readable picture");
    for (const { file, problem } of unread) {
      if (!said.has(file)) options.progress?.warn(`left out: ${file}: ${problem}`);
      said.add(file);
    }
  }
  const others = chosen.length > half ? chosen.slice(half) : chosen;
  let reference: Float32Array | undefined;
  return {
    batches: () => read(chosen.slice(0, half)),
    judge: async (network) => {
      const program = await engine.compile(network, { outputs: [output] });
      const answers: Float32Array[] = [];
      let width = 1;
      try {
        for await (const inputs of read(others)) {
          const { data, shape } = (await program.run(inputs))[output];
          width = data.length / shape[0];
          answers.push(data);
        }
      } finally {
        await program.dispose();
      }
      const all = joinParts(answers);
      reference ??= all;
      return [outputQuality(all, reference, { width, tolerance: int8Tolerance })];
    },
    notes: [
      ...notes,
      `ranges of ${half} pictures, face box ${String(box)}; judged by the outputs on ${others.length} others${notes.length > 0 ? "" : ", as there are no labels of a task"}`,
    ],
    close: () => Promise.resolve(),
  };
}

/** What one look of a model sees of pictures: their middle where it learnt parts of them. */
function centreOf({ parts, preprocessing }: Model): (x: Tensor) => Tensor {
  if (parts === undefined) return (x) => x;
  const view = centreView(parts.side, preprocessing.width);
  return (x) => view.of(x)[0];
}

/** Pictures of a known layout, or all of a folder. */
async function someFiles({ data }: Options): Promise<{ files: string[]; crop: Crop }> {
  if (isSynthetic(data))
    throw new EtlError(
      "usage",
      `--data: ${data} has labels of no task of the model, a folder of pictures was needed`,
    );
  try {
    const { root, rows, crop = WHOLE } = await readTable(data);
    return { files: rows.map(({ file }) => join(root, file)), crop };
  } catch (error) {
    if (!isEtlError(error, "data")) throw error;
    const { root, pictures } = await listFolder(data);
    if (pictures.length === 0) throw error;
    return { files: pictures.map((file) => join(root, file)), crop: WHOLE };
  }
}
