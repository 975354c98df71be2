/** Distillation: the pruned network's pooled features are held near those of the unpruned network. */
import { headOf } from "../backbones/head.ts";
import type { Batch } from "../data/batches.ts";
import { EtlError } from "../core/errors.ts";
import type { Tensors } from "../engine/engine.ts";
import { createRandom } from "../core/random.ts";
import type { Network, Tensor } from "../network/network.ts";
import { subnetwork } from "../network/subnetwork.ts";
import { pictures, type RunContext } from "./context.ts";
import { featureWidth } from "./harvesting.ts";
import type { Distillation } from "./training.ts";

export type OpenDistillation = Distillation & { dispose(): Promise<void> };

/** Features of so many bytes are computed once and kept; beyond, the teacher runs in every step, so that memory stays. */
const keptBytes = 256e6;
const targetName = "etl_features";
const weightName = "etl_feature_weights";

/**
 * A loss term: half the squared distance of each kept feature to the same feature of the unpruned network on the same
 * picture, in units of the feature's variance over a sample, mean over features, times `config.distill`. The unpruned
 * network sees the picture mirrored where the pruned one does, but neither shifted nor brightened: its features are then
 * computed once. Where they would not fit in 256 MB, it sees the changed picture and runs in every step.
 *
 * @param what.teacher the unpruned network, in the units of the pruned one's filters
 * @param what.kept channels of its features that the pruned network still has
 * @param what.student name of the pruned network's features, [n, kept]
 */
export async function distillFeatures(
  context: RunContext,
  what: { readonly teacher: Network; readonly kept: Uint32Array; readonly student: string },
): Promise<OpenDistillation> {
  const { backbone, engine, config } = context;
  const { kept } = what;
  const width = featureWidth(what.teacher, backbone.features);
  const teacher = await engine.compile(subnetwork(what.teacher, [backbone.features]));
  const input = what.teacher.inputs[0].name;
  const run: Features = async (batch) => {
    const { [backbone.features]: features } = await teacher.run({ [input]: batch.x });
    return gatherColumns(features, width, kept);
  };
  const fits = 2 * context.rows.train.length * kept.length * 4 <= keptBytes;
  const targetsOf = fits ? await computeOnce(context, kept.length, run) : run;
  const weights = inverseVariances(await sample(context, targetsOf), kept.length);
  return {
    terms: [
      { kind: "squared", output: what.student, target: targetName, mask: weightName, weight: config.distill },
    ],
    targets: async (batch: Batch): Promise<Tensors> => {
      const shape = [batch.rows.length, kept.length];
      const mask = new Float32Array(batch.rows.length * kept.length);
      for (let i = 0; i < batch.rows.length; i++) mask.set(weights, i * kept.length);
      return { [targetName]: { shape, data: await targetsOf(batch) }, [weightName]: { shape, data: mask } };
    },
    dispose: () => teacher.dispose(),
  };
}

type Features = (batch: Batch) => Promise<Float32Array>;

/** Features of every training picture, as it is and (where the task allows it) mirrored, looked up by row. */
async function computeOnce(context: RunContext, width: number, run: Features): Promise<Features> {
  const { rows, mirrors, progress, signal } = context;
  const place = new Map(Array.from(rows.train, (row, i) => [row, i]));
  const sides = mirrors ? 2 : 1;
  const known = Array.from({ length: sides }, () => new Float32Array(rows.train.length * width));
  let done = 0;
  progress.start("features to distil", rows.train.length);
  for await (const batch of pictures(context, rows.train)) {
    for (const [side, into] of known.entries()) {
      const seen = side === 0 ? batch : { ...batch, x: mirrored(batch.x) };
      into.set(await run(seen), done * width);
    }
    done += batch.rows.length;
    progress.update(done);
    signal?.throwIfAborted();
  }
  progress.finish(`${done} pictures`);
  return (batch) => {
    const out = new Float32Array(batch.rows.length * width);
    batch.rows.forEach((row, i) => {
      const at = (place.get(row) ?? 0) * width;
      out.set(known[batch.mirrored[i]].subarray(at, at + width), i * width);
    });
    return Promise.resolve(out);
  };
}

/** Pictures [n, channels, height, width], left and right exchanged. */
function mirrored({ shape, data }: Tensor): Tensor {
  const width = shape[3];
  const turned = new Float32Array(data.length);
  for (let at = 0; at < data.length; at += width) {
    for (let x = 0; x < width; x++) turned[at + x] = data[at + width - 1 - x];
  }
  return { shape, data: turned };
}

const sampleSize = 512;

/** Features of some training pictures, [n, kept]. */
async function sample(context: RunContext, run: Features): Promise<Float32Array[]> {
  const rows = createRandom(context.config.seed).fork("distill").shuffle(Array.from(context.rows.train));
  const parts: Float32Array[] = [];
  for await (const batch of pictures(context, Uint32Array.from(rows.slice(0, sampleSize))))
    parts.push(await run(batch));
  return parts;
}

/** 1 / (variance + a thousandth of the mean variance) of every column. */
function inverseVariances(parts: readonly Float32Array[], columns: number): Float32Array {
  const [sums, squares] = [new Float64Array(columns), new Float64Array(columns)];
  let n = 0;
  for (const part of parts) {
    n += part.length / columns;
    part.forEach((value, i) => {
      sums[i % columns] += value;
      squares[i % columns] += value * value;
    });
  }
  const variance = sums.map((sum, c) => Math.max(0, squares[c] / n - (sum / n) ** 2));
  const floor = 1e-3 * (variance.reduce((sum, v) => sum + v, 0) / columns) || 1;
  return Float32Array.from(variance, (v) => 1 / (v + floor));
}

function gatherColumns({ data }: Tensor, width: number, columns: Uint32Array): Float32Array {
  const n = data.length / width;
  const out = new Float32Array(n * columns.length);
  for (let i = 0; i < n; i++) columns.forEach((c, j) => (out[i * columns.length + j] = data[i * width + c]));
  return out;
}

/** The flat features that a head reads, [n, channels]. */
export function headInput(network: Parameters<typeof headOf>[0]): string {
  const head = headOf(network);
  if (head === undefined)
    throw new EtlError("unsupported", `${network.name}: no linear head, one was needed to distil`);
  return head.input;
}
