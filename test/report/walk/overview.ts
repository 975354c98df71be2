/** What stands above the runs of a page of several: means over seeds, every network of every run, what the choice is worth. */
import { spread, wilson } from "../../../lib/math/statistics.ts";
import type { ModelRecord, RunRecord } from "../../../lib/record/record.ts";
import { shortVariant, sweepRows, type SweepRow } from "../../../lib/record/sweep.ts";
import { worthOfSelection } from "../../../lib/record/worth.ts";
import { misstated, textOf, type PageCell, type PageTable } from "./read.ts";
import { holds } from "./costs.ts";
import { accuracyNumbers, baselineOf, isDoubtful, isNumber, timeOver } from "./cells.ts";
import { isTitled } from "./tables.ts";

type Records = readonly RunRecord[];
type Fault = string | undefined;

const isTraining = (record: RunRecord): boolean =>
  record.curves.length === 0 && record.layers.length === 0 && !baselineOf(record);

/** The part before and the part in the last brackets. */
function halves({ text }: PageCell): [string, string | undefined] {
  const found = /^(.*?) ?\(([^()]*)\)$/.exec(text);
  return found ? [found[1], found[2]] : [text, undefined];
}

function measured(
  cell: PageCell,
  value: number | undefined,
  share: number | undefined,
  where: string,
): string[] {
  if (value === undefined) return cell.text === "–" ? [] : [`${where}: “${cell.text}” of nothing`];
  const [main, bracket] = halves(cell);
  const faults: Fault[] = [
    misstated(main.replace(", not reliable", ""), [value]),
    bracket === undefined || bracket === "no clear change"
      ? undefined
      : misstated(bracket, share === undefined ? [] : [share - 1]),
    holds(cell.csv === undefined || Number(cell.csv) === value, `the file has ${cell.csv}, not ${value}`),
  ];
  return faults.flatMap((fault) => (fault ? [`${where}: ${fault}`] : []));
}

/** @returns what is wrong with a table above the runs */
export function overviewTable(table: PageTable, records: Records): string[] {
  if (table.id === "comparison") return comparisonFaults(table, records);
  if (table.id === "table1") return meansFaults(table, records);
  if (table.id === "overlap") return []; // kappa has a test of its own
  return [`${table.id}: a table that nobody holds against the records`];
}

function comparisonFaults(table: PageTable, records: Records): string[] {
  const left = records.flatMap((record, i) =>
    record.models.map((model) => ({ record, model, run: record.title ?? `run ${i + 1}` })),
  );
  const at = (name: RegExp): number => table.columns.findIndex((column) => name.test(column));
  return table.rows
    .flatMap((cells) => {
      const title = cells[at(/^Network$/)].text;
      const k = left.findIndex(({ run, model }) => textOf(run) === cells[0].text && isTitled(title, model));
      if (k < 0) return [`comparison: “${cells[0].text}”, “${title}” is in no record`];
      const [{ record, model }] = left.splice(k, 1);
      const baseline = baselineOf(record);
      const where = `comparison, “${cells[0].text}”, “${title}”`;
      const over = (read: (model: ModelRecord) => number): number | undefined => {
        const whole = baseline && baseline !== model ? read(baseline) : undefined;
        return whole === undefined || whole === read(model) ? undefined : read(model) / whole;
      };
      const { test } = model;
      const faults: Fault[] = [
        holds(cells[at(/^Task$/)].text === record.task.name, "another task"),
        holds(
          at(/^Gamma$/) < 0 ||
            cells[at(/^Gamma$/)].text === (record.curves.length === 0 ? "–" : String(record.gamma)),
          "another gamma",
        ),
        cells[at(/^(Accuracy|Within tolerance)$/)].text === "–"
          ? holds(isNumber(record), "no accuracy")
          : misstated(cells[at(/^(Accuracy|Within tolerance)$/)].text, accuracyNumbers(test)),
        misstated(cells[at(/^Test pictures$/)].text, [test.n]),
      ];
      const balanced = at(/^Balanced accuracy$/);
      if (balanced >= 0 && cells[balanced].text !== "–")
        faults.push(misstated(cells[balanced].text, [test.balancedAccuracy]));
      const kept = at(/^Kept of baseline$/);
      if (kept >= 0 && cells[kept].text !== "–") {
        const whole = baseline?.test.accuracy ?? NaN;
        const { versusBaseline: paired } = model;
        const error = paired
          ? paired.error / whole
          : Math.hypot(test.accuracyError, (test.accuracy / whole) * (baseline?.test.accuracyError ?? NaN)) /
            whole;
        faults.push(
          misstated(cells[kept].text, [test.accuracy / whole, error > 0 ? error : undefined]),
          holds(!isNumber(record), "of numbers"),
        );
      }
      const error = at(/^Mean error$/);
      const time = cells[at(/^CPU time/)];
      const share = isDoubtful(record) || model === baseline ? undefined : timeOver(record, model)?.[0];
      return [
        ...faults.flatMap((fault) => (fault ? [`${where}: ${fault}`] : [])),
        ...(error < 0 || cells[error].text === "–" || cells[error].text === "no finite answers"
          ? []
          : measured(cells[error], test.mae, (test.mae ?? NaN) / (baseline?.test.mae ?? NaN), where)),
        ...measured(
          cells[at(/^MACs$/)],
          model.cost.total.macs,
          over(({ cost }) => cost.total.macs),
          where,
        ),
        ...measured(
          cells[at(/^Parameters$/)],
          model.cost.total.params,
          over(({ cost }) => cost.total.params),
          where,
        ),
        ...measured(
          cells[at(/^Size$/)],
          model.cost.total.bytes,
          over(({ cost }) => cost.total.bytes),
          where,
        ),
        ...measured(time, model.latency?.medianMs, share, where),
        ...(/not reliable/.test(time.text) && !isDoubtful(record)
          ? [`${where}: times that are reliable`]
          : []),
      ];
    })
    .concat(left.map(({ run, model }) => `comparison: “${model.title}” of ${run} is missing`));
}

/** The networks that a row is the mean of. */
function membersOf(row: SweepRow, records: Records): { record: RunRecord; model: ModelRecord }[] {
  return records.flatMap((record) =>
    record.models
      .filter(
        ({ name }) =>
          record.task.name === row.task &&
          record.backbone.name === row.backbone &&
          name === row.network &&
          (row.gamma === undefined || row.gamma === record.gamma),
      )
      .map((model) => ({ record, model })),
  );
}

/** Mean over the seeds, with the deviation, or of one seed with what its test part makes of it. */
function spreadNumbers(
  row: SweepRow,
  found: SweepRow["accuracy"],
  single: number | undefined,
): (number | undefined)[] {
  const error = row.seeds.length > 1 ? found.sd : (single ?? 0);
  return [found.mean, error > 0 ? error : undefined];
}

function accuracyOf(row: SweepRow): (number | undefined)[] {
  const { accuracy, n = 0 } = row.testError ?? {};
  if (row.seeds.length > 1 || accuracy !== 0) return spreadNumbers(row, row.accuracy, accuracy);
  const { low, high } = wilson(row.accuracy.mean, n);
  return [row.accuracy.mean, low, high];
}

function meansFaults(table: PageTable, records: Records): string[] {
  const rows = sweepRows(records);
  if (rows.length !== table.rows.length) return [`table1: ${table.rows.length} rows of ${rows.length}`];
  const at = (name: RegExp): number => table.columns.findIndex((column) => name.test(column));
  return rows.flatMap((row, i) => {
    const cells = table.rows[i];
    const members = membersOf(row, records);
    const where = `table1, ${row.task} ${row.variant} ${row.network} ${row.gamma ?? ""}`;
    const faults: Fault[] = [
      holds(cells[0].text === row.task, "another task"),
      holds(cells[2].text === (row.gamma === undefined ? "–" : String(row.gamma)), "another gamma"),
      misstated(cells[3].text, [row.seeds.length]),
      misstated(cells[at(/^Accuracy$/)].text, accuracyOf(row)),
    ];
    // Where no variant divides them, the members are those of the key: the mean is made here once more.
    if (row.variant === "" && members.length === row.seeds.length) {
      const mean = spread(members.map(({ model }) => model.test.accuracy));
      faults.push(holds(Math.abs(mean.mean - row.accuracy.mean) < 1e-12, "another mean"));
    }
    const kept = at(/^Kept of baseline$/);
    if (kept >= 0 && cells[kept].text !== "–")
      faults.push(
        row.kept
          ? misstated(cells[kept].text, spreadNumbers(row, row.kept, row.testError?.kept))
          : "kept of nothing",
        holds(row.unit === undefined, "a share kept of numbers"),
      );
    const error = at(/^Mean error$/);
    if (error >= 0 && cells[error].text !== "–" && row.mae) {
      const [main, bracket] = halves(cells[error]);
      faults.push(misstated(main, spreadNumbers(row, row.mae, row.testError?.mae)));
      if (bracket !== undefined) faults.push(misstated(bracket, [(row.errorShare?.mean ?? NaN) - 1]));
    }
    return [
      ...faults.flatMap((fault) => (fault ? [`${where}: ${fault}`] : [])),
      ...measured(cells[at(/^FLOPs$/)], 2 * row.macs, row.macsShare, where),
      ...measured(cells[at(/^Size$/)], row.bytes, row.bytesShare, where),
      ...measured(cells[at(/^CPU inference$/)], row.cpuMs, row.cpuShare, where),
    ];
  });
}

/** A sentence of the means: "gamma 0.1: keeps 98 % ± 1 of its baseline's accuracy at 0.46 of the MACs, ...". */
function sentenceFaults(text: string, records: Records): Fault[] | undefined {
  const found =
    /^(.*?): (?:keeps (.*?) of its baseline’s accuracy|off by (.*?) on average(?: \(the baseline by (.*?)\))?)(?: at (.*?) of the MACs)?, (?:mean and standard deviation over (\d+) seeds|one seed(?: \(±: standard error of its test part\))?)\.$/.exec(
      text,
    );
  if (!found) return undefined;
  const [, name, kept, off, baseline, macs, seeds] = found as (string | undefined)[];
  const rows = sweepRows(records);
  const several = new Set(rows.map(({ task }) => task)).size > 1;
  const nameOf = (row: SweepRow): string =>
    [several ? row.task : "", row.gamma === undefined ? "" : `gamma ${row.gamma}`, shortVariant(row.variant)]
      .filter((word) => word !== "")
      .join(", ");
  const row = rows.find((each) => each.network === "pruned" && textOf(nameOf(each)) === name);
  if (!row) return [`“${name}” is no row`];
  const whole = rows.find(
    ({ network, task, backbone }) => network === "baseline" && task === row.task && backbone === row.backbone,
  );
  return [
    misstated(seeds ?? "1", [row.seeds.length]),
    macs === undefined ? undefined : misstated(macs, [row.macsShare]),
    kept === undefined || !row.kept
      ? undefined
      : misstated(kept, spreadNumbers(row, row.kept, row.testError?.kept)),
    off === undefined || !row.mae
      ? undefined
      : misstated(off, spreadNumbers(row, row.mae, row.testError?.mae)),
    baseline === undefined || !whole?.mae
      ? undefined
      : misstated(baseline, spreadNumbers(whole, whole.mae, whole.testError?.mae)),
  ];
}

/** What a choice of filters is worth: the mean, each task's own, and whether chance explains it. */
function worthFaults(text: string, records: Records): Fault[] | undefined {
  const found =
    /^(.*): ([-+].*?|0\.0 points|0 .*?)( of mean absolute error)? (?:on the mean over (\d+) tasks \((.*)\)|\((.*?)\)): (.*)\.$/.exec(
      text,
    );
  if (!found) return undefined;
  const [, title, size, isError, tasks, list, alone, words] = found as (string | undefined)[] as string[];
  const worth = worthOfSelection(records).find(
    (each) =>
      textOf(each.title) === title &&
      (each.measure === "mae") === ((isError as string | undefined) !== undefined),
  );
  if (!worth) return [`“${title}” is no control`];
  const scale = worth.measure === "mae" ? 1 : 100;
  const gain = worth.measure === "mae" ? -worth.difference : worth.difference;
  const right =
    worth.error === undefined
      ? /^one seed/
      : worth.sure !== true
        ? /^within what chance/
        : gain > 0
          ? /^ETL is ahead/
          : /^the control is ahead/;
  const each = (list as string | undefined)?.split("; ") ?? [];
  return [
    misstated(size, [
      scale * worth.difference,
      (worth.error ?? 0) > 0 ? scale * (worth.error ?? 0) : undefined,
    ]),
    (tasks as string | undefined) === undefined
      ? holds(worth.tasks.length === 1, "several tasks")
      : misstated(tasks, [worth.tasks.length]),
    ...each.map((one, i) =>
      misstated(one.slice(worth.tasks[i].task.length), [
        scale * worth.tasks[i].difference,
        worth.tasks[i].seeds,
      ]),
    ),
    (alone as string | undefined) === undefined
      ? undefined
      : misstated(alone.slice(worth.tasks[0].task.length), [worth.tasks[0].seeds]),
    holds(right.test(words), `“${words}”, not ${right.source}`),
  ];
}

/** Texts above the runs; undefined where none of these. */
export function overview(text: string, records: Records): Fault[] | undefined {
  const sentence = sentenceFaults(text, records) ?? worthFaults(text, records);
  if (sentence) return sentence;
  const rules: readonly (readonly [RegExp, (found: readonly string[]) => Fault[]])[] = [
    [/^(\d+) runs compared$/, ([n]) => [misstated(n, [records.length])]],
    [
      /^(\d+) runs on (?:one task|(\d+) tasks) \((.*)\)\.$/,
      ([n, tasks, names]) => {
        const all = [...new Set(records.map(({ task }) => task.name))];
        return [
          ...[misstated(n, [records.length]), misstated(tasks ?? "1", [all.length])],
          holds(names === all.join(", "), `“${names}”, not ${all.join(", ")}`),
        ];
      },
    ],
    [
      /^Accuracy and cost by task and gamma (.*); in brackets: the change against the baseline\.$/,
      ([over]) => {
        const rows = sweepRows(records);
        const most = Math.max(...rows.map(({ seeds }) => seeds.length));
        return [
          most > 1 ? misstated(over, [most]) : holds(over.startsWith("one seed"), `“${over}” of one seed`),
          holds(
            !/of one seed/.test(over) || rows.some(({ seeds }) => seeds.length === 1),
            "no row has one seed",
          ),
        ];
      },
    ],
    [
      /^Not all runs were tested on the same pictures/,
      () => [
        holds(
          new Set(
            records.map(
              ({ dataset, models }) =>
                `${dataset.testFingerprint ?? dataset.fingerprint} ${models[0].test.n}`,
            ),
          ).size > 1,
          "they were",
        ),
      ],
    ],
    [
      /^(?:Accuracy|Quality|Mean error)(?: \(.*\))? against .* for every network of (\d+) runs?\. The table above holds the numbers\.$/,
      ([n]) => [holds(Number(n) <= records.length, "more runs than there are")],
    ],
    [
      /^At gamma (.*), on one backbone\. Kappa .*$/,
      ([gamma]) => [
        holds(
          records.some((record) => record.gamma === Number(gamma)),
          `no run has gamma ${gamma}`,
        ),
      ],
    ],
    [
      /\(the paper’s figure \d\)|100 % is the baseline’s mean absolute error|^± is one standard error of the test set\.|^CPU time: the mean of the runs|^Matrix of|FLOPs are twice the MACs\.$/,
      () => [],
    ],
  ];
  for (const [pattern, rule] of rules) {
    const found = pattern.exec(text);
    if (found) return rule(found.slice(1));
  }
  return records.some((record) => isTraining(record) && text === record.title) ? [] : undefined;
}
