/** Commands that use a model: predict, evaluate, verify, profile. */
import { plural } from "../../lib/core/printable.ts";
import { EtlError } from "../../lib/core/errors.ts";
import { isPicture } from "../../lib/data/images/endings.ts";
import type { LayerTime } from "../../lib/latency/kernels.ts";
import type { NetworkCost } from "../../lib/network/cost.ts";
import {
  flag,
  number,
  requiredText,
  serviceOf,
  text,
  texts,
  type Arguments,
  type Command,
  type Context,
} from "../command.ts";
import { pruneTable } from "../../lib/jobs/prune/options.ts";
import { refuseIgnored } from "../../lib/jobs/run/option.ts";
import { jobTable } from "../../lib/jobs/run/options.ts";
import { boxOption, cropOption, optionsOf, shown, saidSizes } from "../options.ts";
import { count, ms, percent, size, table } from "../table.ts";
import { plainText } from "../../lib/report/format.ts";
import { accuracyText, formatError } from "../../lib/report/sections/facts.ts";
import { modelPositional, openOptions } from "./shared.ts";

/** In place of the first argument. */
const namedModel = {
  type: "string",
  describe: "Backbone by name (see etl backbones), or a model file",
  defaultDescription: "the first argument",
} as const;

export const predictCommand: Command<"predict"> = {
  usage: "predict [inputs..]",
  describe: "Outputs of a model for pictures",
  positionals: {
    inputs: {
      describe: "Run folder or model file, then pictures (with --backbone: pictures only)",
      array: true,
    },
  },
  options: {
    backbone: namedModel,
    weights: shown(pruneTable.weights),
    crop: {
      ...shown(jobTable.crop),
      defaultDescription: "that of the model's own pictures; with --align the whole aligned face",
    },
    align: {
      type: "boolean",
      default: false,
      describe: "Find the faces in photographs and align them; an answer for each face",
    },
    ...openOptions,
  },
  examples: [
    ["etl predict runs/gender a.jpg b.jpg --json", "What the pruned network says"],
    ["etl predict runs/gender --align party.jpg", "Whole photographs: every face is found and answered"],
    ["etl predict --backbone face-resnet a.jpg --json", "The 128 numbers that describe a face"],
  ],
  run: async (args, context) => {
    const inputs = texts(args, "inputs");
    const backbone = text(args, "backbone");
    const model = backbone ?? inputs.shift();
    if (model === undefined || inputs.length === 0) throw tooFewInputs(model, backbone !== undefined);
    if (backbone === undefined && isPicture(model))
      throw new EtlError("usage", `etl predict: ${model} is a picture, the model comes first`, {
        hint: "etl predict RUN IMAGE...",
      });
    const { predictFiles } = await import("../../lib/jobs/use/predict.ts");
    const { answerText } = await import("../../lib/evaluate/answer.ts");
    const { predictions, leftOut } = await predictFiles(model, inputs, {
      ...serviceOf(context),
      crop: cropOption(args),
      weights: text(args, "weights"),
      ...saidSizes(args),
      align: flag(args, "align"),
    });
    for (const { file, face, task, others = [], ...answer } of predictions) {
      const said = [{ task: task ?? "", ...answer }, ...others].map((one) =>
        others.length > 0 ? `${one.task} ${answerText(one)}` : answerText(one),
      );
      const at = face === undefined ? "" : ` (face at ${face.box.map(Math.round).join(",")})`;
      context.print(`${file}${at}: ${said.join(", ")}`);
    }
    return { predictions, leftOut };
  },
};

/** A picture alone is a model forgotten, a model alone are pictures forgotten. */
function tooFewInputs(first: string | undefined, named: boolean): EtlError {
  const alone =
    first === undefined || named
      ? undefined
      : isPicture(first)
        ? `${first} alone is a picture`
        : `no picture after ${first}`;
  return new EtlError(
    "usage",
    `etl predict: ${alone ?? "no picture"}, a model and then one or more pictures were needed`,
    {
      hint: "etl predict RUN IMAGE..., or etl predict --backbone face-resnet IMAGE...",
    },
  );
}

export const evaluateCommand: Command<"evaluate"> = {
  usage: "evaluate <model>",
  describe: "Quality of a model on a folder of labelled faces",
  positionals: modelPositional,
  options: {
    ...optionsOf(jobTable, { groups: ["Data"], without: ["valFraction", "batchSize"] }),
    task: {
      type: "string",
      describe: "Of a model of several tasks: only these",
      defaultDescription: "all that the data have labels of",
    },
    split: {
      choices: ["train", "val", "test", "all"] as const,
      describe: "Only this part",
      defaultDescription: "all labelled pictures; of the model's own data the test part",
    },
    ...openOptions,
  },
  examples: [
    ["etl evaluate runs/gender --data ~/other-faces --json", "All labelled pictures of another folder"],
  ],
  run: async (args, context) => {
    const split = text(args, "split") as "train" | "val" | "test" | "all" | undefined;
    const { evaluateModel } = await import("../../lib/jobs/use/evaluate.ts");
    const result = await evaluateModel(requiredText(args, "model"), {
      ...serviceOf(context),
      data: requiredText(args, "data"),
      task: text(args, "task"),
      label: text(args, "label"),
      crop: cropOption(args),
      ...saidSizes(args),
      split,
      seed: context.seed,
      limit: number(args, "limit"),
      strict: flag(args, "strict"),
      cacheDir: text(args, "cache-dir"),
    });
    const { others = [] } = result;
    for (const one of [result, ...others]) {
      const { task, dataset, accuracy, accuracyError, mae, n, unit, undefinedBecause: why } = one;
      const named = others.length > 0 ? `, ${task}` : "";
      const sure = plainText(accuracyText({ accuracy, accuracyError, n }));
      const error = `mean absolute error ${plainText(formatError(mae ?? Number.NaN, unit ?? ""))}`;
      context.print(
        `${dataset}${named}: ${mae === undefined ? sure : `${error}, within tolerance ${sure}`}, n = ${n}${why === undefined ? "" : `; ${why}`}`,
      );
    }
    return result;
  },
};

export const verifyCommand: Command<"verify"> = {
  usage: "verify [model]",
  describe: "Does the backbone see faces? Verification accuracy on pairs",
  positionals: { model: { describe: "Backbone or model file (face-resnet)", type: "string" } },
  options: {
    pairs: { type: "string", describe: "CSV file: file1,file2,same", demandOption: true },
    backbone: namedModel,
    crop: shown(jobTable.crop),
    "cache-dir": shown(jobTable.cacheDir),
    distance: {
      choices: ["cosine", "euclidean"] as const,
      describe: "How descriptors are compared",
      defaultDescription: "euclidean",
    },
  },
  examples: [["etl verify --pairs ~/celeba/pairs.csv", "A wrong crop, colour order or mean shows here"]],
  run: async (args, context) => {
    const { verifyModel } = await import("../../lib/jobs/use/verify.ts");
    const [model, backbone] = [text(args, "model"), text(args, "backbone")];
    refuseIgnored({}, { backbone }, [
      model !== undefined && { names: ["backbone"], by: model, needed: "one model" },
    ]);
    const result = await verifyModel(model ?? backbone ?? "face-resnet", requiredText(args, "pairs"), {
      ...serviceOf(context),
      crop: boxOption(args),
      distance: text(args, "distance") as "cosine" | "euclidean" | undefined,
      seed: context.seed,
      cacheDir: text(args, "cache-dir"),
    });
    context.print(
      `accuracy ${percent(result.accuracy)} (best threshold), cross-validated ${percent(result.crossValidated)}, AUC ${result.auc.toFixed(4)}, n = ${plural(result.n, "pair")}`,
    );
    return result;
  },
};

export const profileCommand: Command<"profile"> = {
  usage: "profile <models..>",
  describe: "MACs, parameters and CPU time of models, layer by layer",
  positionals: { models: { describe: "Run folders, model files or backbones", array: true } },
  options: {
    runs: { type: "number", describe: "Timed runs per model", defaultDescription: "50" },
    batch: { type: "number", describe: "Pictures per run", defaultDescription: "as in the files, or 1" },
    ...openOptions,
    layers: {
      type: "boolean",
      describe: "Every layer: MACs, milliseconds, which kernel computes it, and why where it is a plain one",
      defaultDescription: "false",
    },
    formulas: {
      type: "boolean",
      describe: "Where the MACs come from: every convolution, and the papers' ways to count",
      defaultDescription: "false",
    },
  },
  examples: [["etl profile runs/gender runs/gender/baseline.onnx", "Pruned and baseline, interleaved"]],
  run: async (args, context) => {
    const { profileFiles } = await import("../../lib/jobs/use/profile.ts");
    const profiles = await profileFiles(texts(args, "models"), {
      ...serviceOf(context),
      runs: number(args, "runs"),
      batch: number(args, "batch"),
      ...saidSizes(args),
      layers: flag(args, "layers"),
    });
    for (const { model, cost, latency, engine, layers } of profiles) {
      context.print(
        `${model} (${engine}, ${plural(latency.threads, "thread")}, n = ${plural(latency.runs, "run")})`,
      );
      context.print(
        table(
          ["part", "MACs", "FLOPs", "parameters", "bytes"],
          (["trunk", "head", "total"] as const).map((part) => {
            const { macs, params, bytes } = cost[part];
            return [part, count(macs), count(2 * macs), count(params), size(bytes)];
          }),
        ),
      );
      context.print(`CPU time a picture: median ${ms(latency.medianMs)}, p95 ${ms(latency.p95Ms)}`);
      if (layers !== undefined) context.print(layerTable(layers, cost));
    }
    if (flag(args, "formulas") === true)
      for (const model of texts(args, "models")) await explainCost(model, args, context);
    return { models: profiles };
  },
};

/** Kernels in the order of a run. The profiler's own time is in them, so shares say more than milliseconds. */
function layerTable(layers: readonly LayerTime[], cost: NetworkCost): string {
  const total = layers.reduce((sum, { ms }) => sum + ms, 0);
  const macs = new Map(cost.layers.map((layer) => [layer.name, layer.macs]));
  return table(
    ["layer", "operator", "MACs", "ms", "share", "kernel"],
    layers.map(({ name, op, ms, kernel, reason }) => [
      name,
      op,
      count(macs.get(name) ?? 0),
      ms.toFixed(3),
      percent(ms / total),
      reason === undefined ? kernel : `${kernel}: ${reason}`,
    ]),
  );
}

/** Convolutions with their formulas, and what separating saves. */
async function explainCost(model: string, args: Arguments, context: Context): Promise<void> {
  const { openNetwork, settled } = await import("../../lib/jobs/run/model.ts");
  const { convolutionCosts, paperCost, separableCosts } = await import("../../lib/network/formulas.ts");
  const { network } = settled(await openNetwork(model), saidSizes(args));
  const rows = convolutionCosts(network).map(
    ({ name, kind, kernel, inputs, outputs, map, formula, macs }) => [
      name,
      kind,
      kernel.join("x"),
      String(inputs),
      String(outputs),
      map.join("x"),
      formula,
      count(macs),
    ],
  );
  context.print(`${model}: D_K kernel, M inputs, N outputs, D_F output map`);
  context.print(table(["convolution", "kind", "D_K", "M", "N", "D_F", "MACs =", "MACs"], rows));
  const { weights, flops, bytes } = paperCost(network);
  context.print(
    `as ETL's Table 1 counts (weights of the convolutions x height x width of the picture, poolings ignored; size: these weights alone): ${flops.toExponential(2)} FLOPS, ${bytes.toExponential(2)} bytes, ${count(weights)} weights`,
  );
  const separable = separableCosts(network);
  const sum = (key: "macs" | "standardMacs"): number => separable.reduce((all, one) => all + one[key], 0);
  if (separable.length === 0) return;
  const share = percent(sum("macs") / sum("standardMacs"));
  context.print(
    `${separable.length} separable convolutions: ${count(sum("macs"))} MACs, ${share} of the ${count(sum("standardMacs"))} of standard ones (1 / N + 1 / D_K^2 each)`,
  );
}
