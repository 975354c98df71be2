/** Commands that tell: backbones, doctor, report. */
import { flag, serviceOf, text, texts, type Command } from "../command.ts";
import { pruneTable } from "../../lib/jobs/prune/options.ts";
import { shown } from "../options.ts";
import { table } from "../table.ts";

export const backbonesCommand: Command<"backbones"> = {
  usage: "backbones",
  describe: "The networks that can be named, and what each is for",
  options: {},
  examples: [["etl backbones --json", "For other programs"]],
  run: async (_, context) => {
    const { nets } = await import("../../lib/backbones/entries.ts");
    const entries = nets.map(({ name, title, use, preprocessing, weights, source, licence, training }) => ({
      name,
      title,
      use,
      input: `${preprocessing.width}x${preprocessing.height}`,
      weights,
      trains: training !== undefined,
      source,
      licence,
    }));
    context.print(
      table(
        ["name", "what", "for", "input", "weights", "etl train", "licence"],
        entries.map((e) => [
          e.name,
          e.title,
          e.use,
          e.input,
          e.weights,
          e.trains ? "from nothing" : "-",
          e.licence,
        ]),
      ),
    );
    return { backbones: entries };
  },
};

export const doctorCommand: Command<"doctor"> = {
  usage: "doctor",
  describe: "Which engines load, why the others do not, and what would be used",
  options: {},
  examples: [["etl doctor", "Before a long run"]],
  run: async (_, context) => {
    const { examineMachine } = await import("../../lib/jobs/use/doctor.ts");
    const report = await examineMachine(context.threads);
    const { node, cpu, cores, threads, engines, cuda, uses, block } = report;
    const because = ({ reason = "reason unknown" }: { readonly reason?: string }): string =>
      `not available, ${reason}`;
    context.print(`etl ${report.etl}, Node ${node}, ${cpu}, ${cores} cores, ${threads} threads`);
    context.print(`decoded cache: ${report.cacheDir}`);
    context.print(`pictures: ${report.pictures}`);
    for (const engine of engines)
      context.print(`${engine.name}: ${engine.available ? engine.description : because(engine)}`);
    context.print(`ort with --device cuda: ${cuda.available ? "available" : because(cuda)}`);
    if (block !== undefined) context.print(`block of channels: ${block} (widths of --round-to auto)`);
    context.print(
      uses === null ? "no engine loads: install again, see docs/troubleshooting.md" : `would use: ${uses}`,
    );
    return report;
  },
};

export const reportCommand: Command<"report"> = {
  usage: "report <runs..>",
  describe: "Write the report of a run again, or compare several",
  positionals: { runs: { describe: "Run folders, or folders of sweeps", array: true } },
  options: {
    out: {
      type: "string",
      describe: "File to write",
      defaultDescription: "report.html in the run; needed for several",
    },
    "with-images": shown(pruneTable.withImages),
  },
  examples: [
    ["etl report runs/gender", "Render it again"],
    ["etl report runs/a runs/b --out compare.html", "Several runs on one page"],
    ["etl report runs/gender --with-images --out faces.html", "With the faces that filters respond to"],
  ],
  run: async (args, context) => {
    const { writeReportOf } = await import("../../lib/jobs/many/pages.ts");
    const page = await writeReportOf(texts(args, "runs"), {
      ...serviceOf(context),
      out: text(args, "out"),
      withImages: flag(args, "with-images"),
    });
    context.print(page.file);
    return page;
  },
};
