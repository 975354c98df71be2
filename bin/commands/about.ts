/** Commands that tell: backbones, doctor, report, plan. */
import { existsSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { join } from "node:path";
import { backboneEntries } from "../../lib/backbones/catalogue.ts";
import { EtlError } from "../../lib/core/errors.ts";
import { readJson, writeWhole } from "../../lib/core/files.ts";
import { SCHEMA, type RunRecord } from "../../lib/core/record.ts";
import { defaultCacheDir } from "../../lib/data/cache.ts";
import { probeEngines } from "../../lib/engine/open.ts";
import { version } from "../../lib/pipeline/version.ts";
import { readReportAssets } from "../../lib/report/assets.ts";
import { runsBelow } from "../../lib/pipeline/sweep.ts";
import { renderReport } from "../../lib/report/report.ts";
import { text, texts, type Command } from "../command.ts";
import { table } from "../table.ts";

export const backbonesCommand: Command = {
  usage: "backbones",
  describe: "The backbones that can be named",
  options: {},
  examples: [["etl backbones --json", "For other programs"]],
  run: (_, context) => {
    const entries = backboneEntries().map(({ name, title, preprocessing, weights, source, licence }) => ({
      name,
      title,
      input: `${preprocessing.width}x${preprocessing.height}`,
      weights,
      source,
      licence,
    }));
    context.print(
      table(
        ["name", "what", "input", "weights", "licence"],
        entries.map((e) => [e.name, e.title, e.input, e.weights, e.licence]),
      ),
    );
    return Promise.resolve(entries);
  },
};

export const doctorCommand: Command = {
  usage: "doctor",
  describe: "Which engines load, why the others do not, and what would be used",
  options: {},
  examples: [["etl doctor", "Before a long run"]],
  run: async (_, context) => {
    const engines = await probeEngines();
    const used = engines.find(({ available }) => available);
    const report = {
      etl: version,
      node: process.version,
      cpu: cpus()[0]?.model ?? "unknown",
      cores: availableParallelism(),
      threads: context.threads ?? availableParallelism(),
      cacheDir: defaultCacheDir(),
      engines,
      uses: used?.name ?? null,
    };
    context.print(
      `etl ${version}, Node ${process.version}, ${report.cpu}, ${report.cores} cores, ${report.threads} threads`,
    );
    context.print(`decoded cache: ${report.cacheDir}`);
    for (const engine of engines) {
      context.print(
        `${engine.name}: ${engine.available ? engine.description : `not available, ${engine.reason ?? "reason unknown"}`}`,
      );
    }
    context.print(used === undefined ? "no engine loads: reinstall with npm ci" : `would use: ${used.name}`);
    return report;
  },
};

export const reportCommand: Command = {
  usage: "report <runs..>",
  describe: "Write the report of a run again, or compare several",
  positionals: { runs: { describe: "Run folders, or folders of sweeps", array: true } },
  options: {
    out: { type: "string", describe: "File to write (default: report.html in the run; needed for several)" },
  },
  examples: [
    ["etl report runs/gender", "Render it again"],
    ["etl report runs/a runs/b --out compare.html", "Several runs on one page"],
  ],
  run: async (args, context) => {
    const given = texts(args, "runs");
    const runs = (await Promise.all(given.map(expandSweep))).flat();
    const records = await Promise.all(runs.map(readRecord));
    const out = text(args, "out") ?? (given.length === 1 ? join(given[0], "report.html") : undefined);
    if (out === undefined) {
      throw new EtlError("usage", "report: several runs without --out, the name of the file was needed");
    }
    const first = records.length === 1 ? records[0] : undefined;
    await writeWhole(out, renderReport(first ?? records, await readReportAssets()));
    context.print(out);
    return { file: out, runs: records.length };
  },
};

/** The runs of a sweep; a run itself. */
export async function expandSweep(folder: string): Promise<string[]> {
  if (!existsSync(join(folder, "sweep.json"))) return [folder];
  return (await runsBelow(folder)).map((run) => join(folder, run));
}

export async function readRecord(run: string): Promise<RunRecord> {
  const path = join(run, "record.json");
  if (!existsSync(path)) {
    throw new EtlError("usage", `${run}: no record.json, a finished run was needed`, {
      hint: `try: etl resume ${run}`,
    });
  }
  const record = (await readJson(path)) as Partial<RunRecord> | null;
  if (record?.schema !== SCHEMA || !Array.isArray(record.models) || !Array.isArray(record.curves)) {
    throw new EtlError("format", `${path}: not a run record of schema ${SCHEMA}, one was needed`);
  }
  return { ...(record as RunRecord), title: record.title ?? run };
}
