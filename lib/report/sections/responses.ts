/** How single filters respond to the label: the paper's figure 2, for any task. */
import { plural } from "../../core/printable.ts";
import type { FacePicture, FilterFaces, ResponseRecord } from "../../record/record.ts";
import { plotAxis, plotLayout } from "../client/figures.ts";
import type { Figure } from "../client/dom.ts";
import { html, plotText, type Markup } from "../escape.ts";
import { formatCount } from "../format.ts";
import { short } from "../plots.ts";
import { plot, type Scope, type Section } from "../section.ts";

const looks = [
  ["--c1", "circle"],
  ["--c2", "square"],
  ["--c3", "diamond"],
  ["--c4", "cross"],
  ["--c6", "x"],
  ["--c5", "star"],
] as const;

/** One line for each filter over the labels, in standard deviations of its response. */
function responseFigure(responses: readonly ResponseRecord[], unit: string, numbers: boolean): Figure {
  return {
    data: responses.map(({ layer, filter, correlation, mean: level, sd, points }, i) => {
      const [color, symbol] = looks[i % looks.length];
      const seen = points.filter(({ n }) => n > 0);
      const scale = sd > 0 ? sd : 1;
      return {
        type: "scatter",
        mode: "lines+markers",
        name: plotText(`${layer}, filter ${filter} (r ${correlation.toFixed(2)})`),
        x: seen.map(({ label }) => (typeof label === "number" ? label : plotText(label))),
        y: seen.map(({ mean }) => short((mean - level) / scale)),
        error_y: {
          type: "data",
          array: seen.map(({ error }) => short(error / scale)),
          color,
          thickness: 1.2,
          width: 4,
        },
        text: seen.map(({ mean, n }) => `${mean.toPrecision(4)} (${plural(n, "face")})`),
        line: { color, width: 2 },
        marker: { color, size: 8, symbol },
        hovertemplate: "%{x}: %{text}<extra>%{fullData.name}</extra>",
      };
    }),
    layout: plotLayout(380, {
      xaxis: plotAxis(unit, numbers ? {} : { type: "category" }),
      yaxis: plotAxis("mean response (standard deviations)"),
    }),
  };
}

/** One face with how strongly the filter responds to it. */
function faceFigure({ response, label, webp }: FacePicture): Markup {
  const sign = response < 0 ? "\u2212" : "+";
  const size = Math.abs(response).toFixed(1);
  return html`<figure>
    <img src="data:image/webp;base64,${webp}" alt="Face labelled ${label === "" ? "otherwise" : label}" />
    <figcaption>${sign}${size} sd<br />${label}</figcaption>
  </figure>`;
}

/** Sample faces, strongest responses first: only where they were asked for. */
function facesBlock(faces: readonly FilterFaces[]): Markup | undefined {
  if (faces.length === 0) return undefined;
  return html`<h3>Faces that kept filters respond to</h3>
    <p class="plain">
      At taps from first to last, the kept filters whose response correlates most with the label: the
      ${plural(faces[0].highest.length, "training face")} of ${formatCount(faces[0].n)} with the highest
      pooled response, and the ${faces[0].lowest.length} with the lowest. Below each face its response in
      standard deviations from the mean, and its label.
    </p>
    <p class="note">
      <b>This file holds pictures of people.</b> Mind the terms of the data set before you pass it on.
    </p>
    <ul class="faces">
      ${faces.map(
        ({ layer, filter, correlation, highest, lowest }) =>
          html`<li>
            <b>${layer}, filter ${filter}</b> <small>(r ${correlation.toFixed(2)})</small>
            <div class="row">
              ${highest.map(faceFigure)}
              <span class="gap" aria-hidden="true">…</span> ${lowest.map(faceFigure)}
            </div>
          </li>`,
      )}
    </ul>`;
}

/** The section, where the run measured responses. */
export function responsesSection(scope: Scope): Section | undefined {
  const { responses = [], faces = [], task } = scope.record;
  const pictures = facesBlock(faces);
  if (responses.length === 0) {
    return (
      pictures && { id: `${scope.id}-responses`, title: "What single filters respond to", body: pictures }
    );
  }
  const numbers = task.kind === "regression";
  const unit = numbers ? (task.unit ?? task.name) : task.name;
  const n = responses[0].points.reduce((sum, point) => sum + point.n, 0);
  return {
    id: `${scope.id}-responses`,
    title: "What single filters respond to",
    body: html`${plot(scope, "response", responseFigure(responses, unit, numbers), {
      title: `Response against ${numbers ? unit : "class"}`,
      text: html`At ${plural(responses.length, "tap")} from first to last, the filter whose pooled response
      correlates most with the label, in standard deviations of that response. Nobody trained these filters
      for it. Mean over ${plural(n, "training face")}; bars: one standard error.`,
      label: `Mean pooled response of ${plural(responses.length, "filter")} against ${unit}.`,
    })}
    ${pictures}`,
  };
}
