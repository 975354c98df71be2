/** `etl quantize`: int8. */
import { plural } from "../../lib/core/printable.ts";
import { jobTable } from "../../lib/jobs/run/options.ts";
import { int8Table } from "../../lib/jobs/run/int8.ts";
import type { QuantizeResult } from "../../lib/jobs/use/quantize.ts";
import { flag, number, requiredText, serviceOf, text, type Command, type Context } from "../command.ts";
import { cropOption, saidSizes, shown } from "../options.ts";
import { ms, percent, size, table } from "../table.ts";
import { openOptions, replaceOption } from "./shared.ts";

export const quantizeCommand: Command<"quantize"> = {
  usage: "quantize <model>",
  describe: "A float model in bytes (int8): a quarter of the size, faster where it pays",
  positionals: { model: { describe: "Run folder, model file or backbone", type: "string" } },
  options: {
    data: {
      type: "string",
      describe: "Pictures for the ranges: a data set of the model's task, or any folder",
      demandOption: true,
    },
    out: { type: "string", describe: "ONNX file to write", demandOption: true },
    replace: replaceOption,
    calibrate: { type: "number", describe: "Pictures for the ranges", defaultDescription: "128" },
    limit: { type: "number", describe: "Pictures of the data at most", defaultDescription: "2000" },
    ...openOptions,
    crop: shown(jobTable.crop),
    "cache-dir": shown(jobTable.cacheDir),
    "int8-for": shown(int8Table.int8For),
    "int8-tolerance": shown(int8Table.int8Tolerance),
    check: {
      type: "boolean",
      default: true,
      describe: "Stay in floats where int8 is slower or costs quality (--no-check)",
    },
    runs: { type: "number", describe: "Timed runs of each network", defaultDescription: "50" },
  },
  examples: [
    ["etl quantize runs/gender --data ~/celeba --out gender-int8.onnx", "The pruned network of a run"],
    [
      "etl quantize resnet50.onnx --data ~/photos --out resnet50-int8.onnx",
      "Any float model, without labels",
    ],
  ],
  run: async (args, context) => {
    const { quantizeModel } = await import("../../lib/jobs/use/quantize.ts");
    const result = await quantizeModel(requiredText(args, "model"), {
      ...serviceOf(context),
      seed: context.seed,
      data: requiredText(args, "data"),
      out: requiredText(args, "out"),
      replace: flag(args, "replace"),
      ...saidSizes(args),
      crop: cropOption(args),
      calibrate: number(args, "calibrate"),
      limit: number(args, "limit"),
      int8For: text(args, "int8-for") as "auto" | "portable" | "this" | undefined,
      int8Tolerance: number(args, "int8-tolerance"),
      check: flag(args, "check"),
      runs: number(args, "runs"),
      cacheDir: text(args, "cache-dir"),
    });
    show(result, context);
    return result;
  },
};

function show(result: QuantizeResult, context: Context): void {
  const {
    before,
    after,
    latency,
    quantized,
    bits,
    layers,
    inFloat,
    fasterInFloat = [],
    fitted = [],
  } = result;
  const rows = before.map((one, i) => {
    const other = after?.[i];
    const value = (x: number): string => `${x.toFixed(2)} ${one.unit}`;
    return [
      one.what,
      value(one.value),
      other === undefined ? "" : value(other.value),
      `${one.tolerance.toFixed(2)} allowed`,
    ];
  });
  if (latency) {
    const [float, int8] = [latency.before.medianMs, latency.after.medianMs];
    rows.push(["CPU time", ms(float), ms(int8), percent(int8 / float)]);
  }
  rows.push([
    "file",
    size(result.bytesBefore),
    size(result.bytesAfter),
    percent(result.bytesAfter / result.bytesBefore),
  ]);
  context.print(table(["", "float", "int8", ""], rows));
  const floats = inFloat.length > 0 ? `; ${inFloat.join(", ")} in floats, as they cost most` : "";
  const fast =
    fasterInFloat.length > 0
      ? `; ${fasterInFloat.join(", ")} on kernels of floats, which are faster there`
      : "";
  const fits = fitted.length > 0 ? `; ${fitted.join(", ")} fitted to the answers in floats` : "";
  context.print(
    quantized
      ? `${plural(layers, "layer")} in bytes, weights of ${bits ?? 8} bits${fast}${floats}${fits}`
      : `stays in floats: ${result.reason ?? ""}`,
  );
  context.print(result.out);
}
