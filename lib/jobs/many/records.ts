/** Records of finished runs, read back. */
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join, resolve, sep } from "node:path";
import { EtlError, shellWord } from "../../core/errors.ts";
import { readJson } from "../../core/files.ts";
import type { RunRecord } from "../../record/record.ts";
import { checkRecord } from "../../record/schema.ts";
import { runsIn } from "../run/model.ts";
import { needWhole, readRunState } from "../run/state.ts";

/** The record in a run folder. @param title where it has none of its own */
export async function readRecord(run: string, title?: string): Promise<RunRecord> {
  const path = join(run, "record.json");
  if (!existsSync(path)) throw await unfinished(run);
  await needWhole(path);
  const record = await readJson(path);
  checkRecord(record, path);
  const named = record.title ?? title;
  return { ...record, ...(named === undefined ? {} : { title: named }) };
}

/** What is wrong with a folder that has no record, and what gives it one. */
async function unfinished(run: string): Promise<EtlError> {
  const again = `etl resume ${shellWord(run)}`;
  const error = (found: string, hint: string): EtlError =>
    new EtlError("usage", `${run}: ${found}, a finished run was needed`, { hint });
  if (!existsSync(run))
    return error("nothing is there", `check the name; a stopped run goes on with: ${again}`);
  const state = await readRunState(run);
  if (state === undefined)
    return error("no record.json", runsIn(run) ?? "name a run folder of etl prune or etl train");
  if (state.until === undefined) return error("no record.json", `try: ${again}`);
  return error(
    `a run that goes no further than "${state.until}"`,
    "leave it out: a plan, or what the runs of a sweep share",
  );
}

/** The records of some runs; several are titled by what tells their folders apart. */
export async function readRecords(runs: readonly string[]): Promise<RunRecord[]> {
  const names = runs.length > 1 ? distinctTails(runs) : [];
  return Promise.all(runs.map((run, i) => readRecord(run, names[i])));
}

/** The shortest ends of paths, in whole names, that no other of them has: `a/x/1`, `a/y/1`, `b/2` are `x/1`, `y/1`, `2`. */
export function distinctTails(paths: readonly string[]): string[] {
  const parts = paths.map((path) => resolve(path).split(sep));
  const tail = (i: number, length: number): string => parts[i].slice(-length).join("/");
  return paths.map((path, i) => {
    for (let length = 1; length < parts[i].length; length++) {
      const own = tail(i, length);
      if (paths.every((_, j) => j === i || tail(j, length) !== own)) return own;
    }
    return path;
  });
}

/** Run folders with a record below a sweep's folder, relative, sorted. */
export async function runsBelow(out: string): Promise<string[]> {
  const found = await readdir(out, { recursive: true });
  return found
    .filter((path) => path.endsWith("record.json"))
    .map((path) => path.slice(0, -"/record.json".length))
    .filter((path) => path !== "")
    .sort(new Intl.Collator("en", { numeric: true }).compare);
}

/** The runs of a sweep's folder; a run folder itself. */
export async function runsOf(folder: string): Promise<string[]> {
  if (!existsSync(join(folder, "sweep.json"))) return [folder];
  return (await runsBelow(folder)).map((run) => join(folder, run));
}
