/** A page walked from top to bottom: every table, tile and sentence of it that holds a number must follow from the record. */
import type { RunRecord } from "../../../lib/record/record.ts";
import { recordsByTask } from "../../../lib/record/tasks.ts";
import { runTitle } from "../../../lib/report/sections/tradeoff.ts";
import { captions, isNamed, words } from "./captions.ts";
import { overview, overviewTable } from "./overview.ts";
import { misstated, readPage, textOf, type Zone } from "./read.ts";
import { findings } from "./sentences.ts";
import { accuracyNumbers, isDoubtful, isNumber, timeOver } from "./cells.ts";
import { tableFaults } from "./tables.ts";

/** What is false on a page, or held by no rule. */
export function pageFaults(page: string, runs: readonly RunRecord[]): string[] {
  const records = runs.flatMap(recordsByTask);
  return readPage(page, records.length === 1).flatMap((zone) =>
    zone.run === undefined ? overviewFaults(zone, records) : runFaults(zone, records, zone.run),
  );
}

function runFaults(zone: Zone, records: readonly RunRecord[], run: number): string[] {
  const record = records[run];
  const above = records
    .slice(0, run)
    .map((each) => textOf(`The same to the letter as of ${runTitle(each)}, above.`));
  return [
    ...zone.tables.flatMap((table) => tableFaults(table, record)),
    ...tileFaults(zone, record),
    ...zone.texts.flatMap((text) => (above.includes(text) ? [] : textFaults(text, record))),
  ];
}

function textFaults(text: string, record: RunRecord): string[] {
  if (
    /\b(undefined|NaN|null|Infinity)\b|± 0(?![.\d]*[1-9])|(?<![\d.,])1 (pictures|rows|faces|runs|taps|layers)\b/.test(
      text,
    )
  )
    return [`“${text}”`];
  for (const [pattern, rule] of [...findings, ...captions]) {
    const found = pattern.exec(text);
    if (found) return rule(found.slice(1), record).flatMap((fault) => (fault ? [`“${text}”: ${fault}`] : []));
  }
  const given = [...record.notes, ...(record.dataset.read ?? [])].map(textOf);
  const isGiven = given.some((note) => note.toLowerCase() === text.toLowerCase());
  if (isGiven || !/\d/.test(text) || words.some((pattern) => pattern.test(text)) || isNamed(text, record))
    return [];
  return [`“${text}”: no rule holds it`];
}

/** Four numbers to remember, with what they come from. */
function tileFaults({ tiles }: Zone, record: RunRecord): string[] {
  const [baseline, pruned] = ["baseline", "pruned"].map((name) =>
    record.models.find((model) => model.name === name),
  );
  if (!baseline || !pruned) return tiles.map(({ name }) => `a tile “${name}” without two networks`);
  const over = timeOver(record, pruned);
  const isOpen = over?.[1] !== undefined && over[1] <= 1 && (over[2] ?? 1) >= 1;
  const [own, whole] = [pruned, baseline].map(({ cost }) => cost.total);
  const quality = ({ test }: typeof pruned): (number | undefined)[] =>
    !isNumber(record) ? accuracyNumbers(test) : [Number.isFinite(test.mae ?? NaN) ? test.mae : undefined];
  const expected: Record<string, [readonly (number | undefined)[], readonly (number | undefined)[]]> = {
    [isNumber(record) ? "Mean absolute error" : "Accuracy"]: [quality(pruned), quality(baseline)],
    Computation: [[own.macs / whole.macs - 1], [own.macs, whole.macs]],
    Size: [[own.bytes / whole.bytes - 1], [own.bytes, whole.bytes]],
    ...(over && {
      "CPU time per image": [
        isOpen || isDoubtful(record) ? [] : [over[0] - 1],
        [pruned.latency?.medianMs, baseline.latency?.medianMs],
      ],
    }),
  };
  const names = tiles.map(({ name }) => name);
  if (names.join() !== Object.keys(expected).join())
    return [`tiles ${names.join()}, not ${Object.keys(expected).join()}`];
  return tiles.flatMap(({ name, value, from }) =>
    [misstated(value, expected[name][0]), misstated(from, expected[name][1])].flatMap((fault) =>
      fault ? [`tile ${name}: ${fault}`] : [],
    ),
  );
}

/** What stands above the runs of a page of several. */
function overviewFaults(zone: Zone, records: readonly RunRecord[]): string[] {
  return [
    ...zone.tables.flatMap((table) => overviewTable(table, records)),
    ...zone.texts.flatMap((text) => {
      const faults = overview(text, records);
      if (faults !== undefined) return faults.flatMap((fault) => (fault ? [`“${text}”: ${fault}`] : []));
      // The story of each task of one run is told above, too.
      const own = records.map((record) => textFaults(text, record));
      return own.some((found) => found.length === 0) ? [] : own[0];
    }),
  ];
}
