/** Where the numbers come from: data, time, configuration, versions, fingerprints. */
import { plural } from "../../core/printable.ts";
import { html, type Markup } from "../escape.ts";
import type { RunRecord } from "../../record/record.ts";
import { readingOf } from "./facts.ts";
import { facesOf, labelsFigure } from "../plots.ts";
import { formatCount, formatPercent, formatSeconds } from "../format.ts";
import { plot, type Scope, type Section } from "../section.ts";
import { renderTable, textCell } from "../tables.ts";

/** The faces: how many, which labels, what could not be used. */
export function dataSection(scope: Scope): Section {
  const { dataset, task } = scope.record;
  const labels = dataset.labels;
  const reading = readingOf(scope.record);
  const [trainSum, testSum] = [facesOf(scope.record, "train"), facesOf(scope.record, "test")];
  const bars =
    labels.length > 0
      ? html`${plot(scope, "labels", labelsFigure(scope.record), {
            title: "Labels",
            text: `Share of each ${task.kind === "regression" ? "range" : "label"} in the training and the test part. A test part that is distributed differently makes accuracies incomparable.`,
            label: `Bars: share of ${labels.length} labels in training and test part. The table below holds the numbers.`,
          })}
          <details class="fold">
            <summary>Table of labels</summary>
            ${renderTable({
              id: `${scope.id}-labels-table`,
              caption: "Labels",
              columns: [
                { label: "Label" },
                { label: "Training", numeric: true },
                { label: "Share", numeric: true, csv: "share of training" },
                { label: "Test", numeric: true },
                { label: "Share", numeric: true, csv: "share of test" },
              ],
              rows: labels.map((row) => ({
                cells: [
                  textCell(row.label),
                  textCell(formatCount(row.train), row.train),
                  textCell(formatPercent(row.train / trainSum), row.train / trainSum),
                  textCell(formatCount(row.test), row.test),
                  textCell(formatPercent(row.test / testSum), row.test / testSum),
                ],
              })),
            })}
          </details>`
      : undefined;
  return {
    id: `${scope.id}-data`,
    title: "Data",
    body: html`<p>
        ${dataset.name}: ${plural(dataset.train, "face")} to train
        on${dataset.val > 0 ? html`, ${formatCount(dataset.val)}` : " and"} to choose the epoch with,
        ${formatCount(dataset.test)} to test on.
      </p>
      ${
        reading.length > 0
          ? html`<details class="fold">
              <summary>How they were read</summary>
              <ul>
                ${reading.map((line) => html`<li>${line}</li>`)}
              </ul>
            </details>`
          : undefined
      }
      ${bars} ${problems(scope)}`,
  };
}

function problems(scope: Scope): Markup {
  const { problemCount, problems: list } = scope.record.dataset;
  if (problemCount === 0) return html`<p>Every picture and every label could be used.</p>`;
  const more =
    list.length < problemCount
      ? ` The first ${formatCount(list.length)} are listed; left-out.csv in the run’s folder has all.`
      : "";
  return html`<p>
      ${plural(problemCount, "row")} (a picture or a label that could not be used)
      ${problemCount === 1 ? "was" : "were"} left out.${more}
    </p>
    ${renderTable({
      id: `${scope.id}-problems`,
      caption: "Left out",
      tall: true,
      columns: [{ label: "File" }, { label: "Problem" }],
      rows: list.map((item) => ({ cells: [textCell(item.file), textCell(item.problem)] })),
    })}`;
}

/** Seconds per stage. */
export function timeSection(scope: Scope): Section | undefined {
  const stages = Object.entries(scope.record.seconds);
  if (stages.length === 0) return undefined;
  const total = stages.reduce((sum, [, seconds]) => sum + seconds, 0);
  const { engine, threads, cpu } = scope.record.environment;
  return {
    id: `${scope.id}-time`,
    title: "Where the time went",
    body: renderTable({
      id: `${scope.id}-stages`,
      caption: html`Time per stage <span>${formatSeconds(total)} in all.</span>`,
      columns: [
        { label: "Stage" },
        { label: "Time", numeric: true, csv: "seconds" },
        { label: "Share", numeric: true },
      ],
      rows: stages.map(([stage, seconds]) => ({
        cells: [
          textCell(stage),
          { show: formatSeconds(seconds), csv: seconds },
          { show: formatPercent(seconds / total), csv: seconds / total, bar: seconds / total },
        ],
      })),
      note: `Wall clock, ${engine}, ${plural(threads, "thread")}, ${cpu}.`,
    }),
  };
}

/** What is needed to make the run again. */
export function provenanceSection(scope: Scope): Section {
  const { record } = scope;
  const facts: [string, string][] = [
    ["made at", record.createdAt],
    ["etl-prune", record.etlVersion],
    ["engine", record.environment.engine],
    ["threads", String(record.environment.threads)],
    ["Node.js", record.environment.node],
    ["CPU", record.environment.cpu],
    ["platform", record.environment.platform],
    ["backbone", `${record.backbone.name} (${record.backbone.title})`],
    ["backbone fingerprint", record.backbone.fingerprint],
    ["data set", record.dataset.name],
    ["data set fingerprint", record.dataset.fingerprint],
    ["task", `${record.task.name} (${record.task.kind}), column ${record.task.columns.join(", ")}`],
    ["record schema", String(record.schema)],
  ];
  return {
    id: `${scope.id}-provenance`,
    title: "Provenance",
    body: html`<p class="plain">
        The same versions, configuration and seed on the same data give the same network. A
        <dfn>fingerprint</dfn> is a hash of the content: if it differs, the input did.
      </p>
      <div class="pair">
        ${renderTable({
          id: `${scope.id}-facts`,
          caption: "Versions, machine, inputs",
          columns: [{ label: "What" }, { label: "Value" }],
          rows: facts.map(([name, value]) => ({ cells: [textCell(name), textCell(value)] })),
        })}${renderTable({
          id: `${scope.id}-config`,
          caption: "Configuration in force",
          columns: [{ label: "Option" }, { label: "Value" }],
          rows: Object.entries(record.config).map(([name, value]) => ({
            cells: [textCell(name), textCell(value === null ? "–" : String(value))],
          })),
        })}
      </div>
      ${filesOf(record)}`,
  };
}

/** The files beside the page, and the call that makes them again. */
function filesOf({ links }: RunRecord): Markup | undefined {
  if (links === undefined) return undefined;
  const { files, repeat } = links;
  return html`<p>
      The files of this run:
      ${files.map(
        ({ name, what, href }, i) =>
          html`${i === 0 ? "" : ", "}<a href="${href}">${name}</a> <span class="note">(${what})</span>`,
      )}.
    </p>
    <p>The same run once more, called from the run’s folder: <code>${repeat}</code>.</p>`;
}
