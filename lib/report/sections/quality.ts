/** What kind of mistakes are made: scores, confusion matrices, calibration, attributes. */
import { accuracyCell, networkTitle, toleranceText } from "./facts.ts";
import { absentNotes, shownMetrics } from "../../record/absent.ts";
import { measureOf } from "../../record/measure.ts";
import { orderedModels } from "../../record/models.ts";
import type { Metrics, ModelRecord, RunRecord } from "../../record/record.ts";
import { wilson } from "../../math/statistics.ts";
import { html, type Markup } from "../escape.ts";
import { formatCount, formatDigits, formatRange, formatShareOf } from "../format.ts";
import { calibrationPart } from "./calibration.ts";
import { groupsPart } from "./groups.ts";
import type { Scope, Section } from "../section.ts";
import { renderTable, textCell, type Cell, type Column } from "../tables.ts";

interface Score {
  readonly label: string;
  readonly read: (metrics: Metrics) => number | undefined;
  readonly show: (value: number, n: number) => string;
}

function scoresOf(unit: string): readonly Score[] {
  const digits = (value: number): string => formatDigits(value, 3);
  const suffix = unit === "" ? "" : `, ${unit}`;
  return [
    { label: "Balanced accuracy", read: (m) => m.balancedAccuracy, show: formatShareOf },
    { label: "F1", read: (m) => m.f1, show: formatShareOf },
    { label: "Precision", read: (m) => m.precision, show: formatShareOf },
    { label: "Recall", read: (m) => m.recall, show: formatShareOf },
    { label: `Mean absolute error${suffix}`, read: (m) => m.mae, show: digits },
    { label: `RMSE${suffix}`, read: (m) => m.rmse, show: digits },
    { label: "Correlation", read: (m) => m.correlation, show: digits },
  ];
}

/** What the hit rate of numbers is a share of: "Within 5 years". */
function accuracyHead(record: RunRecord): string {
  return `Within ${toleranceText(record)}`;
}

function scoreTable(scope: Scope, models: readonly ModelRecord[]): Markup {
  const isError = measureOf(scope.record.task).name === "mae";
  const scores = scoresOf(scope.record.task.unit ?? "").filter((score) =>
    models.some((model) => score.read(shownMetrics(model.test)) !== undefined),
  );
  const columns: Column[] = [
    { label: "Network", wide: true },
    { label: isError ? accuracyHead(scope.record) : "Test accuracy", numeric: true, csv: "test accuracy" },
    ...scores.map((score) => ({ label: score.label, numeric: true })),
    {
      label: isError ? `${accuracyHead(scope.record)}, validation` : "Validation accuracy",
      numeric: true,
      csv: "validation accuracy",
    },
    { label: "n test", numeric: true },
  ];
  return renderTable({
    id: `${scope.id}-scores`,
    caption: "Scores on the test part",
    columns,
    rows: models.map((model) => ({
      strong: model.name === "pruned",
      cells: [
        textCell(networkTitle(model)),
        accuracyCell(model.test),
        ...scores.map((score): Cell => {
          const value = score.read(shownMetrics(model.test));
          return Number.isFinite(value) && value !== undefined
            ? textCell(score.show(value, model.test.n), value)
            : textCell("–", "");
        }),
        model.validation ? accuracyCell(model.validation) : textCell("–", ""),
        textCell(formatCount(model.test.n), model.test.n),
      ],
    })),
    ...noteOf(absentNotes([scope.record])),
  });
}

function noteOf(notes: readonly string[]): { readonly note?: string } {
  return notes.length === 0 ? {} : { note: `${notes.join("; ")}.` };
}

/** A share of a row; what was right with its interval. */
function shareOf(count: number, sum: number, right: boolean): string {
  if (sum === 0) return "–";
  return right ? formatRange(count / sum, wilson(count / sum, sum)) : formatShareOf(count / sum, sum);
}

/** Truth against prediction of one network; the bar is the share of the row. */
function confusionTable(scope: Scope, model: ModelRecord): Markup | undefined {
  const matrix = model.test.confusion;
  if (!matrix) return undefined;
  const classes = matrix.map((_, i) => scope.record.task.classes[i] ?? `class ${i}`);
  return renderTable({
    id: `${scope.id}-confusion-${model.name.replace(/[^a-z0-9]+/gi, "-")}`,
    caption: html`${networkTitle(model)}: truth against prediction
      <span>Rows are the truth; shares are of the row.</span>`,
    columns: [
      { label: "truth", csv: "truth \\ prediction" },
      ...classes.map((name) => ({ label: `“${name}”`, csv: name, numeric: true })),
      { label: "n", numeric: true },
    ],
    rows: matrix.map((row, i) => {
      const sum = row.reduce((total, count) => total + count, 0);
      return {
        cells: [
          textCell(classes[i]),
          ...row.map((count, j) => ({
            show: html`${formatCount(count)} <small class="change">${shareOf(count, sum, i === j)}</small>`,
            csv: count,
            bar: sum > 0 ? count / sum : 0,
          })),
          textCell(formatCount(sum), sum),
        ],
      };
    }),
    note: "In brackets: Wilson’s 95 % interval, from the n faces of that truth.",
  });
}

function attributesTable(scope: Scope, models: readonly ModelRecord[]): Markup | undefined {
  const rated = models.filter((model) => model.test.perOutput && model.test.perOutput.length > 0);
  const first = rated[0]?.test.perOutput;
  if (!first) return undefined;
  return renderTable({
    id: `${scope.id}-attributes`,
    caption: "Every attribute",
    tall: true,
    columns: [
      { label: "Attribute" },
      { label: "Positives", numeric: true },
      ...rated.flatMap((model) => [
        { label: `Accuracy, ${model.title}`, numeric: true },
        { label: `F1, ${model.title}`, numeric: true },
      ]),
    ],
    rows: first.map((output, i) => ({
      cells: [
        textCell(output.name),
        textCell(formatShareOf(output.positives / Math.max(1, output.n), output.n), output.positives),
        ...rated.flatMap((model): Cell[] => {
          const value = model.test.perOutput?.[i];
          if (!value) return [textCell("–", ""), textCell("–", "")];
          return [
            { show: formatShareOf(value.accuracy, value.n), csv: value.accuracy, bar: value.accuracy },
            value.positives === 0 ? textCell("–", "") : textCell(formatShareOf(value.f1, value.n), value.f1),
          ];
        }),
      ],
    })),
  });
}

/** Scores, confusion, calibration, attributes: what the task and the run hold of it. */
export function qualitySection(scope: Scope): Section | undefined {
  const models = orderedModels(scope.record);
  if (models.length === 0) return undefined;
  const shown = models.filter((model) => ["baseline", "pruned"].includes(model.name));
  const main = shown.length > 0 ? shown : models;
  const confusions = main.map((model) => confusionTable(scope, model));
  return {
    id: `${scope.id}-quality`,
    title: "Right and wrong answers",
    body: html`${scoreTable(scope, models)}
      <div class="pair">${confusions}</div>
      ${groupsPart(scope, main)} ${calibrationPart(scope, main)} ${attributesTable(scope, main)}`,
  };
}
