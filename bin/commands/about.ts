/** Commands that tell: backbones, doctor, report, plan. */
import { availableParallelism, cpus } from "node:os";
import { join } from "node:path";
import { EtlError } from "../../lib/core/errors.ts";
import { writeWhole } from "../../lib/core/files.ts";
import { version } from "../../lib/core/version.ts";
import { flag, text, texts, type Command } from "../command.ts";
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
    const { defaultCacheDir } = await import("../../lib/data/images/cache.ts");
    const { slowDecoder } = await import("../../lib/data/images/decode.ts");
    const { probeCuda, probeEngines } = await import("../../lib/engine/open.ts");
    const engines = await probeEngines();
    const cuda = await probeCuda();
    let block: number | undefined;
    const used = engines.find(({ available }) => available);
    const report = {
      etl: version,
      node: process.version,
      cpu: cpus()[0]?.model ?? "unknown",
      cores: availableParallelism(),
      threads: context.threads ?? availableParallelism(),
      cacheDir: defaultCacheDir(),
      pictures: slowDecoder() ?? "libvips, native",
      engines,
      cuda,
      uses: used?.name ?? null,
    };
    context.print(
      `etl ${version}, Node ${process.version}, ${report.cpu}, ${report.cores} cores, ${report.threads} threads`,
    );
    context.print(`decoded cache: ${report.cacheDir}`);
    context.print(`pictures: ${report.pictures}`);
    for (const engine of engines) {
      context.print(
        `${engine.name}: ${engine.available ? engine.description : `not available, ${engine.reason ?? "reason unknown"}`}`,
      );
    }
    context.print(
      `ort with --device cuda: ${cuda.available ? "available" : `not available, ${cuda.reason ?? "reason unknown"}`}`,
    );
    if (used?.name === "ort") {
      const { openEngine } = await import("../../lib/engine/open.ts");
      const engine = await openEngine({ engine: "ort", threads: 1 });
      block = engine.channelBlock;
      await engine.dispose();
      context.print(`block of channels: ${block} (widths of --round-to auto)`);
    }
    context.print(
      used === undefined
        ? "no engine loads: install again, see docs/troubleshooting.md"
        : `would use: ${used.name}`,
    );
    return { ...report, ...(block !== undefined && { block }) };
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
    const { readRecords, runsOf } = await import("../../lib/jobs/many/records.ts");
    const given = texts(args, "runs");
    const runs = (await Promise.all(given.map(runsOf))).flat();
    const records = await readRecords(runs);
    if (flag(args, "with-images") === true) {
      const { facesOfRun } = await import("../../lib/jobs/prune/faces.ts");
      for (const [i, run] of runs.entries())
        records[i] = { ...records[i], faces: await facesOfRun(run, records[i], context) };
    }
    const out = text(args, "out") ?? (given.length === 1 ? join(given[0], "report.html") : undefined);
    if (out === undefined) {
      throw new EtlError("usage", "report: several runs without --out, the name of the file was needed");
    }
    const { readReportAssets } = await import("../../lib/report/assets.ts");
    const { renderReport } = await import("../../lib/report/report.ts");
    const first = records.length === 1 ? records[0] : undefined;
    await writeWhole(out, renderReport(first ?? records, await readReportAssets()));
    context.print(out);
    return { file: out, runs: records.length };
  },
};
