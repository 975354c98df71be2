/** The report: a pure function from run records to one HTML file that needs nothing else. */
import { EtlError } from "../core/errors.ts";
import { plural } from "../core/printable.ts";
import { base64, sha256 } from "../core/sha256.ts";
import { recordsByTask } from "../record/tasks.ts";
import { isTraining } from "../record/models.ts";
import type { RunRecord } from "../record/record.ts";
import type { ReportAssets } from "./pack.ts";
import { foldData, type PageData } from "./client/data.ts";
import { clientScript } from "./client/script.ts";
import { comparison, comparisonSentence } from "./sections/compare.ts";
import { runTitle } from "./sections/tradeoff.ts";
import { curvesSection } from "./sections/curves.ts";
import { html, raw, scriptJson, scriptSource, type Markup } from "./escape.ts";
import { formatChoice } from "./choice.ts";
import { formatCount } from "./format.ts";
import { sentenceCase, taskName, taskTitle, withTrueTitles } from "./sections/facts.ts";
import { layersSection } from "./sections/layers.ts";
import { overlapSection } from "./sections/overlap.ts";
import { dataSection, provenanceSection, timeSection } from "./sections/provenance.ts";
import { qualitySection } from "./sections/quality.ts";
import { responsesSection } from "./sections/responses.ts";
import { resultsSection } from "./sections/results.ts";
import { renderSection, type Scope, type Section } from "./section.ts";
import { storyBlock, storyLead } from "./sections/story.ts";
import { styleSheet } from "./style.ts";
import { isSweep, sweepSummary, worthList } from "./sections/sweep.ts";
import { trainingSection } from "./sections/training.ts";

/**
 * Bytes that a page of several runs may take; the sections of single runs get what Plotly and the comparison leave of it. Tasks of one
 * run have no page of their own, so they may take more.
 */
const [largestComparison, largestRun] = [2_180_000, 3_100_000];

/**
 * Renders one run, or the comparison of several.
 *
 * @param record what a run left behind; several give a comparison with each run's sections folded below
 * @param assets see `readReportAssets`
 * @returns a whole HTML document, under 2.2 MB for tens of runs; under 3.2 MB for a run of several tasks
 */
export function renderReport(record: RunRecord | readonly RunRecord[], assets: ReportAssets): string {
  const runs: readonly RunRecord[] = "models" in record ? [record] : record;
  const records = runs.flatMap(recordsByTask).map(withTrueTitles);
  if (records.length === 0) {
    throw new EtlError("usage", "report: no run was given, at least one was needed", {
      hint: "name a run folder",
    });
  }
  const figures: Scope["figures"] = new Map();
  const curves: Scope["curves"] = [];
  const page =
    records.length === 1
      ? onePage({ record: records[0], id: "run", level: 2, figures, curves, seen: new Map() })
      : manyPage(records, figures, curves, {
          room: (runs.length === 1 ? largestRun : largestComparison) - assets.plotly.length,
          joint: runs.length === 1,
        });
  const data: PageData = { figures: Object.fromEntries(figures), curves };
  return document(page, data, assets);
}

interface Page {
  readonly title: string;
  readonly header: Markup;
  readonly contents: readonly { readonly id: string; readonly title: string }[];
  readonly main: Markup;
}

function sectionsOf(scope: Scope): readonly Section[] {
  return [
    resultsSection(scope),
    responsesSection(scope),
    curvesSection(scope),
    layersSection(scope),
    trainingSection(scope),
    qualitySection(scope),
    dataSection(scope),
    timeSection(scope),
    provenanceSection(scope),
  ].filter((section) => section !== undefined);
}

function byline(record: RunRecord): Markup {
  const { train, val, test } = record.dataset;
  const parts = [`${formatCount(train)} training`, ...(val > 0 ? [`${formatCount(val)} validation`] : [])];
  return html`<p class="byline">
    ${record.backbone.title} · ${record.dataset.name}, ${parts.join(", ")} and
    ${plural(test, "test face")}${isTraining(record) ? "" : ` · ${formatChoice(record)}`} ·
    ${record.createdAt.slice(0, 10)}
  </p>`;
}

function onePage(scope: Scope): Page {
  const { record } = scope;
  const task = taskTitle(record.task);
  const plain = isTraining(record) ? `${task}: a network trained` : `${task}: what pruning cost and saved`;
  const title = record.title ?? plain;
  const sections = sectionsOf(scope);
  return {
    title,
    header: html`${heading(title)} ${byline(record)} ${storyBlock(record)}`,
    contents: sections,
    main: html`${sections.map((section) => renderSection(scope, section))}`,
  };
}

/** A section that an earlier run of the page has to the letter, with its figures, is a link to that one: it takes its figures out. */
function once({ id, record, figures, seen }: Scope, section: Section): Section {
  const own = [...figures].filter(([name]) => section.body.text.includes(`data-figure="${name}"`));
  const key = [section.body.text, JSON.stringify(own)].join("\n").replaceAll(`${id}-`, "-");
  const first = seen.get(key);
  if (first === undefined) {
    seen.set(key, html`<a href="#${section.id}">${runTitle(record)}</a>`.text);
    return section;
  }
  for (const [name] of own) figures.delete(name);
  return { ...section, body: html`<p>The same to the letter as of ${raw(first)}, above.</p>` };
}

function sizeOf(text: string, data: PageData): number {
  const bytes = (of: string): number => new TextEncoder().encode(of).length;
  return bytes(text) + bytes(scriptJson(foldData(data)));
}

/** The run's title, as a link where its own page is known. */
function titleLink(record: RunRecord): Markup {
  const href = record.links?.files.find(({ name }) => name === "report.html")?.href;
  const title = runTitle(record);
  return href === undefined ? html`${title}` : html`<a href="${href}">${title}</a>`;
}

function heading(title: string): Markup {
  return html`<div class="top">
    <h1>${title}</h1>
    <button type="button" id="theme">Light / dark</button>
  </div>`;
}

function manyPage(
  records: readonly RunRecord[],
  figures: Scope["figures"],
  curves: Scope["curves"],
  // `joint`: the records are the tasks of one run.
  { room, joint }: { readonly room: number; readonly joint: boolean },
): Page {
  const tasks = sentenceCase([...new Set(records.map(({ task }) => taskName(task)))].join(", "));
  const trained = isTraining(records[0]);
  const title = joint
    ? `${tasks}: ${trained ? "one network trained" : "what one trunk cost and saved"}`
    : `${records.length} runs compared`;
  const [comparing, each] = joint ? ["Tasks", "Each task"] : ["Comparison", "Each run"];
  const scope: Scope = { record: records[0], id: "all", level: 2, figures, curves, seen: new Map() };
  // Of one run each task's own findings say what its controls are worth, and how sure that is.
  const worth = joint ? undefined : worthList(records);
  const summary = isSweep(records) ? sweepSummary(scope, records) : worth;
  const compared = html`${summary}${overlapSection(scope, records)}${comparison(scope, records)}`;
  const budget = room - sizeOf(compared.text, { figures: Object.fromEntries(figures), curves }) - 60_000;
  const parts: Markup[] = [];
  const left: Markup[] = [];
  let used = 0;
  const seen = new Map<string, string>();
  records.forEach((record, i) => {
    if (left.length > 0) {
      left.push(titleLink(record));
      return;
    }
    const own = { figures: new Map(figures), curves: [...curves] };
    const inner: Scope = { seen, record, id: `run${i + 1}`, level: 3, ...own };
    const part = html`<details class="fold run" id="run${i + 1}">
      <summary><h2>${runTitle(record)}</h2></summary>
      ${byline(record)} ${storyBlock(record)}
      ${sectionsOf(inner).map((section) => renderSection(inner, once(inner, section)))}
    </details> `;
    const added = [...own.figures].filter(([id]) => !figures.has(id));
    const drawn = { figures: Object.fromEntries(added), curves: own.curves.slice(curves.length) };
    const size = sizeOf(part.text, drawn);
    if (used + size > budget) {
      left.push(titleLink(record));
      return;
    }
    used += size;
    parts.push(part);
    for (const [id, figure] of added) figures.set(id, figure);
    curves.push(...drawn.curves);
  });
  const leftOut =
    left.length === 0
      ? undefined
      : html`<p class="note">
          To keep this file small, the sections of ${plural(left.length, "run")} are not repeated here; the
          numbers are in the table above, and a report of each run alone shows the rest:
          ${left.map((title, i) => html`${i > 0 ? "; " : ""}${title}`)}.
        </p>`;
  return {
    title,
    header: html`${heading(title)}
    ${
      joint
        ? records.map((one) => storyLead(one, taskTitle(one.task)))
        : html`<p class="lead">${comparisonSentence(records)}</p>`
    }`,
    contents: [
      { id: "compared", title: comparing },
      { id: "runs", title: each },
    ],
    main: html`<section id="compared" aria-labelledby="compared-title">
        <h2 id="compared-title">${comparing}</h2>
        <p class="plain">
          ${
            records.every(isTraining)
              ? undefined
              : html`The <dfn>baseline</dfn> is the unpruned network, fine-tuned on the same data where that
                  helped. <dfn>Gamma</dfn> is the share of the error range that each layer may give away:
                  larger keeps fewer filters.`
          }
          <dfn>MACs</dfn> are the multiply-and-add steps that one image costs.
        </p>
        ${compared}
      </section>
      <section id="runs" aria-labelledby="runs-title">
        <h2 id="runs-title">${each}</h2>
        ${parts}${leftOut}
      </section>`,
  };
}

/** The page is allowed to run its two scripts, known by their hashes, and to fetch nothing at all. */
function contentPolicy(hashes: readonly string[]): string {
  const allowed = hashes.map((hash) => `'sha256-${hash}'`);
  return `default-src 'none'; script-src ${allowed.join(" ")}; style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'`;
}

/** An element whose content is text for a machine: not a letter is added, or the hash would differ. */
function element(tag: string, content: string): Markup {
  return raw(`<${tag}>${content}</${tag.split(" ")[0]}>`);
}

const generator = raw('<meta name="generator" content="etl-prune" />');

/** Whether a text is a page of this program: one that its runs can make again. */
export function isReport(text: string): boolean {
  return text.slice(0, 4000).includes(generator.text);
}

function document(page: Page, data: PageData, assets: ReportAssets): string {
  const client = scriptSource(clientScript());
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta
          http-equiv="Content-Security-Policy"
          content="${contentPolicy([assets.plotlyHash, base64(sha256(client))])}"
        />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        ${generator}
        <title>${page.title}</title>
        <link rel="icon" href="data:," />
        ${element("style", styleSheet)}
      </head>
      <body>
        <a class="skip" href="#main">Skip to the content</a>
        <div class="frame">
          <header>${page.header}</header>
          <nav aria-label="Contents">
            <ol>
              ${page.contents.map((entry) => html`<li><a href="#${entry.id}">${entry.title}</a></li>`)}
            </ol>
          </nav>
          <main id="main">
            ${page.main}
            <footer>
              <p class="note">
                Made by etl-prune. This file holds everything it shows; it loads nothing and sends nothing.
                How to read it: docs/report.md.
              </p>
              <p class="note" id="undrawn" hidden>
                This browser cannot unpack the plots, a newer one can; all tables are complete.
              </p>
              <noscript
                ><p class="note">
                  Without JavaScript the plots and the slider stay empty; all tables are complete.
                </p></noscript
              >
            </footer>
          </main>
        </div>
        <p id="status" role="status" aria-live="polite"></p>
        ${element('script type="application/json" id="report-data"', scriptJson(foldData(data)))}
        ${element('script type="application/gzip" id="plotly"', assets.plotly)} ${element("script", client)}
      </body>
    </html> `.text;
}
