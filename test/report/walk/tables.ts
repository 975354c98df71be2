/** Tables that have a row for each network of a run. */
import { median } from "../../../lib/math/statistics.ts";
import type { Metrics, ModelRecord, RunRecord } from "../../../lib/record/record.ts";
import {
  accuracyNumbers,
  baselineOf,
  cellFaults,
  finite,
  isDoubtful,
  none,
  shown,
  timed,
  timeOver,
  versusBaseline,
  type Expected,
} from "./cells.ts";
import { misstated, type PageTable } from "./read.ts";
import { rowFaults } from "./rows.ts";

type Rule = (record: RunRecord, model: ModelRecord) => Expected;

const isUntrained = ({ history, bestEpoch }: ModelRecord): boolean => history.length > 1 && bestEpoch === 0;

function change(record: RunRecord, model: ModelRecord, read: (model: ModelRecord) => number): Expected {
  const baseline = baselineOf(record);
  const [own, whole] = [read(model), baseline && read(baseline)];
  const bracket = whole === undefined || own === whole ? undefined : [own / whole - 1];
  return { numbers: [own], ...(bracket && { bracket }), csv: own };
}

const error = (difference: [number, number] | undefined): number[] | undefined =>
  difference?.filter((value, i) => i === 0 || value > 0);

const scores = (read: (test: Metrics) => number | undefined): Rule => {
  return (_, { test }) => shown(isAbsent(test) ? undefined : read(test));
};

/** Whether a class has no test picture, so that means over classes are not shown. */
function isAbsent({ confusion, perOutput }: Metrics): boolean {
  if (perOutput) return perOutput.some(({ positives, n }) => positives === 0 || positives === n);
  return (confusion ?? []).some((row) => row.every((count) => count === 0));
}

/** Rules by table and column, of tables that have a row for each network. */
const byNetwork: Readonly<Record<string, readonly (readonly [RegExp, Rule])[]>> = {
  results: [
    [/^Accuracy$/, (_, { test }) => ({ numbers: accuracyNumbers(test), csv: test.accuracy })],
    [
      /^Mean error/,
      (record, model) => {
        const { mae } = model.test;
        if (!finite(mae)) return { words: "no finite answers" };
        const bracket = model.name === "baseline" ? undefined : error(versusBaseline(record, model));
        return { numbers: [mae], ...(bracket && { bracket }), csv: mae };
      },
    ],
    [/^MACs$/, (record, model) => change(record, model, ({ cost }) => cost.total.macs)],
    [/^FLOPs$/, (record, model) => change(record, model, ({ cost }) => 2 * cost.total.macs)],
    [/^Parameters$/, (record, model) => change(record, model, ({ cost }) => cost.total.params)],
    [/^Size$/, (record, model) => change(record, model, ({ cost }) => cost.total.bytes)],
    [
      /^CPU time per image$/,
      (record, model) => {
        if (!model.latency) return none;
        const share = isDoubtful(record) || model.name === "baseline" ? undefined : timeOver(record, model);
        const bracket = share?.map((value) => value && value - 1);
        return {
          numbers: [model.latency.medianMs],
          ...(bracket && { bracket }),
          csv: model.latency.medianMs,
        };
      },
    ],
  ],
  cost: [
    [/^MACs, trunk/, (_, { cost }) => shown(cost.trunk.macs)],
    [/^MACs, head/, (_, { cost }) => shown(cost.head.macs)],
    [/^Parameters, trunk/, (_, { cost }) => shown(cost.trunk.params)],
    [/^Parameters, head/, (_, { cost }) => shown(cost.head.params)],
    [/^ONNX file/, (_, { fileBytes }) => shown(fileBytes)],
    [/^CPU time, 95th/, (_, { latency }) => shown(latency?.p95Ms)],
    [
      /^Accuracy against baseline/,
      (record, { versusBaseline: kept }) =>
        kept && baselineOf(record)
          ? {
              numbers: [100 * kept.difference, kept.error > 0 ? 100 * kept.error : undefined],
              csv: kept.difference,
            }
          : none,
    ],
    [
      /^Mean error against baseline/,
      (record, model) => {
        const difference = model.versusBaseline?.mae && versusBaseline(record, model);
        return difference ? { numbers: error(difference) ?? [], csv: difference[0] } : none;
      },
    ],
  ],
  "paper-cost": [
    [/^FLOPS/, (_, { paperCost }) => shown(paperCost?.flops)],
    [/^Size/, (_, { paperCost }) => shown(paperCost?.bytes)],
  ],
  epochs: [
    [/^Epochs$/, (_, { history }) => shown(history.filter(({ epoch }) => epoch > 0).length)],
    [/^Kept epoch$/, (_, { bestEpoch }) => shown(bestEpoch)],
    [/^Validation loss at epoch 0/, (_, model) => shown(epochOf(model, 0)?.valLoss)],
    [/^loss at the kept epoch/, (_, model) => shown(epochOf(model, model.bestEpoch)?.valLoss)],
    [/^Validation accuracy at epoch 0/, (_, model) => shown(epochOf(model, 0)?.valAccuracy)],
    [/^accuracy at the kept epoch/, (_, model) => shown(epochOf(model, model.bestEpoch)?.valAccuracy)],
    [/^Learning rate$/, (_, { learningRate }) => shown(learningRate)],
    [
      /^Time per epoch$/,
      (_, { history }) => {
        const seconds = median(history.filter(({ epoch }) => epoch > 0).map((epoch) => epoch.seconds));
        return seconds === undefined ? none : timed(seconds);
      },
    ],
  ],
  scores: [
    [
      /^(Test accuracy|Within [^,]*)$/,
      (_, { test }) => ({ numbers: accuracyNumbers(test), csv: test.accuracy }),
    ],
    [/^Balanced accuracy$/, scores((test) => test.balancedAccuracy)],
    [/^F1$/, scores((test) => test.f1)],
    [/^Precision$/, scores((test) => test.precision)],
    [/^Recall$/, scores((test) => test.recall)],
    [/^Mean absolute error/, scores((test) => test.mae)],
    [/^RMSE/, scores((test) => test.rmse)],
    [/^Correlation$/, scores((test) => test.correlation)],
    [
      /^(Validation accuracy|Within .*, validation)$/,
      (_, { validation }) =>
        validation ? { numbers: accuracyNumbers(validation), csv: validation.accuracy } : none,
    ],
    [/^n test$/, (_, { test }) => shown(test.n)],
  ],
};

function epochOf(
  { history }: ModelRecord,
  at: number | undefined,
): ModelRecord["history"][number] | undefined {
  return history.find(({ epoch }) => epoch === at);
}

/** What is wrong with a table of a run. */
export function tableFaults(table: PageTable, record: RunRecord): string[] {
  const name = table.id.replace(/^run\d*-/, "");
  const own = byNetwork[name];
  return own ? networkFaults(table, record, own) : rowFaults(table, name, record);
}

function networkFaults(
  table: PageTable,
  record: RunRecord,
  rules: readonly (readonly [RegExp, Rule])[],
): string[] {
  const seen = new Set<ModelRecord>();
  const faults = table.rows.flatMap((cells) => {
    const model = record.models.find((each) => !seen.has(each) && isTitled(cells[0].text, each));
    if (!model) return [`${table.id}: a row of “${cells[0].text}”, which is no network of the record`];
    seen.add(model);
    return table.columns.flatMap((column, i) => {
      const within = /^Within ([\d.,]+)/.exec(column)?.[1];
      const tolerance = record.task.tolerance ?? model.test.tolerance;
      if (within !== undefined && misstated(within, [tolerance]))
        return [`${table.id}: ${column}, not ${tolerance}`];
      if (i === 0 || /, (standard error|low|high)$/.test(column) || /^cpu over baseline/.test(column))
        return [];
      const rule = rules.find(([pattern]) => pattern.test(column))?.[1];
      const where = `${table.id}, “${cells[0].text}”, ${column}`;
      return rule ? cellFaults(where, cells[i], rule(record, model)) : [`${where}: no rule`];
    });
  });
  const needed = record.models.filter(({ history, paperCost }) =>
    table.id.endsWith("-epochs")
      ? history.length > 0
      : !table.id.endsWith("paper-cost") || paperCost !== undefined,
  );
  return [
    ...faults,
    ...(seen.size === needed.length ? [] : [`${table.id}: ${seen.size} of ${needed.length} networks`]),
  ];
}

/** Whether a heading names a network: with what it was before training, and no more than that. */
export function isTitled(heading: string, model: ModelRecord): boolean {
  const suffix = isUntrained(model) ? "; not fine-tuned: no epoch was better" : "";
  const title = heading.replace("; not fine-tuned: no epoch was better", "");
  if (heading !== title && suffix === "") return false;
  return [model.title, model.title.replace(", fine-tuned", "")].includes(title);
}
