/** Tables whose rows are no networks: layers, knees, labels, groups, mistakes, times. */
import { wilson } from "../../../lib/math/statistics.ts";
import type { RunRecord } from "../../../lib/record/record.ts";
import { cellFaults, none, shown, shownOf, timed, type Expected } from "./cells.ts";
import { misstated, type PageTable } from "./read.ts";

/** Rules of tables whose rows are no networks: expected cells, row by row. */
const byRow: Readonly<Record<string, (record: RunRecord) => readonly (readonly Expected[])[]>> = {
  layers: ({ layers, layerCosts = [] }) =>
    layers.map(({ name, kept, total, reason = "" }) => {
      const cost = layerCosts.find((each) => each.name === name);
      return [
        ...[{ words: name }, shown(kept), shown(total), shown(kept / total)],
        ...(cost
          ? [
              shown(cost.macsBefore),
              {
                numbers: [cost.macsAfter],
                bracket: [cost.macsAfter / cost.macsBefore - 1],
                csv: cost.macsAfter,
              },
              shown(cost.paramsAfter),
            ]
          : []),
        { words: reason },
      ];
    }),
  knees: (record) =>
    record.curves.map((curve) => {
      const isTrain = record.config["rmse"] === "train" || record.curves.some((each) => !each.heldOutRmse);
      const errors = isTrain ? curve.trainRmse : (curve.heldOutRmse ?? []);
      const { knee, stability } = curve;
      return [
        ...[{ words: curve.layer }, { words: curve.tap }, shown(curve.kneeFilters), shown(curve.total)],
        knee < 0 ? { words: "keep all" } : shown(curve.lambdas[knee]),
        ...[errors.at(knee) ?? NaN, Math.min(...errors), Math.max(...errors)].map((value) => ({
          ...shown(value),
          csv: Number(value.toPrecision(5)), // as the page holds curves
        })),
        shown(curve.gap),
        ...(record.curves.some((each) => each.stability !== undefined) ? [shown(stability)] : []),
      ];
    }),
  "labels-table": ({ dataset, task }) => {
    const sum = (part: "train" | "test"): number =>
      task.kind === "multi-label" ? dataset[part] : dataset.labels.reduce((all, row) => all + row[part], 0);
    return dataset.labels.map(({ label, train, test }) => [
      ...[
        { words: label },
        shown(train),
        shown(train / sum("train")),
        shown(test),
        shown(test / sum("test")),
      ],
    ]);
  },
  problems: ({ dataset }) =>
    dataset.problems.map(({ file, problem }) => [{ words: file }, { words: problem }]),
  stages: ({ seconds }) => {
    const all = Object.values(seconds).reduce((sum, time) => sum + time, 0);
    return Object.entries(seconds).map(([stage, time]) => [{ words: stage }, timed(time), shown(time / all)]);
  },
  config: ({ config }) =>
    Object.entries(config).map(([name, value]) => [
      { words: name },
      { words: value === null ? "–" : String(value) },
    ]),
  facts: ({ createdAt, etlVersion, environment, backbone, dataset, task, schema }) =>
    [
      ...[
        createdAt,
        etlVersion,
        environment.engine,
        String(environment.threads),
        environment.node,
        environment.cpu,
      ],
      ...[environment.platform, `${backbone.name} (${backbone.title})`, backbone.fingerprint, dataset.name],
      ...[
        dataset.fingerprint,
        `${task.name} (${task.kind}), column ${task.columns.join(", ")}`,
        String(schema),
      ],
    ].map((words) => [{}, { words }]),
  groups: (record) => {
    const shownModels = shownOf(record);
    const columns = [...new Set((record.groups ?? []).map(({ column }) => column))];
    return columns.flatMap((column) =>
      (record.groups ?? [])
        .filter((group) => group.column === column)
        .map(({ label, n, accuracy }) => [
          ...[{ words: column }, { words: label }, shown(n)],
          ...shownModels.map(({ name }): Expected => {
            const { low, high } = wilson(accuracy[name], n);
            return { numbers: [accuracy[name], low, high], csv: accuracy[name] };
          }),
        ]),
    );
  },
  "calibration-bins": (record) =>
    shownOf(record).flatMap((model) =>
      (model.test.calibration ?? [])
        .filter(({ n }) => n > 0)
        .map(({ n, confidence, accuracy }) => {
          const { low, high } = wilson(accuracy, n);
          return [{}, shown(n), ...[confidence, accuracy, low, high].map(shown)];
        }),
    ),
  attributes: (record) => {
    const rated = shownOf(record).filter(({ test }) => test.perOutput !== undefined);
    return (rated[0]?.test.perOutput ?? []).map(({ name, positives, n }, i) => [
      ...[{ words: name }, { numbers: [positives / n], csv: positives }],
      ...rated.flatMap(({ test }): Expected[] => {
        const own = test.perOutput?.[i];
        return own ? [shown(own.accuracy), own.positives === 0 ? none : shown(own.f1)] : [none, none];
      }),
    ]);
  },
};

/** What is wrong with a table whose rows are no networks. */
export function rowFaults(table: PageTable, name: string, record: RunRecord): string[] {
  if (name.startsWith("confusion-")) return confusionFaults(table, name.slice(10), record);
  const rows = byRow[name]?.(record);
  if (!rows) return [`${table.id}: a table that nobody holds against the record`];
  if (rows.length !== table.rows.length)
    return [`${table.id}: ${table.rows.length} rows, ${rows.length} expected`];
  const sorted = name === "groups" ? sortedLike(rows, table) : rows;
  return table.rows.flatMap((cells, i) =>
    sorted[i].flatMap((expected, k) => {
      const at = visibleAt(table, k);
      return cellFaults(`${table.id}, row ${i + 1}, ${table.columns[at]}`, cells[at], expected);
    }),
  );
}

/** Columns that only the CSV file has stand behind the one that they belong to. */
function visibleAt({ columns }: PageTable, k: number): number {
  const visible = columns.flatMap((name, i) => (/, (standard error|low|high)$/.test(name) ? [] : [i]));
  return visible[k];
}

/** The groups stand in the order of how unlike they are: rows are found by column and label. */
function sortedLike(
  rows: readonly (readonly Expected[])[],
  table: PageTable,
): readonly (readonly Expected[])[] {
  return table.rows.map(
    ([column, label]) =>
      rows.find(([a, b]) => a.words === column.text && b.words === label.text) ?? [
        { words: "a group of the record" },
      ],
  );
}

function confusionFaults(table: PageTable, name: string, record: RunRecord): string[] {
  const model = record.models.find((each) => each.name.replace(/[^a-z0-9]+/gi, "-") === name);
  const matrix = model?.test.confusion ?? [];
  if (matrix.length !== table.rows.length)
    return [`${table.id}: ${table.rows.length} rows of ${matrix.length}`];
  return table.rows.flatMap((cells, i) => {
    const sum = matrix[i].reduce((all, count) => all + count, 0);
    const whole = cellFaults(`${table.id}, ${i}, n`, cells[matrix.length + 1], shown(sum));
    const each = matrix[i].flatMap((count, j) => {
      const [, shownCount, share] = /^([\d,]+) ?(.*)$/.exec(cells[j + 1].text) ?? [];
      const { low, high } = wilson(sum > 0 ? count / sum : 0, sum);
      const expected = i === j ? [count / sum, low, high] : [count / sum];
      const where = `${table.id}, ${i}, ${j}`;
      return [
        ...(Number(shownCount.replaceAll(",", "")) === count
          ? []
          : [`${where}: ${shownCount}, not ${count}`]),
        ...(sum === 0
          ? []
          : [misstated(share, expected)].flatMap((fault) => (fault ? [`${where}: ${fault}`] : []))),
      ];
    });
    return [...whole, ...each];
  });
}
