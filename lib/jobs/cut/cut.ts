/** Data-free surgery on any model file: rank filters without pictures, cut, check, write. */
import type { Cost } from "../../core/artifacts.ts";
import { EtlError } from "../../core/errors.ts";
import { readBytes, writeJson, writeWhole } from "../../core/files.ts";
import { refuseUnknown, stopIfAborted, type OptionNames } from "../../core/options.ts";
import { silent, type Progress } from "../../core/progress.ts";
import type { Latency } from "../../record/record.ts";
import type { Device, Engine } from "../../engine/engine.ts";
import { openEngine } from "../../engine/open.ts";
import { serviceNames } from "../../engine/service.ts";
import { profileModels } from "../../evaluate/profile.ts";
import { writeOnnx } from "../../formats/onnx/write.ts";
import type { Network } from "../../network/network.ts";
import { applySurgery } from "../../surgery/apply.ts";
import { criterionScores, selectByCriterion, type Criterion } from "../../surgery/criteria.ts";
import { fillBlocks } from "../../surgery/fill.ts";
import { planSurgery, type LayerPlan, type Plan } from "../../surgery/plan.ts";
import { compareWithMasked, tolerance, type Comparison } from "./check.ts";
import { planRows } from "./plan.ts";
import { largestKeep, reached } from "./search.ts";
import { fileLayers, openCuttable, withFileShapes, type CuttableModel, type Size } from "./model.ts";

/** How much is to be left: exactly one of these. */
export interface CutTarget {
  /** Share of the channels of every block that stays, in (0, 1]. */
  readonly keep?: number;
  /** Share of the MACs that is left at most, in (0, 1]. */
  readonly targetFlops?: number;
  /** Largest size of the written file, in bytes. */
  readonly targetSize?: number;
  /** Largest median CPU time for one input, in milliseconds, measured. */
  readonly targetMs?: number;
}

export interface CutOptions extends CutTarget {
  /** Model file, run folder, or backbone by name. */
  readonly model: string;
  /** The `.onnx` file to write. */
  readonly out: string;
  /** Where to write the plan. */
  readonly planOut?: string;
  /** Default `l1`. */
  readonly criterion?: Criterion;
  /**
   * Every layer keeps a multiple of so many outputs (the nearest), or all. `auto`: what the engine's kernels compute at a time
   * on this machine. Default 1 with `keep`, `auto` with a target.
   */
  readonly roundTo?: number | "auto";
  readonly seed?: number;
  /** Height and width that are assumed where the file leaves them open. Default: the first usual size at which it fits. */
  readonly size?: Size;
  /** Compare the result with the masked original before it is written. Default true. */
  readonly check?: boolean;
  /** Timed runs of original and result; default: 50 with `targetMs`, else none. */
  readonly runs?: number;
  readonly engine?: "auto" | "ort" | "tfjs";
  readonly device?: Device;
  readonly threads?: number;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
}

const optionNames: OptionNames<CutOptions> = {
  ...{
    model: true,
    out: true,
    planOut: true,
    criterion: true,
    roundTo: true,
    size: true,
    check: true,
    runs: true,
  },
  ...{ keep: true, targetFlops: true, targetSize: true, targetMs: true, seed: true, ...serviceNames },
};

/** Cost of a network and the size of its file. */
export interface FileCost extends Cost {
  readonly fileBytes: number;
}

export interface CutResult {
  readonly out: string;
  /** Share of channels that was asked of every block of coupled channels. */
  readonly keep: number;
  readonly before: FileCost;
  readonly after: FileCost;
  /** Every Conv, ConvTranspose, Gemm and MatMul with a parameter, in the file's order, by the file's names. */
  readonly layers: readonly LayerPlan[];
  /** What rounding to blocks added and took. */
  readonly rounding?: Plan["rounding"];
  /** Whether any channel went; if not, `out` holds what the model file holds. */
  readonly cut: boolean;
  /** Input shapes at which result and masked original were compared. */
  readonly comparedAt?: readonly string[];
  /** Largest difference between the result and the masked original, relative to the largest output. */
  readonly difference?: number;
  readonly latency?: { readonly before: Latency; readonly after: Latency };
  /** What was assumed, or did not come out as asked. */
  readonly notes: readonly string[];
}

const stopped = "cut: stopped, nothing was written";

/** Steps between nothing and all that a share of channels is searched in. */
const fineSteps = 4096;
/** The same where every step has to be measured. */
const coarseSteps = 64;

/**
 * Cuts a model without data and writes it. The result computes what the original computes with the inputs of every
 * layer multiplied by the 0/1 mask of its `keptInputs`; unless `check` is off this is verified before anything is
 * written.
 *
 * @throws EtlError `usage` for a wrong call, `unsupported` where no cut reaches the target
 */
export async function cutModel(options: CutOptions): Promise<CutResult> {
  const { progress = silent, signal } = options;
  refuseUnknown("cutModel", options, optionNames);
  checkOptions(options);
  const model = await openCuttable(options.model, options.size);
  for (const note of model.notes) progress.note(note);
  let engine: Engine | undefined;
  const withEngine = async (): Promise<Engine> =>
    (engine ??= await openEngine({
      engine: options.engine,
      device: options.device,
      threads: options.threads,
    }));
  try {
    const asked = options.roundTo ?? (options.keep === undefined ? "auto" : 1);
    const roundTo = asked === "auto" ? (await withEngine()).channelBlock : asked;
    const cutter = createCutter(model, { ...options, roundTo });
    const { keep, plan, network } = await reachTarget(cutter, options, withEngine);
    stopIfAborted(signal, stopped);
    const layers = fileLayers(model, plan);
    const notes = [...model.notes];
    const isCut = plan.keep.includes(0);
    let comparison: Comparison | undefined;
    if (options.check !== false && isCut) {
      comparison = await compareWithMasked(await withEngine(), model.original, {
        cut: network,
        layers,
        assumed: model.assumed,
        seed: options.seed ?? 0,
      });
      judge(comparison, options.model, notes);
    }
    if (!isCut) notes.push(nothingCut(options.model, layers));
    const whole = isCut ? undefined : await originalBytes(options.model);
    const bytes = whole ?? writeOnnx(network);
    await writeWhole(options.out, bytes);
    if (options.planOut !== undefined)
      await writeJson(options.planOut, cutPlanFile({ ...plan, layers }, { keep, ...options }));
    const runs = options.runs ?? (options.targetMs === undefined ? 0 : 50);
    const latency =
      runs > 0 ? await measure(await withEngine(), model, { network, runs, signal }) : undefined;
    if (latency && options.targetMs !== undefined && latency.after.medianMs > options.targetMs) {
      notes.push(
        `measured again at the end: ${latency.after.medianMs.toFixed(3)} ms, ${options.targetMs} ms were asked for`,
      );
    }
    for (const note of notes.slice(model.notes.length)) progress.warn(note);
    return {
      out: options.out,
      keep,
      before: { ...plan.before, fileBytes: fileBytes(model.original) },
      after: { ...plan.after, fileBytes: bytes.length },
      layers,
      ...(plan.rounding !== undefined && { rounding: plan.rounding }),
      cut: isCut,
      ...(comparison && { difference: comparison.difference, comparedAt: comparison.shapes }),
      ...(latency === undefined ? {} : { latency }),
      notes,
    };
  } finally {
    await engine?.dispose();
  }
}

/** `plan.json` of a cut: indices ascending. */
export function cutPlanFile(
  plan: Pick<Plan, "layers" | "before" | "after" | "rounding">,
  how: Partial<Pick<CutOptions, "criterion" | "keep" | "seed" | "roundTo">> = {},
): unknown {
  return {
    schema: 1,
    ...(how.keep === undefined
      ? {}
      : { criterion: how.criterion ?? "l1", keep: how.keep, seed: how.seed ?? 0 }),
    ...(plan.rounding !== undefined && { rounding: plan.rounding }),
    before: plan.before,
    after: plan.after,
    layers: planRows(plan.layers),
  };
}

/** Size of a network as an ONNX file. */
function fileBytes(network: Network): number {
  return writeOnnx(network).length;
}

interface Cut {
  readonly keep: number;
  readonly plan: Plan;
  readonly network: Network;
}

interface Cutter {
  readonly model: CuttableModel;
  planAt(keep: number): Plan;
  cutAt(keep: number): Cut;
  /** The cut at `keep`, with blocks put back as long as the plan fits. */
  filledAt(keep: number, fits: (plan: Plan) => boolean): Cut;
}

function createCutter(model: CuttableModel, options: CutOptions & { readonly roundTo: number }): Cutter {
  const { criterion = "l1", seed = 0, roundTo } = options;
  const { network, coupling, original } = model;
  const plans = new Map<number, Plan>();
  const classScores = criterionScores(network, coupling, { criterion, seed });
  const planAt = (keep: number): Plan => {
    let plan = plans.get(keep);
    if (plan === undefined) {
      const selection = selectByCriterion(network, coupling, { criterion, keep, seed });
      plan = planSurgery(network, selection, { coupling, roundTo, rounding: "nearest", classScores });
      plans.set(keep, plan);
    }
    return plan;
  };
  const cutOf = (keep: number, plan: Plan): Cut => {
    const cut = withFileShapes(applySurgery(network, plan), original);
    const provenance = JSON.stringify({ criterion, keep, seed });
    return { keep, plan, network: { ...cut, metadata: { ...cut.metadata, "etl.cut": provenance } } };
  };
  return {
    model,
    planAt,
    cutAt: (keep) => cutOf(keep, planAt(keep)),
    filledAt: (keep, fits) => {
      const plan = planAt(keep);
      if (roundTo === 1) return cutOf(keep, plan);
      return cutOf(keep, fillBlocks(network, plan, { coupling, roundTo, scores: classScores, fits }));
    },
  };
}

async function reachTarget(
  cutter: Cutter,
  options: CutOptions,
  withEngine: () => Promise<Engine>,
): Promise<Cut> {
  const { keep, targetFlops, targetSize, targetMs, progress = silent, signal } = options;
  if (keep !== undefined) return cutter.cutAt(keep);
  if (targetFlops !== undefined) {
    const limit = targetFlops * cutter.planAt(1).before.macs;
    const found = await largestKeep(fineSteps, (share) => cutter.planAt(share).after.macs, limit);
    return cutter.filledAt(reached(found, limit, "MACs"), ({ after }) => after.macs <= limit);
  }
  if (targetSize !== undefined) return cutForSize(cutter, targetSize);
  if (targetMs === undefined) throw new EtlError("usage", "cut: no target, one was needed");
  const engine = await withEngine();
  progress.start("latency", Math.log2(coarseSteps) + 2);
  let done = 0;
  const milliseconds = async (share: number): Promise<number> => {
    stopIfAborted(signal, stopped);
    const ms = await timed(engine, boundAs(cutter, cutter.cutAt(share).network), 10);
    progress.update(++done, `keep ${share.toFixed(3)}: ${ms.toFixed(2)} ms`);
    return ms;
  };
  const found = await largestKeep(coarseSteps, milliseconds, targetMs);
  progress.finish(`keep ${found.keep.toFixed(3)}`);
  return cutter.cutAt(reached(found, targetMs, "ms"));
}

/** The file holds more than weights (names, index tables), so the first guess is corrected by the real size. */
async function cutForSize(cutter: Cutter, target: number): Promise<Cut> {
  const { original } = cutter.model;
  let extra = fileBytes(original) - cutter.planAt(1).before.bytes;
  for (let round = 0; ; round++) {
    const estimate = (share: number): number => cutter.planAt(share).after.bytes + extra;
    const keep = reached(await largestKeep(fineSteps, estimate, target), target, "bytes");
    const room = target - extra;
    const cut = cutter.filledAt(keep, ({ after }) => after.bytes <= room);
    const size = fileBytes(cut.network);
    if (size <= target) return cut;
    extra += size - target + round * 1024;
  }
}

/** The network with the sizes that were assumed for open dimensions, so that it can be timed. */
function boundAs({ model }: Pick<Cutter, "model">, network: Network): Network {
  return { ...network, inputs: model.network.inputs, outputs: model.network.outputs };
}

/** The lowest of three medians: what else the machine does makes a network slower, never faster. */
async function timed(engine: Engine, network: Network, runs: number): Promise<number> {
  const batch = fixedBatch(network);
  let best = Infinity;
  for (let round = 0; round < 3; round++) {
    const measured = await profileModels(engine, [{ name: "cut", network }], { runs, batch });
    best = Math.min(best, (measured.get("cut")?.medianMs ?? Infinity) * batch);
  }
  return best;
}

/** A file for a fixed batch is timed with it; the time is that of one run. */
function fixedBatch(network: Network): number {
  const first = network.inputs[0]?.shape[0];
  return typeof first === "number" ? first : 1;
}

function scaled(latency: Latency, batch: number): Latency {
  return { ...latency, medianMs: latency.medianMs * batch, p95Ms: latency.p95Ms * batch };
}

async function measure(
  engine: Engine,
  model: CuttableModel,
  options: { readonly network: Network; readonly runs: number; readonly signal: AbortSignal | undefined },
): Promise<{ before: Latency; after: Latency }> {
  const batch = fixedBatch(model.network);
  const measured = await profileModels(
    engine,
    [
      { name: "before", network: boundAs({ model }, model.original) },
      { name: "after", network: boundAs({ model }, options.network) },
    ],
    { runs: options.runs, batch, signal: options.signal },
  );
  const [before, after] = ["before", "after"].map((name) => measured.get(name));
  if (before === undefined || after === undefined) throw new Error("a latency is missing");
  return { before: scaled(before, batch), after: scaled(after, batch) };
}

/** The bytes of an ONNX file as they are; undefined for what only becomes one. */
async function originalBytes(model: string): Promise<Uint8Array | undefined> {
  return model.toLowerCase().endsWith(".onnx") ? readBytes(model) : undefined;
}

/** Why a cut took nothing. */
function nothingCut(model: string, layers: readonly LayerPlan[]): string {
  const reasons = new Set(layers.flatMap(({ reason }) => reason ?? []));
  const because = reasons.size === 0 ? "" : `: ${[...reasons].slice(0, 2).join("; ")}`;
  return `${model}: nothing was cut${because}`;
}

function judge(comparison: Comparison | undefined, model: string, notes: string[]): void {
  notes.push(...(comparison?.notes ?? []));
  const difference = comparison?.difference;
  if (difference === undefined) {
    notes.push(`${model}: an input is not float32, so the result was not compared with the masked original`);
  } else if (!(difference <= tolerance)) {
    throw new EtlError(
      "unsupported",
      `${model}: the cut network differs from the masked original by ${difference.toExponential(1)} of the output, at most ${tolerance} was needed`,
      { hint: "nothing was written; please report the model. --no-check writes it all the same" },
    );
  }
}

const targets = {
  keep: "--keep",
  targetFlops: "--target-flops",
  targetSize: "--target-size",
  targetMs: "--target-ms",
} as const;

function checkOptions(options: CutOptions): void {
  const keys = Object.keys(targets) as (keyof typeof targets)[];
  const given = keys.filter((key) => options[key] !== undefined);
  if (given.length !== 1) {
    const found = given.length === 0 ? "no target" : given.map((key) => targets[key]).join(" and ");
    throw new EtlError(
      "usage",
      `cut: ${found}, exactly one of ${Object.values(targets).join(", ")} was needed`,
    );
  }
  for (const key of given) {
    const value = options[key] ?? NaN;
    const share = key === "keep" || key === "targetFlops";
    if (value > 0 && Number.isFinite(value) && (!share || value <= 1)) continue;
    const needed = share ? "a share in (0, 1]" : "a positive number";
    throw new EtlError("usage", `${targets[key]}: ${value}, ${needed} was needed`);
  }
  if (!options.out.toLowerCase().endsWith(".onnx"))
    throw new EtlError("usage", `--out: ${options.out}, a name ending in .onnx was needed`);
  const { roundTo = 1, runs = 1 } = options;
  const counts = [["round-to", roundTo === "auto" ? 1 : roundTo] as const, ["runs", runs] as const];
  for (const [name, value] of counts) {
    if (!Number.isInteger(value) || value < 1) {
      const needed = `${name === "round-to" ? "auto or " : ""}a whole number of at least 1`;
      throw new EtlError("usage", `--${name}: ${value}, ${needed} was needed`);
    }
  }
}
