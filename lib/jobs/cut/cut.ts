/** Data-free surgery on any model file: rank filters without pictures, cut, check, write. */
import { plural } from "../../core/printable.ts";
import { resolve } from "node:path";
import type { Cost } from "../../core/artifacts.ts";
import { EtlError } from "../../core/errors.ts";
import { jsonText, readBytes } from "../../core/files.ts";
import { needSpare, writeSpare } from "../../core/spare.ts";
import { stopIfAborted } from "../../core/options.ts";
import { silent } from "../../core/progress.ts";
import type { Latency, TimeRecord } from "../../record/record.ts";
import type { Engine } from "../../engine/engine.ts";
import { openEngine } from "../../engine/open.ts";
import { timerOf } from "../../evaluate/profile.ts";
import { computesOnBytes } from "../../network/bytes.ts";
import { hasOddWidths } from "../../network/fill-channels.ts";
import type { Network } from "../../network/network.ts";
import { writeLike } from "../../formats/onnx/like.ts";
import { readLatencyTable } from "../../latency/table.ts";
import type { LayerPlan, Plan } from "../../surgery/plan.ts";
import { compareWithMasked, tolerance, type Comparison } from "./check.ts";
import { openClock, type CutClock } from "./clock.ts";
import { createCutter } from "./cutter.ts";
import { fileLayers, openCuttable } from "./model.ts";
import { planRows } from "./plan.ts";
import { checkCutOptions, type CutOptions } from "./options.ts";
import { blocksToTry } from "./search.ts";
import { fileBytes, reachInBlocks, reachTarget } from "./target.ts";
import { measure, missed, stopped } from "./time.ts";

/** Cost of a network and the size of its file. */
export interface FileCost extends Cost {
  readonly fileBytes: number;
}

export interface CutResult {
  readonly out: string;
  /** Share of channels that was asked of every block of coupled channels; with a target of MACs or time, of those of middling price. */
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
  checkCutOptions(options);
  const spare = { replace: options.replace !== false, mayGo: mayGoFor(options) };
  // Times are never twice the same, so what they choose may be another network.
  if (options.targetMs !== undefined || options.targetTime !== undefined) await needSpare(options.out, spare);
  const model = await openCuttable(options.model, options);
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
    let made: Promise<CutClock> | undefined;
    const clock = (): Promise<CutClock> => (made ??= openClock(model, options, withEngine));
    const { table } = options;
    const own = async (): Promise<number> =>
      table === undefined ? (await withEngine()).channelBlock : (await readLatencyTable(table)).block;
    const block = asked === "auto" ? await own() : asked;
    const notes = [...model.notes];
    const { keep, plan, network, time } = await reachInBlocks(
      { blocks: asked === "auto" ? blocksToTry(block) : [block], own: block },
      (roundTo) => reachTarget(createCutter(model, { ...options, roundTo }), options, clock),
      notes,
    );
    stopIfAborted(signal, stopped);
    const layers = fileLayers(model, plan);
    const isCut = plan.keep.includes(0);
    let comparison: Comparison | undefined;
    if (options.check !== false && isCut) {
      progress.start("look whether it computes the same as the masked original");
      comparison = await compareWithMasked(await withEngine(), model.original, {
        cut: network,
        layers,
        assumed: model.assumed,
        seed: options.seed ?? 0,
      });
      judge(comparison, options.model, notes);
      progress.finish("it does", "detail");
    }
    if (!isCut) notes.push(nothingCut(options.model, model.original, layers));
    const whole = isCut ? undefined : await originalBytes(options.model);
    const written = whole === undefined ? writeLike(network) : { bytes: whole, notes: [] };
    const { bytes } = written;
    notes.push(...written.notes);
    const files = new Map([[options.out, bytes]]);
    if (options.planOut !== undefined) {
      const text = jsonText(cutPlanFile({ ...plan, layers }, { keep, ...options }));
      files.set(options.planOut, new TextEncoder().encode(text));
    }
    await writeSpare(files, spare);
    const isExact = options.keep !== undefined && options.roundTo === undefined;
    if (isExact && hasOddWidths(network) && !hasOddWidths(model.network))
      progress.note(
        "some widths are no multiples of 4, which onnxruntime computes slowly: --round-to auto takes others, etl export --for onnxruntime fills them up",
      );
    const runs = options.runs ?? (time?.measuredMs === undefined ? 0 : 50);
    if (runs > 0) progress.start(`time it beside the original, ${plural(runs, "run")} each`);
    const latency =
      runs > 0
        ? await measure(timerOf(await withEngine(), options.threads), model, { network, runs, signal })
        : undefined;
    if (latency) progress.finish("done", "detail");
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
function cutPlanFile(
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

/** The bytes of an ONNX file as they are; undefined for what only becomes one. */
async function originalBytes(model: string): Promise<Uint8Array | undefined> {
  return model.toLowerCase().endsWith(".onnx") ? readBytes(model) : undefined;
}

/** Why a cut took nothing. */
function nothingCut(model: string, original: Network, layers: readonly LayerPlan[]): string {
  const reasons = new Set(layers.flatMap(({ reason }) => reason ?? []));
  const because = reasons.size === 0 ? "" : `: ${[...reasons].slice(0, 2).join("; ")}`;
  const bytes = computesOnBytes(original)
    ? "; it computes on bytes (int8): cut the float model that it was made from, then quantise that"
    : "";
  return `${model}: nothing was cut${because}${bytes}`;
}

function judge({ difference, notes: said }: Comparison, model: string, notes: string[]): void {
  notes.push(...said);
  if (!(difference <= tolerance)) {
    throw new EtlError(
      "unsupported",
      `${model}: the cut network differs from the masked original by ${difference.toExponential(1)} of the output, at most ${tolerance} was needed`,
      { hint: "nothing was written; please report the model. --no-check writes it all the same" },
    );
  }
}

/** What an earlier cut of a file nobody trained left can be cut again; the model that is being cut stays. */
function mayGoFor({ model, out, planOut }: CutOptions): (content: Uint8Array) => boolean {
  if ([out, planOut].some((path) => path !== undefined && resolve(path) === resolve(model)))
    return () => false;
  return (bytes) => {
    const content = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const isCut = content.includes("etl.cut") && !content.includes("etl.task");
    return isCutPlan(content) || (isCut && content.includes('"criterion"'));
  };
}

function isCutPlan(content: Buffer): boolean {
  return content[0] === 0x7b && content.includes('"keptOutputs"') && content.includes('"criterion"');
}
