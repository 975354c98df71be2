/** Before and after, in the shape of the paper's Table 1, and the cost of trunk and head apart. */
import { baselineOf, isTraining, orderedModels } from "../../record/models.ts";
import type { ModelRecord, RunRecord } from "../../record/record.ts";
import { html, type Markup } from "../escape.ts";
import {
  accuracyMeaning,
  accuracyText,
  isNotTrained,
  plural,
  taskTitle,
  timeShare,
  formatTimeChange,
} from "./facts.ts";
import {
  formatBytes,
  formatChange,
  formatCount,
  formatDigits,
  formatMs,
  formatPoints,
  formatSi,
} from "../format.ts";
import type { Scope, Section } from "../section.ts";
import { findingsBlock } from "./story.ts";
import { renderTable, text, type Cell, type Column, type Row } from "../tables.ts";

/** A number with the change against the baseline in brackets. */
function measured(show: string, value: number, reference: number | undefined): Cell {
  if (reference === undefined || reference === value) return text(show, value);
  return text(html`${show} <small class="change">(${formatChange(value / reference)})</small>`, value);
}

function resultRow(record: RunRecord, model: ModelRecord, baseline: ModelRecord | undefined): Row {
  const reference = baseline === model ? undefined : baseline;
  const { accuracy, mae } = model.test;
  const title = isNotTrained(model) ? `${model.title}; not fine-tuned: no epoch was better` : model.title;
  const cells: Cell[] = [text(title), text(accuracyText(model.test), accuracy)];
  if (record.task.kind === "regression") {
    cells.push(mae === undefined ? text("–", "") : measured(formatDigits(mae, 3), mae, reference?.test.mae));
  }
  const { macs, params, bytes } = model.cost.total;
  cells.push(
    measured(formatSi(macs), macs, reference?.cost.total.macs),
    measured(formatSi(2 * macs), 2 * macs, reference && 2 * reference.cost.total.macs),
    measured(formatSi(params), params, reference?.cost.total.params),
    measured(formatBytes(bytes), bytes, reference?.cost.total.bytes),
    timeCell(model, reference),
  );
  return { cells, strong: model.name === "pruned" };
}

/** Median time, with the change that rounds in turns say, and its range. */
function timeCell(model: ModelRecord, reference: ModelRecord | undefined): Cell {
  if (!model.latency) return text("–", "");
  const { medianMs } = model.latency;
  const share = reference && timeShare(model, reference);
  if (share === undefined || share.doubt !== undefined) return text(formatMs(medianMs), medianMs);
  const change = formatTimeChange(share);
  return text(html`${formatMs(medianMs)} <small class="change">(${change})</small>`, medianMs);
}

function testCounts(models: readonly ModelRecord[]): string {
  const counts = [...new Set(models.map((model) => formatCount(model.test.n)))];
  return `n = ${counts.join(" or ")}`;
}

/** How times were measured, in one line. */
function timingNote(record: RunRecord): string {
  const latency = record.models.find((model) => model.latency)?.latency;
  const { engine, cpu } = record.environment;
  if (!latency) return "CPU time was not measured.";
  return `CPU time: median of ${plural(latency.runs, "run")} after warm-up, one image at a time, ${plural(latency.threads, "thread")}, engine ${engine}, ${cpu}; all networks interleaved in one process. In brackets: the change, median and 95 % range of the rounds in turns.`;
}

/** The table that the story sums up. */
export function resultsSection(scope: Scope): Section {
  const { record } = scope;
  const models = orderedModels(record);
  const baseline = baselineOf(record);
  const unit = record.task.unit ?? "";
  const columns: Column[] = [
    { label: "Network", wide: true },
    { label: "Accuracy", numeric: true, csv: "accuracy" },
    ...(record.task.kind === "regression"
      ? [{ label: `Mean error, ${unit}`, numeric: true, csv: `mae (${unit})` }]
      : []),
    { label: "MACs", numeric: true, csv: "macs" },
    { label: "FLOPs", numeric: true, csv: "flops" },
    { label: "Parameters", numeric: true, csv: "params" },
    { label: "Size", numeric: true, csv: "bytes" },
    { label: "CPU time per image", numeric: true, csv: "cpu median (ms)" },
  ];
  const table = renderTable({
    id: `${scope.id}-results`,
    caption: isTraining(record)
      ? html`${taskTitle(record.task)} with ${record.backbone.title}`
      : html`${taskTitle(record.task)} with ${record.backbone.title} at gamma ${record.gamma}
          <span>In brackets: the change against the baseline.</span>`,
    columns,
    rows: models.map((model) => resultRow(record, model, baseline)),
    note: `Accuracy: ${accuracyMeaning(record)} (${testCounts(models)}), ± one standard error, or a 95 % range in brackets. ${timingNote(record)}`,
  });
  return {
    id: `${scope.id}-before-after`,
    title: isTraining(record) ? "Result" : "Before and after",
    body: html`${table} ${findingsBlock(record)}
      <p class="plain">
        <dfn>MACs</dfn> are the multiply-and-add steps that one image costs; they do not depend on the
        machine. <dfn>FLOPs</dfn> count multiplication and addition apart, so they are twice the MACs; what
        the ETL paper calls FLOPS are MACs. <dfn>Size</dfn> is that of the stored parameters, four bytes each,
        in int8 one.
      </p>
      ${costTable(scope, models)} ${paperTable(scope, models)}`,
  };
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
        { label: "Size (paper)", numeric: true, csv: "paper bytes" },
      ],
      rows: counted.map(({ title, name, flops, bytes }) => ({
        strong: name === "pruned",
        cells: [
          text(title),
          text(flops.toExponential(2).toUpperCase(), flops),
          text(bytes.toExponential(2).toUpperCase(), bytes),
        ],
      })),
    })}
  </details>`;
}

function costTable(scope: Scope, models: readonly ModelRecord[]): Markup {
  const rows = models.map((model) => {
    const { trunk, head } = model.cost;
    return {
      strong: model.name === "pruned",
      cells: [
        text(model.title),
        text(formatSi(trunk.macs), trunk.macs),
        text(formatSi(head.macs), head.macs),
        text(formatSi(trunk.params), trunk.params),
        text(formatSi(head.params), head.params),
        text(formatBytes(model.fileBytes), model.fileBytes),
        model.latency ? text(formatMs(model.latency.p95Ms), model.latency.p95Ms) : text("–", ""),
        model.versusBaseline
          ? text(
              formatPoints(model.versusBaseline.difference, model.versusBaseline.error),
              model.versusBaseline.difference,
            )
          : text("–", ""),
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
        { label: "Accuracy against baseline", numeric: true, csv: "accuracy minus baseline" },
      ],
      rows,
      note: "The last column compares the networks face by face, where the run kept the predictions.",
    })}
  </details>`;
}
