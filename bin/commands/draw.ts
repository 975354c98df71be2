/** Command draw: drawn faces as files. */
import { plural } from "../../lib/core/printable.ts";
import { EtlError } from "../../lib/core/errors.ts";
import { number, requiredText, type Command } from "../command.ts";

export const drawCommand: Command<"draw"> = {
  usage: "draw <count>",
  describe: "Drawn faces with labels as picture files, to try the program with",
  positionals: { count: { describe: "How many", type: "string" } },
  options: {
    out: { type: "string", describe: "New folder: pictures, labels.csv, dataset.json", demandOption: true },
    size: { type: "number", describe: "Side of the pictures in pixels", defaultDescription: "224" },
  },
  examples: [["etl draw 20 --out faces", "Then for example: etl evaluate runs/first --data faces"]],
  run: async (args, context) => {
    const asked = requiredText(args, "count");
    if (!/^\d+$/.test(asked))
      throw new EtlError("usage", `etl draw: ${JSON.stringify(asked)} faces, a whole number was needed`);
    const { drawFaces } = await import("../../lib/jobs/use/draw.ts");
    const { progress, signal } = context;
    const drawing = await drawFaces(Number(asked), requiredText(args, "out"), {
      ...{ progress, signal },
      size: number(args, "size"),
    });
    context.print(
      `${plural(drawing.pictures, "face")} (labels: ${drawing.labels.join(", ")}) -> ${drawing.folder}`,
    );
    return drawing;
  },
};
