/** How single filters respond to the label: the paper's figure 2, for any task. */
import type { ResponseRecord } from "../core/record.ts";
import { axisOf, layoutOf } from "./client/figures.ts";
import type { Figure } from "./client/dom.ts";
import { html, plotText } from "./escape.ts";
import { short } from "./plots.ts";
import { plot, type Scope, type Section } from "./section.ts";

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
        text: seen.map(({ mean, n }) => `${mean.toPrecision(4)} (${n} faces)`),
        line: { color, width: 2 },
        marker: { color, size: 8, symbol },
        hovertemplate: "%{x}: %{text}<extra>%{fullData.name}</extra>",
      };
    }),
    layout: layoutOf(380, {
      xaxis: axisOf(unit, numbers ? {} : { type: "category" }),
      yaxis: axisOf("mean response (standard deviations)"),
    }),
  };
}

/** The section, where the run measured responses. */
export function responsesSection(scope: Scope): Section | undefined {
  const { responses = [], task } = scope.record;
  if (responses.length === 0) return undefined;
  const numbers = task.kind === "regression";
  const unit = numbers ? (task.unit ?? task.name) : task.name;
  const n = responses[0].points.reduce((sum, point) => sum + point.n, 0);
  return {
    id: `${scope.id}-responses`,
    title: "What single filters respond to",
    body: html`${plot(scope, "responses", responseFigure(responses, unit, numbers), {
      title: `Response against ${numbers ? unit : "class"}`,
      text: html`At ${responses.length} taps from first to last, the filter whose pooled response correlates
      most with the label, in standard deviations of that response. Nobody trained these filters for it. Mean
      over ${n} training faces; bars: one standard error.`,
      label: `Mean pooled response of ${responses.length} filters against ${unit}.`,
    })}`,
  };
}
