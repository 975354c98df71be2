/** Data-free surgery on any model file: rank filters without pictures, cut, check, write. */
import type { Cost } from "../../core/artifacts.ts";
import { EtlError } from "../../core/errors.ts";
import { readBytes, writeJson, writeWhole } from "../../core/files.ts";
import { silent } from "../../core/progress.ts";
import type { Latency, TimeRecord } from "../../record/record.ts";
import type { Engine } from "../../engine/engine.ts";
import { openEngine } from "../../engine/open.ts";
import { profileModels } from "../../evaluate/profile.ts";
import { writeOnnx } from "../../formats/onnx/write.ts";
import { readTable } from "../../latency/table.ts";
import type { Network } from "../../network/network.ts";
import type { LayerPlan, Plan } from "../../surgery/plan.ts";
import { compareWithMasked, tolerance, type Comparison } from "./check.ts";
import { fileLayers, openCuttable, type CuttableModel } from "./model.ts";
import type { CutOptions } from "./options.ts";
import { boundAs, createCutter, fileBytes, fixedBatch, reachTarget, stopIfAborted } from "./target.ts";

export type { CutOptions, CutTarget } from "./options.ts";

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
  /** Where a target of time chose it: predicted by the latency table, and measured. */
  readonly time?: TimeRecord;
  /** What was assumed, or did not come out as asked. */
  readonly notes: readonly string[];
}

/**
 * Cuts a model without data and writes it. The result computes what the original computes with the inputs of every
 * layer multiplied by the 0/1 mask of its `keptInputs`; unless `check` is off this is verified before anything is
 * written.
 *
 * @throws EtlError `usage` for a wrong call, `unsupported` where no cut reaches the target
 */
export async function cutModel(options: CutOptions): Promise<CutResult> {
  const { progress = silent, signal } = options;
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
    const block = async (): Promise<number> =>
      options.table === undefined
        ? (await withEngine()).channelBlock
        : (await readTable(options.table)).block;
    const roundTo = asked === "auto" ? await block() : asked;
    const cutter = createCutter(model, { ...options, roundTo });
    const { keep, plan, network, time } = await reachTarget(cutter, options, withEngine);
    stopIfAborted(signal);
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
    const isTimed = (options.targetMs ?? options.targetTime) !== undefined && options.table === undefined;
    const runs = options.runs ?? (isTimed ? 50 : 0);
    const latency =
      runs > 0 ? await measure(await withEngine(), model, { network, runs, signal }) : undefined;
    if (latency) notes.push(...missed(latency, options));
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
      ...(time && { time }),
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

/** Layers with plain lists of numbers. */
export function planRows(layers: readonly LayerPlan[]): readonly Readonly<Record<string, unknown>>[] {
  return layers.map(({ name, op, keptInputs, totalInputs, keptOutputs, totalOutputs, reason }) => ({
    name,
    op,
    keptInputs: Array.from(keptInputs),
    totalInputs,
    keptOutputs: Array.from(keptOutputs),
    totalOutputs,
    ...(reason === undefined ? {} : { reason }),
  }));
}

/** A target of time that the last measurement does not confirm. */
function missed(
  { before, after }: { readonly before: Latency; readonly after: Latency },
  { targetMs, targetTime, table }: CutOptions,
): string[] {
  const limit = targetTime === undefined ? targetMs : targetTime * before.medianMs;
  if (limit === undefined || table !== undefined || after.medianMs <= 1.05 * limit) return [];
  return [
    `measured again at the end: ${after.medianMs.toFixed(3)} ms, ${limit.toPrecision(4)} ms were asked for`,
  ];
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
  targetTime: "--target-time",
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
    const share = key === "keep" || key === "targetFlops" || key === "targetTime";
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
