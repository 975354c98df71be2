/** Stage surgery: scaling, reconstruction, the cut, and a closed-form head on the cut network's own features. */
import { plural } from "../../core/printable.ts";
import { mergeMoments } from "../../math/moments.ts";
import { EtlError, isEtlError } from "../../core/errors.ts";
import { writeWhole } from "../../core/files.ts";
import { writeOnnx } from "../../formats/onnx/write.ts";
import { initialise } from "../../backbones/initialise.ts";
import type { Network } from "../../network/network.ts";
import { applySurgery } from "../../surgery/apply.ts";
import { reconstruct, statisticsOf, type ReconstructedLayer } from "../../surgery/reconstruct.ts";
import { scaleFilters } from "../../surgery/scaling.ts";
import type { RunContext } from "./context.ts";
import { headInput, type Answering } from "./distil.ts";
import { featureWidth, harvestFeatures, type Harvest } from "./harvest.ts";
import { headed, solveHeads } from "./head.ts";
import type { Control } from "./options.ts";
import { startsFrom } from "./origin.ts";
import { planKey, type Planned } from "./plan.ts";
import { calibrated, type TrainingPlan } from "./tune.ts";
import { refit } from "./refit.ts";
import { networkIn } from "../run/model.ts";

/** The cut network with its head, before fine-tuning, in target units. */
export interface Cut {
  readonly network: Network;
  /** The stage that made it. */
  readonly stage: string;
  /** Everything it depends on. */
  readonly key: unknown;
  /** Another choice of filters for the same widths; absent: the plan's own. */
  readonly control?: Control;
}

/**
 * What a cut network learns beside the labels, and the key of its training: that depends on the full network only where its
 * outputs are distilled.
 */
export function learning(
  context: RunContext,
  { cut, planned, answers }: { readonly cut: Cut; readonly planned: Planned; readonly answers: Answering },
): Pick<TrainingPlan, "from" | "key" | "lesson"> {
  const { backbone, config } = context;
  const { distill, distillOutputs } = config;
  if (!(distill > 0 || distillOutputs > 0)) return { from: [cut.stage], key: cut.key };
  return {
    from: [cut.stage, ...(distillOutputs > 0 ? ["baseline"] : [])],
    key: distillOutputs > 0 ? { cut: cut.key, answers: answers.key } : cut.key,
    lesson: {
      answers,
      teacher: cut.control === undefined ? teacherOf(context, planned) : backbone.network,
      kept: keptFeatures(context, planned.plan.keep),
      student: headInput(cut.network),
    },
  };
}

interface CutWhat {
  readonly harvest: Harvest;
  readonly planned: Planned;
  /** Another choice of filters for the same widths; absent: the plan's own. */
  readonly control?: Control;
}

/** Cuts the backbone down to the plan; leaves `cut.onnx`, or `cut-NAME.onnx` for a control. */
export async function cutStage(context: RunContext, what: CutWhat): Promise<Cut> {
  const { folder, config, progress } = context;
  const { planned, control } = what;
  const { scaling, reconstruct: reconstructs, refit: refits, seed } = config;
  const surgery = {
    plan: planKey(context),
    start: startsFrom(context),
    scaling,
    reconstruct: reconstructs,
    refit: refits,
  };
  const key = control === undefined ? surgery : { ...surgery, control, seed };
  const [stage, name] =
    control === undefined ? ["surgery", "cut.onnx"] : [`surgery:${control}`, `cut-${control}.onnx`];
  const ran = await folder.stage(stage, {
    from: ["harvest", "plan", ...(config.start === "baseline" ? ["baseline"] : [])],
    inputs: key,
    files: [name],
    produce: async () => {
      const network =
        control === "scratch" ? freshNetwork(context, planned) : await cutWithHead(context, what);
      await writeWhole(folder.file(name), writeOnnx(network));
    },
  });
  if (!ran) progress.note(`${stage}: done before, kept`);
  const network = await networkIn(folder, name);
  return { network, stage, key, ...(control !== undefined && { control }) };
}

/** The plan's shape with random weights. */
function freshNetwork(context: RunContext, { plan }: Planned): Network {
  const trunk = applySurgery(context.backbone.network, plan, context.coupling);
  return initialise(withEmptyHeads(context, trunk), context.config.seed);
}

/** A trunk with heads of the right sizes, their weights zeros: for cost and time, or to be filled. */
export function withEmptyHeads(
  { backbone, tasks }: Pick<RunContext, "backbone" | "tasks">,
  trunk: Network,
): Network {
  const width = featureWidth(trunk, backbone.features);
  const heads = tasks.map(({ task: { outputs } }) => ({
    weight: new Float32Array(width * outputs),
    bias: new Float32Array(outputs),
  }));
  return headed(trunk, backbone.features, heads, tasks);
}

/** What the cut network should look like from inside: all filters, in the units of the scaled ones. */
function teacherOf({ backbone, config, coupling }: RunContext, { knees }: Planned): Network {
  return scaleFilters(backbone.network, knees, { scaling: config.scaling, coupling }).network;
}

/** The backbone cut down to a plan, reconstructed and fitted again as configured, with a closed-form head. */
export async function cutWithHead(
  context: RunContext,
  { harvest, planned, control }: CutWhat,
): Promise<Network> {
  const { backbone, coupling, progress } = context;
  // The coefficients that scale filters belong to ETL's own choice.
  const config = control === undefined ? context.config : { ...context.config, scaling: "none" as const };
  const statistics = new Map(
    harvest.moments.map(({ tap, folds }) => [tap, statisticsOf(mergeMoments(folds))]),
  );
  if (config.reconstruct) progress.start("reconstruction", coupling.layers.length);
  const { network: whole, layers } = config.reconstruct
    ? reconstruct(backbone.network, planned.plan, statistics, {
        coupling,
        onLayer: (done) => {
          progress.update(done);
        },
      })
    : { network: backbone.network, layers: [] };
  if (config.reconstruct) progress.finish(explained(layers));
  else progress.note("reconstruction: switched off");
  const scaled = scaleFilters(whole, planned.knees, { scaling: config.scaling, coupling });
  for (const { tap, reason } of scaled.refused) progress.note(`scaling: ${tap} left as it is, ${reason}`);
  for (const note of scaled.notes) progress.note(`scaling: ${note}`);
  let trunk = applySurgery(scaled.network, planned.plan);
  if (config.refit) {
    const original = teacherOf({ ...context, config }, planned);
    trunk = await refit(context, { original, cut: trunk, plan: planned.plan });
  }
  const features = await harvestFeatures(context, trunk, backbone.features).catch((error: unknown) => {
    if (!config.scaling.startsWith("paper") || !isEtlError(error, "data")) throw error;
    throw new EtlError("engine", `--scaling ${config.scaling}: ${error.message}`, {
      hint: "literal scaling multiplies every layer by its coefficients, here until numbers overflow: use --scaling none",
      cause: error,
    });
  });
  const heads = solveHeads(context, features);
  return calibrated(context, headed(trunk, backbone.features, heads, context.tasks));
}

/** Channels of the features that a plan keeps, ascending. */
function keptFeatures({ backbone, coupling }: RunContext, keep: Uint8Array): Uint32Array {
  const atoms = coupling.layouts.get(backbone.features)?.atoms ?? new Int32Array(0);
  const positions = Array.from(atoms.keys()).filter((i) => keep[coupling.classOf[atoms[i]]] === 1);
  return Uint32Array.from(positions);
}

/** How much of the removed filters the kept ones predict, in one phrase. */
function explained(layers: readonly ReconstructedLayer[]): string {
  const shares = layers.flatMap((layer) => (layer.explained === undefined ? [] : [layer.explained]));
  if (shares.length === 0) return "nothing to fold in";
  const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
  return `${plural(shares.length, "layer")}, ${(100 * mean).toFixed(0)} % of the removed filters' variance explained on average`;
}
