/**
 * The public surface, grouped by stage. Everything a run hands from one stage to the next is plain data
 * (`lib/core/artifacts.ts`); only the engine holds native memory, and whoever compiles, disposes.
 *
 * `test/docs/surface.test.ts` pins this list.
 */

// Errors: one class with a kind and a hint.
export { EtlError, isEtlError } from "./core/errors.ts";
export type { ErrorKind } from "./core/errors.ts";

// The whole job.
export { prune } from "./jobs/prune/prune.ts";
export { metricsOf } from "./jobs/prune/record.ts";
export type { JobOptions } from "./jobs/run/options.ts";
export type { Config as RunConfig } from "./jobs/prune/config.ts";
export type { HarvestInputs } from "./jobs/prune/harvest.ts";
export { resume } from "./resume.ts";
export type { Resumed, ResumeOptions } from "./resume.ts";
export type { Control, PruneOptions, Start } from "./jobs/prune/options.ts";
export type {
  CurveRecord,
  DataProblem,
  FacePicture,
  FilterFaces,
  GammaCostRecord,
  GroupRecord,
  Latency,
  LayerCostRecord,
  Metrics,
  ModelRecord,
  ResponseRecord,
  RunMetrics,
  RunLinks,
  RunRecord,
  TaskRecord,
  PairedDifference,
} from "./record/record.ts";

// Many runs, and one harvest on many machines.
export { sweep } from "./jobs/many/sweep.ts";
export type { SweepRow } from "./record/sweep.ts";
export type { TaskWorth, Worth } from "./record/worth.ts";
export type { SweepOptions, SweepResult } from "./jobs/many/sweep.ts";
export type { Shard } from "./jobs/run/shard.ts";
export { harvestShard, mergeShards } from "./jobs/many/shards.ts";
export type { Merged, ShardRecord } from "./jobs/many/shards.ts";
export { silent } from "./core/progress.ts";
export type { Progress } from "./core/progress.ts";
export { createRecycler } from "./core/recycler.ts";
export type { Recycler } from "./core/recycler.ts";

// What the program prints with --json.
export type {
  CommandJson,
  CommandName,
  CommandResults,
  FailureJson,
  HarvestJson,
  LayerJson,
  RunPlanJson,
} from "./json.ts";

export type { CropChoice } from "./core/crop.ts";
export type { SeenParts } from "./data/images/views.ts";
export type { SpareOptions } from "./core/spare.ts";
export type { Allocation } from "./jobs/prune/options.ts";
export type { ExportFor } from "./jobs/run/graph.ts";
export type { FoldsBy } from "./jobs/train/crossval.ts";
export type { HeadPlace } from "./backbones/backbone.ts";
export type { Rates } from "./latency/fit.ts";
export type { LatencyTable, TableEntry } from "./latency/table.ts";
export type { Seal } from "./core/seal.ts";
export type { ShareRange, TimeRecord } from "./record/record.ts";
export type { WeightBits } from "./quantize/scales.ts";

// Networks: read, write, build, measure. Pure data.
export { readOnnx } from "./formats/onnx/read.ts";
export { writeOnnx } from "./formats/onnx/write.ts";
export type { WriteOnnxOptions } from "./formats/onnx/write.ts";
export type { ReadOnnxOptions } from "./formats/onnx/read.ts";
export type { ReadKerasOptions } from "./formats/keras/h5.ts";
export { readKerasModel } from "./formats/keras/h5.ts";
export { readTfjsModel } from "./formats/tfjs/read.ts";
export { writeTfjs } from "./formats/tfjs/write.ts";
export { readModel } from "./backbones/read-model.ts";
export { backboneEntries, backboneNames, loadBackbone } from "./backbones/catalogue.ts";
export type { Backbone, BackboneEntry, LoadOptions } from "./backbones/catalogue.ts";
export { withHead } from "./backbones/head.ts";
export type { HeadOptions } from "./backbones/head.ts";
export { createBuilder } from "./network/builder.ts";
export type {
  BatchNormOptions,
  Builder,
  ConvOptions,
  GemmOptions,
  Named,
  NodeOptions,
  Pads,
  Pair,
  PoolOptions,
  WindowOptions,
} from "./network/builder.ts";
export { costOf } from "./network/cost.ts";
export type { CostOptions, LayerCost, NetworkCost } from "./network/cost.ts";
export { inferShapes } from "./network/shapes/infer.ts";
export type { Bindings } from "./network/shapes/infer.ts";
export { validateNetwork } from "./network/validate.ts";
export type {
  Attribute,
  Dim,
  ElementArray,
  ElementType,
  FileFacts,
  Half,
  Network,
  Node,
  Parameter,
  Tensor,
  ValueInfo,
} from "./network/network.ts";
export { writeModel } from "./backbones/write-model.ts";
export type { ModelFormat } from "./formats/names.ts";
export type { WrittenModel, WrittenWeights } from "./backbones/write-model.ts";

// Engines: what computes.
export { openEngine, probeCuda, probeEngines } from "./engine/open.ts";
export { runStream } from "./engine/stream.ts";
export type { CudaProbe, EngineProbe, OpenEngineOptions } from "./engine/open.ts";
export type {
  CompileOptions,
  Device,
  Engine,
  EngineName,
  EngineOptions,
  KernelTime,
  Program,
  RunOptions,
  StepOptions,
  StepResult,
  Tensors,
  Trainer,
  TrainerState,
  TrainingOptions,
} from "./engine/engine.ts";
export type { LossTerm, Optimizer } from "./core/artifacts.ts";

// Data: labelled faces, decoded once, in batches.
export { openDataset } from "./data/open.ts";
export type { Dataset, GroupColumn, Item, OpenDatasetOptions, Split } from "./data/dataset.ts";
export { prepareImages, rowsOf } from "./data/images/store.ts";
export type { ImageStore, PrepareOptions } from "./data/images/store.ts";
export { batches } from "./data/images/batches.ts";
export type { Augment } from "./data/images/augment.ts";
export type { Batch, BatchOptions } from "./data/images/batches.ts";
export type { Crop, Preprocessing, Task, TaskKind } from "./core/artifacts.ts";

// Raw photographs to aligned crops.
export { alignFolder } from "./align/folder.ts";
export type { AlignOptions, AlignSummary } from "./align/folder.ts";

// Harvest: pooled responses, reduced to moments.
export { findTaps, withPooledTaps } from "./network/taps.ts";
export type { Tap } from "./network/taps.ts";
export { harvest } from "./harvest/harvest.ts";
export type { HarvestBatch, HarvestOptions, HarvestTap } from "./harvest/harvest.ts";
export { dealFolds } from "./harvest/folds.ts";
export { createMomentsAccumulator, mergeMoments } from "./math/moments.ts";
export type { MomentsAccumulator, MomentsOrigin } from "./math/moments.ts";
export type { Moments, TapMoments } from "./core/artifacts.ts";

// LASSO: paths and characteristic curves.
export { lassoPath, lassoPathFromMoments } from "./lasso/path.ts";
export type { LassoOptions } from "./lasso/path.ts";
export type { MatrixLike } from "./lasso/matrix.ts";
export { characteristicCurve } from "./lasso/curve.ts";
export { leastSquares } from "./lasso/least-squares.ts";
export type { LeastSquares } from "./lasso/least-squares.ts";
export { correlationRanking } from "./lasso/ranking.ts";
export type { Ranking } from "./lasso/ranking.ts";
export type { Curve, LassoPath, PathPoint } from "./core/artifacts.ts";

// Knee: which filters stay.
export { chooseCurveKnee, chooseKnee } from "./knee/knee.ts";
export type { ChosenKnee, KneeOptions } from "./knee/knee.ts";
export { bisectGamma, breakpoints } from "./knee/targets.ts";
export type { GammaChoice } from "./knee/targets.ts";
export type { Knee, RmseKind } from "./core/artifacts.ts";

// Coupled groups, plan, surgery: pure functions on networks.
export { analyseCoupling } from "./network/coupling/analyse.ts";
export { explain } from "./network/coupling/explain.ts";
export type {
  CoupledGroup,
  CoupledLayer,
  Coupling,
  Layout as CoupledLayout,
  Origin as ShuffleOrigin,
  ParameterAxis,
  ParameterUse,
  Spread,
  Tie,
} from "./network/coupling/types.ts";
export { keepAllPlan, planSurgery } from "./surgery/plan.ts";
export type { LayerPlan, Plan, PlanOptions, Selection } from "./surgery/plan.ts";
export { applySurgery } from "./surgery/apply.ts";
export { scaleFilters } from "./surgery/scaling.ts";
export type { ScalingOptions } from "./surgery/scaling.ts";
export type { RefusedScaling, ScaledNetwork } from "./surgery/scaled.ts";
export { reconstruct, statisticsOf } from "./surgery/reconstruct.ts";
export type { ReconstructedLayer, ReconstructOptions, TapStatistics } from "./surgery/reconstruct.ts";
export { selectByCriterion } from "./surgery/criteria.ts";
export type { Criterion, CriterionOptions, ScoreOptions } from "./surgery/criteria.ts";
export type { Cost, GroupSelect, LayerRow, Scaling } from "./core/artifacts.ts";

// Cut any model file without data.
export { cutModel } from "./jobs/cut/cut.ts";
export type { CutResult, FileCost } from "./jobs/cut/cut.ts";
export type { CutOptions, CutTarget } from "./jobs/cut/options.ts";
export { planModel } from "./jobs/cut/plan.ts";
export type { CutLayer, ModelLayer, ModelPlan } from "./jobs/cut/plan.ts";
export type { SaidSizes, PictureSize } from "./network/fit.ts";

// In bytes (int8).
export { quantizeModel, quantizeModel as quantize } from "./jobs/use/quantize.ts";
export type { QuantizeModelOptions, QuantizeResult } from "./jobs/use/quantize.ts";
export type { Int8For, Quantized } from "./quantize/quantize.ts";
export type { RangeRule } from "./quantize/ranges.ts";
export type { Quality } from "./quantize/quality.ts";

// Fine-tune.
export { finetune } from "./finetune/finetune.ts";
export type {
  Checkpoint,
  FinetuneOptions,
  FinetuneResult,
  Judge,
  LearningRateTrial,
  Validation,
} from "./finetune/options.ts";
export type { RatePosition } from "./finetune/schedule.ts";
export { taskLoss } from "./finetune/losses.ts";
export type { EpochRecord } from "./core/artifacts.ts";

// The light networks of the literature: train, cross-validate, compare.
export { train } from "./jobs/train/train.ts";
export type { OtherTask, TrainResult } from "./jobs/train/train.ts";
export type { TrainOptions } from "./jobs/train/options.ts";
export { crossval } from "./jobs/train/crossval.ts";
export type {
  CrossvalOptions,
  CrossvalResult,
  CrossvalRow,
  CrossvalTask,
  FoldScores,
  StoppedFold,
} from "./jobs/train/crossval.ts";
export { comparedNetworks } from "./jobs/many/compare.ts";
export type { ComparedNetwork } from "./jobs/many/compare.ts";
export type { Measure } from "./record/measure.ts";
export type { ScoreSpread } from "./math/statistics.ts";
export type { LabelScore, LabelWise } from "./evaluate/label-wise.ts";

// Evaluate, predict, profile.
export { evaluateModel } from "./jobs/use/evaluate.ts";
export { predictImages } from "./jobs/use/predict.ts";
export { benchBackbone as bench } from "./jobs/use/bench.ts";
export type { Bench, BenchOptions } from "./jobs/use/bench.ts";
export { exportModel } from "./jobs/use/export.ts";
export type { ExportOptions, ModelDescription, ModelOutput } from "./jobs/use/export.ts";
export { demo } from "./jobs/use/demo.ts";
export type { Demo, DemoOptions } from "./jobs/use/demo.ts";
export { exportPage } from "./jobs/use/web.ts";
export type { WebOptions, WrittenPage } from "./jobs/use/web.ts";
export type { Precision } from "./formats/web/layout.ts";
export { drawFaces } from "./jobs/use/draw.ts";
export type { Drawing, DrawOptions } from "./jobs/use/draw.ts";
export type { FacePlace } from "./jobs/use/faces.ts";
export { profileFiles } from "./jobs/use/profile.ts";
export { verifyModel } from "./jobs/use/verify.ts";
export type { DoctorJson } from "./jobs/use/doctor.ts";
export type { Answer, Answers } from "./evaluate/answer.ts";
export type { Predicted, Prediction, PredictModelOptions } from "./jobs/use/predict.ts";
export type { EvaluateOptions, Evaluation } from "./jobs/use/evaluate.ts";
export type { Profile, ProfileFilesOptions } from "./jobs/use/profile.ts";
export type { LayerTime } from "./latency/kernels.ts";
export type { VerifiedModel, VerifyModelOptions } from "./jobs/use/verify.ts";
export type { ServiceOptions } from "./engine/service.ts";
export { computeMetrics } from "./evaluate/metrics.ts";
export type { MetricsOptions } from "./evaluate/metrics.ts";
export { profileModels } from "./evaluate/profile.ts";
export type { ProfiledModel, ProfileOptions } from "./evaluate/profile.ts";
export type { Verification } from "./evaluate/verify.ts";
export type { Measured } from "./core/artifacts.ts";

// Report: one self-contained HTML file.
export { renderReport, renderReport as renderComparison } from "./report/report.ts";
export { readReportAssets } from "./report/assets.ts";
export { packReportAssets } from "./report/pack.ts";
export type { ReportAssets } from "./report/pack.ts";
