/** Refit, with the engine: samples patches of the cut network and targets of the original, and solves layer by layer. */
import { plural } from "../../core/printable.ts";
import { createRandom } from "../../core/random.ts";
import type { Engine, Tensors } from "../../engine/engine.ts";
import { runStream } from "../../engine/stream.ts";
import type { Network, Tensor } from "../../network/network.ts";
import { inferShapes } from "../../network/shapes/infer.ts";
import { liveBefore, segment, subnetwork } from "../../network/subnetwork.ts";
import type { Plan } from "../../surgery/plan.ts";
import {
  gatherPatches,
  gatherPoints,
  planRefit,
  refitWeights,
  type RefitMoments,
  type RefitStep,
} from "../../surgery/refit.ts";
import { pictures, type RunContext } from "./context.ts";

/** Pictures that are looked at, and least number of patches for each layer. */
const imageCount = 400;
const leastPatches = 6000;
const ridge = 1e-2;
/** Layers with longer patches are left as they are: their equations would not fit in memory. */
const longestPatch = 5000;

/**
 * The cut network with every convolution fitted again (see lib/surgery/refit.ts).
 *
 * @param original all filters, in the units of the cut network's
 */
export async function refit(
  context: RunContext,
  { original, cut, plan }: { readonly original: Network; readonly cut: Network; readonly plan: Plan },
): Promise<Network> {
  const { engine, progress } = context;
  const steps = planRefit(original, cut, plan);
  if (steps.length === 0) return cut;
  progress.start("refit kept filters", steps.length);
  const images = await sampleImages(context);
  const samples = sampleAll(context, cut, steps);
  const targets = await readTargets(engine, original, { steps, images, samples });
  const solver = await createSolver(engine);
  const walk: Walk = { network: cut, position: 0, live: images.map((x) => ({ [cut.inputs[0].name]: x })) };
  let done = 0;
  try {
    for (const step of steps) {
      const sample = samples.get(step.layer);
      const target = targets.get(step.layer);
      if (sample !== undefined && target !== undefined)
        await refitLayer(engine, walk, { step, sample, target, solver });
      progress.update(++done);
      context.signal?.throwIfAborted();
    }
  } finally {
    await solver.dispose();
  }
  progress.finish(plural(steps.length, "layer"), "detail");
  return walk.network;
}

/** Where the fit has come to: everything before `position` is final, and its values are at hand. */
interface Walk {
  network: Network;
  position: number;
  /** For each batch, the values that nodes from `position` on read. */
  live: Record<string, Tensor>[];
}

/** Batches of training pictures, half of them mirrored where the task allows it. */
async function sampleImages(context: RunContext): Promise<Tensor[]> {
  const { rows, config, mirrors } = context;
  const chosen = createRandom(config.seed).fork("refit").shuffle(Array.from(rows.train)).slice(0, imageCount);
  const images: Tensor[] = [];
  const augment = { mirror: mirrors };
  for await (const batch of pictures(context, Uint32Array.from(chosen), { augment })) images.push(batch.x);
  return images;
}

interface Sample {
  /** Length of a patch. */
  readonly d: number;
  /** For each batch, positions [m, 3]: picture, row, column of the layer's output. */
  readonly positions: readonly Int32Array[];
  readonly rows: number;
}

function sampleAll(context: RunContext, cut: Network, steps: readonly RefitStep[]): Map<string, Sample> {
  const { config, rows } = context;
  const shapes = inferShapes(cut);
  const samples = new Map<string, Sample>();
  const total = Math.min(imageCount, rows.train.length);
  const sizes: number[] = [];
  for (let left = total; left > 0; left -= config.batchSize) sizes.push(Math.min(left, config.batchSize));
  const producers = new Map(cut.nodes.map((node) => [node.name, node]));
  for (const step of steps) {
    const output = shapes.get(producers.get(step.layer)?.outputs[0] ?? "");
    const channels = shapes.get(step.input)?.[1];
    if (output?.length !== 4 || channels === undefined) continue;
    const d = channels * step.geometry.kernel[0] * step.geometry.kernel[1];
    if (d > longestPatch) continue;
    const random = createRandom(config.seed).fork(`refit ${step.layer}`);
    const places = output[2] * output[3];
    const each = Math.min(places, Math.ceil(Math.max(leastPatches, 2.5 * d) / total));
    const positions = sizes.map((n) => {
      const at = new Int32Array(n * each * 3);
      for (let i = 0; i < n * each; i++) {
        const place = each === places ? i % each : random.integer(places);
        at.set([Math.floor(i / each), Math.floor(place / output[3]), place % output[3]], 3 * i);
      }
      return at;
    });
    samples.set(step.layer, { d, positions, rows: total * each });
  }
  return samples;
}

/** What the original network has at the sampled places, [rows, kept] for each step. */
async function readTargets(
  engine: Engine,
  original: Network,
  what: {
    readonly steps: readonly RefitStep[];
    readonly images: readonly Tensor[];
    readonly samples: ReadonlyMap<string, Sample>;
  },
): Promise<Map<string, Float32Array>> {
  const steps = what.steps.filter(({ layer }) => what.samples.has(layer));
  const values = [...new Set(steps.map(({ target }) => target))];
  const targets = new Map(
    steps.map((step) => [
      step.layer,
      new Float32Array((what.samples.get(step.layer)?.rows ?? 0) * step.kept.length),
    ]),
  );
  const program = await engine.compile(subnetwork(original, values));
  const starts = new Map<string, number>();
  const input = original.inputs[0].name;
  try {
    const stream = runStream(program, what.images.entries(), ([, x]) => ({ [input]: x }));
    for await (const { item, outputs } of stream) {
      const [b] = item;
      for (const step of steps) {
        const at = what.samples.get(step.layer)?.positions[b];
        const into = targets.get(step.layer);
        if (at === undefined || into === undefined) continue;
        const start = starts.get(step.layer) ?? 0;
        gatherPoints(outputs[step.target], at, { channels: step.kept, into, start });
        starts.set(step.layer, start + at.length / 3);
      }
    }
  } finally {
    await program.dispose();
  }
  return targets;
}

/** Advances to a layer, fits it, and leaves the walk in front of it, its new weights in place. */
async function refitLayer(
  engine: Engine,
  walk: Walk,
  what: {
    readonly step: RefitStep;
    readonly sample: Sample;
    readonly target: Float32Array;
    readonly solver: Solver;
  },
): Promise<void> {
  const { step, sample, target } = what;
  const position = walk.network.nodes.findIndex(({ name }) => name === step.layer);
  const own = walk.network.nodes[position].outputs[0];
  const live = liveBefore(walk.network, position);
  const part = segment(walk.network, [walk.position, position + 1], {
    outputs: [...live, own],
    shapes: inferShapes(walk.network),
  });
  const program = await engine.compile(part.network);
  const outputs = step.kept.length;
  const channels = Uint32Array.from({ length: outputs }, (_, i) => i);
  const patches = new Float32Array(sample.rows * sample.d);
  const residual = target.slice();
  const present = new Float32Array(target.length);
  let start = 0;
  // what no later node reads is given away
  const inputsOf = ([, before]: [number, Record<string, Tensor>]): Tensors =>
    Object.fromEntries(
      part.inputs.map((name) => [name, live.includes(name) ? copyOf(before[name]) : before[name]]),
    );
  try {
    for await (const { item, outputs: made } of runStream(program, walk.live.entries(), inputsOf, {
      give: true,
    })) {
      const [b, before] = item;
      const values: Record<string, Tensor> = { ...before, ...made };
      const at = sample.positions[b];
      gatherPatches(values[step.input], at, { geometry: step.geometry, into: patches, start });
      for (const name of [own, ...(step.minus === undefined ? [] : [step.minus])]) {
        gatherPoints(values[name], at, { channels, into: present, start });
        subtract(residual, present, start * outputs, (at.length / 3) * outputs);
      }
      walk.live[b] = Object.fromEntries(live.map((name) => [name, values[name]]));
      start += at.length / 3;
    }
  } finally {
    await program.dispose();
  }
  const moments = await what.solver.moments(patches, residual, { rows: sample.rows, d: sample.d, outputs });
  walk.network = refitWeights(walk.network, step, moments, ridge);
  walk.position = position;
}

function copyOf({ shape, data }: Tensor): Tensor {
  return { shape, data: data.slice() };
}

function subtract(from: Float32Array, what: Float32Array, start: number, length: number): void {
  for (let i = start; i < start + length; i++) from[i] -= what[i];
}

interface Solver {
  /** Patches and residual are gone afterwards. */
  moments(
    patches: Float32Array,
    residual: Float32Array,
    size: { readonly rows: number; readonly d: number; readonly outputs: number },
  ): Promise<RefitMoments>;
  dispose(): Promise<void>;
}

/** Centred products A'A and R'A through the engine's matrix product. */
async function createSolver(engine: Engine): Promise<Solver> {
  const input = (name: string) => ({ name, type: "float32", shape: ["rows", `${name} width`] }) as const;
  const product = (name: string, left: string) =>
    ({
      name,
      op: "Gemm",
      domain: "",
      inputs: [left, "a"],
      outputs: [name],
      attributes: { transA: { type: "int", value: 1 } },
    }) as const;
  const program = await engine.compile({
    name: "products",
    opset: 17,
    inputs: [input("a"), input("r")],
    outputs: [
      { name: "gram", type: "float32", shape: ["a width", "a width"] },
      { name: "cross", type: "float32", shape: ["r width", "a width"] },
    ],
    nodes: [product("gram", "a"), product("cross", "r")],
    parameters: new Map(),
    metadata: {},
  });
  return {
    moments: async (patches, residual, { rows, d, outputs }) => {
      const meanPatch = centreColumns(patches, rows, d);
      const meanResidual = centreColumns(residual, rows, outputs);
      const a = { shape: [rows, d], data: patches };
      const r = { shape: [rows, outputs], data: residual };
      const { gram, cross } = await program.run({ a, r }, { give: true });
      return {
        gram: new Float64Array(gram.data),
        cross: new Float64Array(cross.data),
        meanPatch,
        meanResidual,
      };
    },
    dispose: () => program.dispose(),
  };
}

/** Subtracts the mean of every column in place and returns the means. */
function centreColumns(data: Float32Array, rows: number, columns: number): Float64Array {
  const means = new Float64Array(columns);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) means[j] += data[i * columns + j];
  for (let j = 0; j < columns; j++) means[j] /= rows;
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) data[i * columns + j] -= means[j];
  return means;
}
