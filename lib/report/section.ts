/** What every section is made of. */
import type { RunRecord } from "../record/record.ts";
import type { PageCurves } from "./client/data.ts";
import type { Figure } from "./client/dom.ts";
import { html, type Insert, type Markup } from "./escape.ts";

/** One run's place in the page, and what its sections hand to the page's script. */
export interface Scope {
  readonly record: RunRecord;
  /** Prefix of every id of this run: "run" or "run3". */
  readonly id: string;
  /** 2 where the run is the page, 3 where it is one of several. */
  readonly level: 2 | 3;
  readonly figures: Map<string, Figure>;
  readonly curves: PageCurves[];
  /** Curves that are in the page already, by content: a sweep shares one harvest. Value: id of their section. */
  readonly seen: Map<string, string>;
}

/** A section as it stands in the contents. */
export interface Section {
  readonly id: string;
  readonly title: string;
  readonly body: Markup;
}

/** A section with its heading. Named sections are landmarks: of a page of several runs only the page's own parts are. */
export function renderSection(scope: Scope, section: Section): Markup {
  const title =
    scope.level === 2
      ? html`<h2 id="${section.id}-title">${section.title}</h2>`
      : html`<h3 id="${section.id}-title">${section.title}</h3>`;
  const named = scope.level === 2 ? html`aria-labelledby="${section.id}-title"` : undefined;
  return html`<section id="${section.id}" ${named}>${title} ${section.body}</section> `;
}

/** A figure: what it shows, how to read it, and the place where it is drawn. */
export function plot(
  scope: Scope,
  name: string,
  figure: Figure,
  words: { readonly title: Insert; readonly text?: Insert; readonly label: string },
): Markup {
  const id = `${scope.id}-${name}`;
  scope.figures.set(id, figure);
  return plotPlace(scope, id, { height: Number(figure.layout["height"] ?? 320), ...words });
}

function pictureTools(id: string): Markup {
  const button = (kind: "svg" | "png"): Markup =>
    html`<button type="button" data-action="${kind}" data-plot="${id}" aria-describedby="${id}-title">
      ${kind.toUpperCase()}
    </button>`;
  return html`<div class="tools">${button("svg")} ${button("png")}</div>`;
}

/** The place of a figure that the page's script makes. Its title is a heading: who listens to the page finds it by that. */
export function plotPlace(
  { level }: Pick<Scope, "level">,
  id: string,
  words: {
    readonly title: Insert;
    readonly text?: Insert;
    readonly label: string;
    readonly height: number;
  },
): Markup {
  const title =
    level === 2
      ? html`<h3 id="${id}-title">${words.title}</h3>`
      : html`<h4 id="${id}-title">${words.title}</h4>`;
  return html`<figure aria-labelledby="${id}-title">
    <figcaption>
      ${title}${words.text === undefined ? undefined : html` <span>${words.text}</span>`} ${pictureTools(id)}
    </figcaption>
    <div
      class="plot"
      id="${id}"
      data-figure="${id}"
      role="img"
      aria-label="${words.label}"
      style="min-height:${words.height}px"
    ></div>
  </figure> `;
}
