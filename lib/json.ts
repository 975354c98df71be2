/**
 * What each command of the program prints with `--json`: one object on one line, first of all the name of its layout. A
 * layout of the same number only gains fields. docs/json.md says it for readers.
 */
import type { AlignSummary } from "./align/folder.ts";
import type { BackboneEntry } from "./backbones/catalogue.ts";
import type { WrittenModel, WrittenWeights } from "./backbones/write-model.ts";
import type { Cost, LayerRow } from "./core/artifacts.ts";
import type { ErrorKind } from "./core/errors.ts";
import type { DoctorJson } from "./jobs/use/doctor.ts";
import type { CutResult } from "./jobs/cut/cut.ts";
import type { CutLayer, ModelPlan } from "./jobs/cut/plan.ts";
import type { ComparedNetwork } from "./jobs/many/compare.ts";
import type { Merged, ShardRecord } from "./jobs/many/shards.ts";
import type { SweepResult } from "./jobs/many/sweep.ts";
import type { CrossvalResult } from "./jobs/train/crossval.ts";
import type { TrainResult } from "./jobs/train/train.ts";
import type { Bench } from "./jobs/use/bench.ts";
import type { Demo } from "./jobs/use/demo.ts";
import type { Drawing } from "./jobs/use/draw.ts";
import type { Evaluation } from "./jobs/use/evaluate.ts";
import type { Predicted } from "./jobs/use/predict.ts";
import type { QuantizeResult } from "./jobs/use/quantize.ts";
import type { LatencyTable } from "./latency/table.ts";
import type { Profile } from "./jobs/use/profile.ts";
import type { VerifiedModel } from "./jobs/use/verify.ts";
import type { WrittenPage } from "./jobs/use/web.ts";
import type { CurveRecord, RunMetrics } from "./record/record.ts";

/** What was harvested: rows and taps, `folder/moments` holds the moments. */
export interface HarvestJson {
  readonly folder: string;
  readonly n: number;
  readonly taps: readonly { readonly tap: string; readonly layer: string; readonly channels: number }[];
}

/** What a run would keep. */
export interface RunPlanJson {
  readonly folder: string;
  readonly before: Cost;
  readonly after: Cost;
  readonly layers: readonly LayerRow[];
}

/** Why a layer of a model is tied to others. */
export interface LayerJson {
  readonly model: string;
  readonly layer: string;
  readonly lines: readonly string[];
}

/** The result of each command, by its name. */
export interface CommandResults {
  readonly prune: RunMetrics;
  readonly sweep: SweepResult;
  /** That of the command which is gone on with, and its `schema`. */
  readonly resume: CommandJson<"prune" | "harvest" | "curves" | "plan" | "finetune" | "train" | "crossval">;
  readonly harvest: HarvestJson | (ShardRecord & { readonly file: string });
  readonly merge: Merged;
  readonly curves: { readonly folder: string; readonly curves: readonly CurveRecord[] };
  readonly plan: RunPlanJson | ModelPlan | LayerJson;
  readonly cut: Omit<CutResult, "layers"> & { readonly layers: readonly CutLayer[] };
  readonly finetune: { readonly folder: string; readonly files: readonly string[] };
  readonly train: TrainResult;
  readonly crossval: CrossvalResult;
  readonly evaluate: Evaluation;
  readonly profile: { readonly models: readonly Profile[] };
  readonly bench: Bench | LatencyTable;
  readonly quantize: QuantizeResult;
  readonly predict: Predicted;
  readonly verify: VerifiedModel;
  readonly align: AlignSummary;
  readonly draw: Drawing;
  readonly report: { readonly file: string; readonly runs: number };
  readonly compare: { readonly networks: readonly ComparedNetwork[]; readonly file?: string };
  readonly export: WrittenModel | WrittenWeights | WrittenPage;
  readonly demo: Demo;
  readonly backbones: {
    readonly backbones: readonly (Pick<
      BackboneEntry,
      "name" | "title" | "use" | "weights" | "source" | "licence"
    > & {
      /** Width and height, "150x150". */
      readonly input: string;
      /** Whether `etl train` builds it from nothing. */
      readonly trains: boolean;
    })[];
  };
  readonly doctor: DoctorJson;
}

export type CommandName = keyof CommandResults;

/** What `etl NAME --json` prints where it succeeds. */
export type CommandJson<Name extends CommandName> = Name extends CommandName
  ? { readonly schema: `etl/${Name}/1` } & Omit<CommandResults[Name], "schema">
  : never;

/** What every command prints with `--json` where it fails; its exit code is not 0. */
export interface FailureJson {
  readonly schema: "etl/error/1";
  readonly error: {
    /** `defect`: an error that etl does not know. */
    readonly kind: ErrorKind | "defect";
    readonly message: string;
    /** What to do about it. */
    readonly hint?: string;
  };
}
