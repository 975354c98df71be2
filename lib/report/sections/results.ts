/** Before and after, in the shape of the paper's Table 1, and the cost of trunk and head apart. */
import { plural } from "../../core/printable.ts";
import { measureOf, valueOf } from "../../record/measure.ts";
import { baselineOf, isTraining, orderedModels, plainOf, timingOf } from "../../record/models.ts";
import type { ModelRecord, RunRecord } from "../../record/record.ts";
import { html, type Markup } from "../escape.ts";
import {
  accuracyMeaning,
  accuracyCell,
  isNotTrained,
  LEAST_ROUNDS,
  networkTitle,
  NO_NUMBERS,
  taskTitle,
  timeDoubt,
  timeShare,
  toleranceText,
  formatTimeChange,
} from "./facts.ts";
import { accuracyDifference, errorDifference, formatSigned, sayDifference } from "./judge.ts";
import { formatBytes, formatChange, formatCount, formatDigits, formatMs, formatSi } from "../format.ts";
import { formatChoice } from "../choice.ts";
import type { Scope, Section } from "../section.ts";
import { findingsBlock } from "./findings.ts";
import { renderTable, textCell, type Cell, type Column, type Row } from "../tables.ts";

/** A number with the change against the baseline in brackets. */
function measured(show: string, value: number, reference: number | undefined): Cell {
  if (reference === undefined || reference === value) return textCell(show, value);
  return textCell(html`${show} <small class="change">(${formatChange(value / reference)})</small>`, value);
}

function resultRow(record: RunRecord, model: ModelRecord, baseline: ModelRecord | undefined): Row {
  const reference = baseline === model ? undefined : baseline;
  const title = isNotTrained(model)
    ? `${networkTitle(model)}; not fine-tuned: no epoch was better`
    : networkTitle(model);
  const cells: Cell[] = [textCell(title), qualityCell(record, model, reference)];
  const { macs, params, bytes } = model.cost.total;
  cells.push(
    measured(formatSi(macs), macs, reference?.cost.total.macs),
    measured(formatSi(2 * macs), 2 * macs, reference && 2 * reference.cost.total.macs),
    measured(formatSi(params), params, reference?.cost.total.params),
    measured(formatBytes(bytes), bytes, reference?.cost.total.bytes),
    timeCell(model, reference),
    timeShareCell(model, reference),
  );
  return { cells, strong: model.name === "pruned" };
}

/** By the task's own measure; of numbers with the change against the baseline and its error from the same faces. */
function qualityCell({ task }: RunRecord, model: ModelRecord, reference: ModelRecord | undefined): Cell {
  if (measureOf(task).name === "accuracy") return accuracyCell(model.test);
  const value = valueOf(task, model.test);
  if (value === undefined) return textCell(NO_NUMBERS, "");
  const difference = reference && errorDifference(model, reference);
  if (difference === undefined) return textCell(formatDigits(value, 3), value);
  const change = formatSigned(difference.value, difference.error, "");
  return textCell(html`${formatDigits(value, 3)} <small class="change">(${change})</small>`, value);
}

/** Median time, with the change that rounds in turns say, and its range. */
function timeCell(model: ModelRecord, reference: ModelRecord | undefined): Cell {
  if (!model.latency) return textCell("–", "");
  const { medianMs } = model.latency;
  const share = reference && timeShare(model, reference);
  if (share === undefined || share.doubt !== undefined) return textCell(formatMs(medianMs), medianMs);
  const change = formatTimeChange(share);
  return textCell(html`${formatMs(medianMs)} <small class="change">(${change})</small>`, medianMs);
}

/** The change of time as a number with its range; nothing where times are not reliable. */
function timeShareCell(model: ModelRecord, reference: ModelRecord | undefined): Cell {
  const share = reference && timeShare(model, reference);
  if (share === undefined || share.doubt !== undefined) return textCell("", "");
  return { show: "", csv: share.value, ...(share.range && { range: share.range }) };
}

function testCounts(models: readonly ModelRecord[]): string {
  const counts = [...new Set(models.map((model) => formatCount(model.test.n)))];
  return `n = ${counts.join(" or ")}`;
}

/** How the times of several networks were compared. */
function turnsNote(record: RunRecord, runs: number): string {
  const baseline = baselineOf(record);
  if (record.models.filter(({ latency }) => latency !== undefined).length < 2) return "";
  if (baseline === undefined || timeDoubt(baseline) !== undefined)
    return "; all networks interleaved in one process";
  const range =
    runs >= LEAST_ROUNDS
      ? " and 95 % range of the rounds in turns"
      : " of the rounds in turns, too few for a range";
  return `; all networks interleaved in one process. In brackets: the change, median${range}`;
}

/** How times were measured, in one line. */
function timingNote(record: RunRecord): string {
  const latency = timingOf(record);
  const { engine, cpu } = record.environment;
  if (!latency) return "CPU time was not measured.";
  return `CPU time: median of ${plural(latency.runs, "run")} after warm-up, one image at a time, ${plural(latency.threads, "thread")}, engine ${engine}, ${cpu}${turnsNote(record, latency.runs)}.`;
}

/** The table that the story sums up. */
export function resultsSection(scope: Scope): Section {
  const { record } = scope;
  const models = orderedModels(record);
  const baseline = baselineOf(record);
  const { name, unit } = measureOf(record.task);
  const isError = name === "mae";
  const columns: Column[] = [
    { label: "Network", wide: true },
    isError
      ? { label: `Mean error${comma(unit)}`, numeric: true, csv: `mae${unit === "" ? "" : ` (${unit})`}` }
      : { label: "Accuracy", numeric: true, csv: "accuracy" },
    { label: "MACs", numeric: true, csv: "macs" },
    { label: "FLOPs", numeric: true, csv: "flops" },
    { label: "Parameters", numeric: true, csv: "params" },
    { label: "Size", numeric: true, csv: "bytes" },
    { label: "CPU time per image", numeric: true, csv: "cpu median (ms)" },
    { label: "cpu over baseline", numeric: true, fileOnly: true },
  ];
  const table = renderTable({
    id: `${scope.id}-results`,
    caption: isTraining(record)
      ? html`${taskTitle(record.task)} with ${record.backbone.title}`
      : html`${taskTitle(record.task)} with ${record.backbone.title}, ${formatChoice(record)}
        ${baseline && html`<span>In brackets: the change against the baseline.</span>`}`,
    columns,
    rows: models.map((model) => resultRow(record, model, baseline)),
    note: `${
      isError
        ? `Mean absolute error on the test part (${testCounts(models)})${baseline && models.length > 1 ? "; in brackets its difference from the baseline’s, ± one standard error" : ""}. The share within ${toleranceText(record)} stands among the scores below.`
        : `Accuracy: ${accuracyMeaning(record)} (${testCounts(models)}), ± one standard error, or a 95 % range in brackets.`
    } ${timingNote(record)}`,
  });
  return {
    id: `${scope.id}-before-after`,
    title: isTraining(record) ? "Result" : "Before and after",
    body: html`${table} ${findingsBlock(record)}
      <p class="plain">
        <dfn>MACs</dfn> are the multiply-and-add steps that one image costs; they do not depend on the
        machine. <dfn>FLOPs</dfn> count multiplication and addition apart, so they are twice the MACs; what
        the ETL paper calls FLOPS are MACs. <dfn>Size</dfn> is that of the stored parameters, four bytes each,
        in int8 one.${countsMore(record) ? COUNTED_IN_INT8 : ""}
      </p>
      ${costTable(scope, models)} ${paperTable(scope, models)}`,
  };
}

const COUNTED_IN_INT8 =
  " In int8, average pools, norms, hard sigmoids and rows or channels of zeros are computed by convolutions, which count as MACs and parameters.";

/** Whether a network in int8 has more MACs than it has in floats. */
function countsMore(record: RunRecord): boolean {
  return record.models.some((model) => {
    const plain = plainOf(record, model);
    return plain?.form === "int8" && model.cost.total.macs > plain.model.cost.total.macs;
  });
}

/** The networks as ETL's Table 1 counts them, so that the two tables can be held beside each other. */
function paperTable(scope: Scope, models: readonly ModelRecord[]): Markup {
  const counted = models.flatMap(({ title, name, paperCost }) =>
    paperCost === undefined ? [] : [{ title, name, ...paperCost }],
  );
  if (counted.length === 0) return html``;
  return html`<details class="fold">
    <summary>As the ETL paper counts</summary>
    ${renderTable({
      id: `${scope.id}-paper-cost`,
      caption: html`Operations and sizes in the accounting of the paper's Table 1
        <span
          >Every map counts as large as the picture, pooling and strides ignored; the size is four bytes for
          each weight of a convolution, without biases and linear layers. The table above has what is really
          computed and stored.</span
        >`,
      columns: [
        { label: "Network", wide: true },
        { label: "FLOPS (paper)", numeric: true, csv: "paper flops" },
        { label: "Size (paper), bytes", numeric: true, csv: "paper bytes" },
      ],
      rows: counted.map(({ title, name, flops, bytes }) => ({
        strong: name === "pruned",
        cells: [
          textCell(title),
          textCell(flops.toExponential(2).toUpperCase(), flops),
          textCell(bytes.toExponential(2).toUpperCase(), bytes),
        ],
      })),
    })}
  </details>`;
}

/** Network beside baseline, face by face, in the task's own measure. */
function againstBaseline(record: RunRecord, model: ModelRecord): Cell {
  const baseline = baselineOf(record);
  const isError = measureOf(record.task).name === "mae";
  const kept = isError ? model.versusBaseline?.mae : model.versusBaseline;
  if (baseline === undefined || kept === undefined) return textCell("–", "");
  const found = isError ? errorDifference(model, baseline) : accuracyDifference(model, baseline);
  if (found === undefined) return textCell("–", "");
  return { show: sayDifference(record.task, found), csv: found.value, error: found.error };
}

function comma(unit: string): string {
  return unit === "" ? "" : `, ${unit}`;
}

function costTable(scope: Scope, models: readonly ModelRecord[]): Markup {
  const isError = measureOf(scope.record.task).name === "mae";
  const rows = models.map((model) => {
    const { trunk, head } = model.cost;
    return {
      strong: model.name === "pruned",
      cells: [
        textCell(networkTitle(model)),
        textCell(formatSi(trunk.macs), trunk.macs),
        textCell(formatSi(head.macs), head.macs),
        textCell(formatSi(trunk.params), trunk.params),
        textCell(formatSi(head.params), head.params),
        textCell(formatBytes(model.fileBytes), model.fileBytes),
        model.latency ? textCell(formatMs(model.latency.p95Ms), model.latency.p95Ms) : textCell("–", ""),
        againstBaseline(scope.record, model),
      ],
    };
  });
  return html`<details class="fold">
    <summary>Trunk and head apart, file sizes, slowest runs</summary>
    ${renderTable({
      id: `${scope.id}-cost`,
      caption: html`Cost of trunk and head
        <span
          >The trunk holds the convolutions that are pruned; the head is the layer that answers the
          task.</span
        >`,
      columns: [
        { label: "Network", wide: true },
        { label: "MACs, trunk", numeric: true },
        { label: "MACs, head", numeric: true },
        { label: "Parameters, trunk", numeric: true },
        { label: "Parameters, head", numeric: true },
        { label: "ONNX file", numeric: true, csv: "file (bytes)" },
        { label: "CPU time, 95th percentile", numeric: true, csv: "cpu p95 (ms)" },
        isError
          ? { label: "Mean error against baseline", numeric: true, csv: "mae minus baseline" }
          : { label: "Accuracy against baseline", numeric: true, csv: "accuracy minus baseline" },
      ],
      rows,
      note: "The last column compares the networks face by face, where the run kept the predictions.",
    })}
  </details>`;
}
