/** Pages of runs that are there: the report of one again, or several side by side. */
import { join, resolve } from "node:path";
import { EtlError } from "../../core/errors.ts";
import { silent } from "../../core/progress.ts";
import { writeChanged } from "../../core/files.ts";
import { writeSpare } from "../../core/spare.ts";
import type { ServiceOptions } from "../../engine/service.ts";
import { absentNotes } from "../../record/absent.ts";
import type { RunRecord } from "../../record/record.ts";
import { recordsByTask } from "../../record/tasks.ts";
import { readReportAssets } from "../../report/assets.ts";
import { isReport, renderReport } from "../../report/report.ts";
import { withLinks } from "../run/links.ts";
import { facesOfRun } from "../prune/faces.ts";
import { comparedNetworks, timedTogether, type ComparedNetwork } from "./compare.ts";
import { readRecords, runsOf } from "./records.ts";

interface ReportPageOptions extends ServiceOptions {
  /** File to write; default: `report.html` in the run, where there is one. */
  readonly out?: string | undefined;
  /** Show the faces that filters respond to. */
  readonly withImages?: boolean | undefined;
}

/**
 * Writes the report of a run again, or one page of several.
 *
 * @param given run folders, or folders of sweeps
 * @throws EtlError `usage` for several without a file, or where one is no run
 */
export async function writeReportOf(
  given: readonly string[],
  { out, withImages, ...service }: ReportPageOptions = {},
): Promise<{ readonly file: string; readonly runs: number }> {
  const file = out ?? (given.length === 1 ? join(given[0], "report.html") : undefined);
  if (file === undefined) {
    throw new EtlError("usage", "report: several runs without --out, the name of the file was needed");
  }
  const runs = await allRuns(given);
  const records = await readRecords(runs);
  if (withImages === true) {
    const { progress = silent, signal } = service;
    const told = { progress, ...(signal !== undefined && { signal }) };
    for (const [i, run] of runs.entries())
      records[i] = { ...records[i], faces: await facesOfRun(run, records[i], told) };
  }
  await writePage(file, { runs, records, own: given.length === 1 ? given[0] : undefined });
  return { file, runs: records.length };
}

interface CompareOptions extends ServiceOptions {
  /** Page to write; default: none. */
  readonly out?: string | undefined;
  /** Take all CPU times again, interleaved: those of different runs do not compare. */
  readonly time?: boolean | undefined;
}

/** What {@link compareRuns} found. */
interface Compared {
  readonly networks: readonly ComparedNetwork[];
  /** Figures that are not shown, and why. */
  readonly notes: readonly string[];
  readonly file?: string;
}

/**
 * The networks of several runs side by side.
 *
 * @param given run folders of `prune` and `train`, or folders of sweeps
 * @throws EtlError `usage` where there is no network among them
 */
export async function compareRuns(
  given: readonly string[],
  { out, time, ...service }: CompareOptions = {},
): Promise<Compared> {
  const folders = await allRuns(given);
  const read = await readRecords(folders);
  const records = time === true ? await timedTogether(folders, read, service) : read;
  const networks = comparedNetworks(records);
  if (networks.length === 0) {
    throw new EtlError("usage", "compare: runs without networks, at least one network was needed");
  }
  const notes = absentNotes(records.flatMap(recordsByTask));
  if (out === undefined) return { networks, notes };
  await writePage(out, { runs: folders, records });
  return { networks, notes, file: out };
}

async function allRuns(given: readonly string[]): Promise<string[]> {
  return (await Promise.all(given.map(runsOf))).flat();
}

/** One run is its report; several are compared. @param page what stands on it; `own`: the run whose report it is */
async function writePage(
  file: string,
  page: {
    readonly runs: readonly string[];
    readonly records: readonly RunRecord[];
    readonly own?: string | undefined;
  },
): Promise<void> {
  const { runs, records, own } = page;
  const assets = await readReportAssets();
  const linked = records.map((record, i) => withLinks(record, runs[i], file));
  const text = renderReport(linked.length === 1 ? linked[0] : linked, assets);
  const isOwn = own !== undefined && resolve(file) === resolve(own, "report.html");
  if (isOwn) await writeChanged(file, text);
  // Pages can be made again from their runs.
  else
    await writeSpare(new Map([[file, new TextEncoder().encode(text)]]), {
      mayGo: (page) => isReport(Buffer.from(page.subarray(0, 8000)).toString()),
      hint,
    });
}

const hint = "choose another --out";
