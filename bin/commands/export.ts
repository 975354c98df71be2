/** Commands that hand a model on: export, demo. */
import { plural } from "../../lib/core/printable.ts";
import { exportFormats, namedFormat, refuseIdle, type ExportFormat } from "../../lib/formats/names.ts";
import { precisions, type Precision } from "../../lib/formats/web/layout.ts";
import type { ExportOptions } from "../../lib/jobs/use/export.ts";
import { flag, number, requiredText, serviceOf, text, type Arguments, type Command } from "../command.ts";
import { saidSizes } from "../options.ts";
import { size } from "../table.ts";
import { modelPositional, replaceOption, openOptions } from "./shared.ts";

const stripOption = {
  type: "boolean",
  default: false,
  describe: "Leave out which data, options and versions the model was made from",
} as const;

const precisionOption = {
  choices: precisions,
  describe: "How a page stores the weights: 4, 2 or 1 byte each",
  defaultDescription: "float16",
} as const;

export const exportCommand: Command<"export"> = {
  usage: "export <model>",
  describe: "Write a model in another format, or as a page that finds faces and answers",
  positionals: modelPositional,
  options: {
    format: {
      choices: exportFormats,
      describe: "File format; web: a folder that is a page",
      defaultDescription: "by the ending of --out: .onnx, .json for tfjs, .safetensors for the weights alone",
    },
    strip: stripOption,
    out: { type: "string", describe: "File to write; for tfjs model.json or a folder", demandOption: true },
    replace: replaceOption,
    for: {
      choices: ["portable", "onnxruntime"] as const,
      describe: "The graph of an ONNX file: plain and folded, or what is faster in onnxruntime, measured",
      defaultDescription: "portable",
    },
    ...openOptions,
    precision: precisionOption,
  },
  examples: [
    ["etl export runs/gender --format onnx --out gender.onnx", "One file that any ONNX runtime runs"],
    ["etl export runs/small --out small.safetensors", "The weights alone, as PyTorch calls them"],
    [
      "etl export runs/gender --format tfjs --out web/gender",
      "model.json for tf.loadLayersModel in a browser",
    ],
    ["etl export runs/gender --format web --out demo", "A page for any web server; works offline"],
  ],
  run: async (args, context) => {
    const out = requiredText(args, "out");
    const model = requiredText(args, "model");
    const format = (text(args, "format") as ExportFormat | undefined) ?? namedFormat(out);
    const isGiven = (name: string): boolean => args[name] !== undefined && args[name] !== false;
    if (format !== undefined) refuseIdle(Object.keys(args).filter(isGiven), format, out);
    if (format === "web") {
      const { exportPage } = await import("../../lib/jobs/use/web.ts");
      const page = await exportPage(model, out, { ...pageOptions(args), replace: flag(args, "replace") });
      context.print(`${page.file}: ${size(page.bytes)} in ${plural(page.files.length, "file")}`);
      context.print(`to look at it: etl demo ${out}`);
      return page;
    }
    const { exportModel, exportWeights } = await import("../../lib/jobs/use/export.ts");
    if (format === "safetensors")
      return said(await exportWeights(model, out, { replace: flag(args, "replace") }));
    const written = said(
      await exportModel(model, out, {
        ...serviceOf(context),
        format,
        strip: flag(args, "strip"),
        replace: flag(args, "replace"),
        exportFor: text(args, "for") as ExportOptions["exportFor"],
        ...saidSizes(args),
      }),
    );
    const layers = written.files.find((file) => file.endsWith("layers.js"));
    if (layers !== undefined)
      context.print(
        `${layers}: layers that TensorFlow.js does not bring; its first lines say how to register them`,
      );
    return written;

    function said<Written extends { readonly file: string; readonly bytes: number }>(
      written: Written,
    ): Written {
      context.print(`${written.file}: ${size(written.bytes)}`);
      return written;
    }
  },
};

function pageOptions(args: Arguments) {
  return {
    precision: text(args, "precision") as Precision | undefined,
    strip: flag(args, "strip"),
    ...saidSizes(args),
  };
}

export const demoCommand: Command<"demo"> = {
  usage: "demo <model>",
  describe: "Show a model in the browser: photographs or the camera, on this machine alone",
  positionals: {
    model: {
      describe: "Run folder, model file, backbone, or a folder of export --format web",
      type: "string",
    },
  },
  options: {
    port: { type: "number", describe: "Port on 127.0.0.1", defaultDescription: "any free one" },
    precision: precisionOption,
    ...openOptions,
  },
  examples: [["etl demo runs/gender", "Prints an address; open it, Ctrl-C ends it"]],
  run: async (args, context) => {
    const { demo } = await import("../../lib/jobs/use/demo.ts");
    return demo(requiredText(args, "model"), {
      ...pageOptions(args),
      port: number(args, "port"),
      signal: context.signal,
      onAddress: (address) => {
        context.print(`${address} (Ctrl-C ends it)`);
      },
    });
  },
};
