/** Command align: raw photos become aligned crops. */
import { flag, number, requiredText, serviceOf, type Command } from "../command.ts";
import { replaceOption } from "./shared.ts";

/** Pictures left out that are printed one by one. */
const SHOWN = 10;

export const alignCommand: Command<"align"> = {
  usage: "align <dir> <out>",
  describe: "Aligned face crops from raw photos, labels carried over",
  positionals: {
    dir: { describe: "Folder of photos, with or without labels", type: "string" },
    out: { describe: "Another folder, for crops, labels.csv, dataset.json, align.json", type: "string" },
  },
  options: {
    size: { type: "number", describe: "Side of the crops in pixels", defaultDescription: "150" },
    padding: {
      type: "number",
      describe: "Room around the face, in its widths",
      defaultDescription: "0.25, that of face-resnet",
    },
    "min-score": {
      type: "number",
      describe: "How sure the detector must be, in (0, 1)",
      defaultDescription: "0.5",
    },
    landmarks: {
      type: "boolean",
      describe: "Write the 68 landmarks as labels x0, y0, ... (for dmm-cnn)",
      defaultDescription: "false",
    },
    replace: { ...replaceOption, describe: "Make crops of other settings in the folder again" },
  },
  examples: [
    ["etl align ~/photos ~/faces", "Then etl prune --data ~/faces ..."],
    ["etl align ~/photos ~/faces-224 --size 224 --padding 0.5", "Larger, with more room around the face"],
  ],
  run: async (args, context) => {
    const { alignFolder } = await import("../../lib/align/folder.ts");
    const result = await alignFolder(requiredText(args, "dir"), requiredText(args, "out"), {
      ...serviceOf(context),
      size: number(args, "size"),
      padding: number(args, "padding"),
      minScore: number(args, "min-score"),
      landmarks: flag(args, "landmarks"),
      replace: flag(args, "replace"),
    });
    const { folder, pictures, aligned, kept, leftOut } = result;
    for (const { file, problem } of leftOut.slice(0, SHOWN)) context.print(`left out: ${file}: ${problem}`);
    if (leftOut.length > SHOWN) {
      context.print(`... and ${leftOut.length - SHOWN} more, see ${folder}/align.json`);
    }
    const before = kept === 0 ? "" : ` (${kept} of the pictures were done before)`;
    context.print(`${aligned} of ${pictures} pictures -> ${folder}${before}`);
    return result;
  },
};
