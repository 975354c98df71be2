/** Stage surgery: scaling, reconstruction, the cut, and a closed-form head on the cut network's own features. */
import { mergeMoments } from "../core/moments.ts";
import { readBytes, writeWhole } from "../core/files.ts";
import { readOnnx, writeOnnx } from "../formats/onnx.ts";
import { analyseCoupling } from "../network/coupling/analyse.ts";
import type { Network } from "../network/network.ts";
import { applySurgery } from "../surgery/apply.ts";
import { reconstruct, statisticsOf, type ReconstructedLayer } from "../surgery/reconstruct.ts";
import { scaleFilters } from "../surgery/scaling.ts";
import type { RunContext } from "./context.ts";
import { distillFeatures, headInput, type OpenDistillation } from "./distilling.ts";
import { harvestFeatures, type Harvest } from "./harvesting.ts";
import { headed, solveHead } from "./head.ts";
import { planKey, type Planned } from "./planning.ts";
import { calibrated } from "./training.ts";
import { refit } from "./refitting.ts";

export interface Cut {
  /** The cut network with its head, before fine-tuning, in target units. */
  readonly network: Network;
  /** Everything it depends on. */
  readonly key: unknown;
  readonly notes: readonly string[];
  distillation(): Promise<OpenDistillation>;
}

/** Cuts the backbone down to the plan; leaves `cut.onnx`. */
export async function cutStage(
  context: RunContext,
  { harvest, planned }: { readonly harvest: Harvest; readonly planned: Planned },
): Promise<Cut> {
  const { folder, config, backbone, progress } = context;
  const { scaling, reconstruct: reconstructs, refit: refits } = config;
  const key = { plan: planKey(context), scaling, reconstruct: reconstructs, refit: refits };
  const ran = await folder.stage("surgery", {
    inputs: key,
    files: ["cut.onnx"],
    produce: async () => {
      const network = await cutWithHead(context, { harvest, planned });
      await writeWhole(folder.file("cut.onnx"), writeOnnx(network));
    },
  });
  if (!ran) progress.note("surgery: done before, kept");
  const file = folder.file("cut.onnx");
  const network = readOnnx(await readBytes(file), { name: file });
  return {
    network,
    key,
    notes: [],
    distillation: () =>
      distillFeatures(context, {
        teacher: teacherOf(context, planned),
        kept: keptFeatures(backbone.network, backbone.features, planned.plan.keep),
        student: headInput(network),
      }),
  };
}

/** What the cut network should look like from inside: all filters, in the units of the scaled ones. */
function teacherOf({ backbone, config }: RunContext, { knees }: Planned): Network {
  const coupling = analyseCoupling(backbone.network);
  return scaleFilters(backbone.network, knees, { scaling: config.scaling, coupling }).network;
}

/** The backbone cut down to a plan, reconstructed and fitted again as configured, with a closed-form head. */
export async function cutWithHead(
  context: RunContext,
  { harvest, planned }: { readonly harvest: Harvest; readonly planned: Planned },
): Promise<Network> {
  const { config, backbone, task, progress } = context;
  const coupling = analyseCoupling(backbone.network);
  const statistics = new Map(
    harvest.moments.map(({ tap, folds }) => [tap, statisticsOf(mergeMoments(folds))]),
  );
  const { network: whole, layers } = config.reconstruct
    ? reconstruct(backbone.network, planned.plan, statistics, { coupling })
    : { network: backbone.network, layers: [] };
  progress.note(`reconstruction: ${explained(layers)}`);
  const scaled = scaleFilters(whole, planned.knees, { scaling: config.scaling, coupling });
  for (const { tap, reason } of scaled.refused) progress.note(`scaling: ${tap} left as it is, ${reason}`);
  let trunk = applySurgery(scaled.network, planned.plan);
  if (config.refit) {
    const original = teacherOf(context, planned);
    trunk = await refit(context, { original, cut: trunk, plan: planned.plan });
  }
  const features = await harvestFeatures(context, trunk, backbone.features);
  return calibrated(context, headed(trunk, backbone.features, solveHead(features, task), task));
}

/** Channels of a value that a plan keeps, ascending. */
function keptFeatures(network: Network, value: string, keep: Uint8Array): Uint32Array {
  const coupling = analyseCoupling(network);
  const atoms = coupling.layouts.get(value)?.atoms ?? new Int32Array(0);
  const positions = Array.from(atoms.keys()).filter((i) => keep[coupling.classOf[atoms[i]]] === 1);
  return Uint32Array.from(positions);
}

/** How much of the removed filters the kept ones predict, in one phrase. */
function explained(layers: readonly ReconstructedLayer[]): string {
  const shares = layers.flatMap((layer) => (layer.explained === undefined ? [] : [layer.explained]));
  if (shares.length === 0) return "nothing to fold in";
  const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
  return `${shares.length} layers, ${(100 * mean).toFixed(0)} % of the removed filters' variance explained on average`;
}
