/** How sure the networks are, against how often they are right. */
import type { Metrics, ModelRecord } from "../../record/record.ts";
import { wilson } from "../../math/statistics.ts";
import { html, type Markup } from "../escape.ts";
import { formatCount, formatPercent, formatShareOf } from "../format.ts";
import { calibrationFigure } from "../plots.ts";
import { plot, type Scope } from "../section.ts";
import { renderTable, textCell } from "../tables.ts";

type Bins = NonNullable<Metrics["calibration"]>;

function binsOf(metrics: Metrics): Bins {
  return (metrics.calibration ?? []).filter((bin) => bin.n > 0);
}

/** Mean over the bins of a distance, weighted by faces; undefined where there are none. */
function weighted(bins: Bins, distance: (bin: Bins[number]) => number): number | undefined {
  const n = bins.reduce((sum, bin) => sum + bin.n, 0);
  return n === 0 ? undefined : bins.reduce((sum, bin) => sum + (bin.n / n) * distance(bin), 0);
}

/** Expected calibration error: mean distance between confidence and accuracy, weighted by the faces in a bin. */
export function calibrationError(metrics: Metrics): number | undefined {
  return weighted(binsOf(metrics), (bin) => Math.abs(bin.accuracy - bin.confidence));
}

/**
 * The expected calibration error that chance alone gives a perfectly calibrated network with the same bins: the mean
 * absolute deviation of a share of n answers, sqrt(2 / pi) of its standard deviation.
 */
function chanceCalibrationError(metrics: Metrics): number | undefined {
  return weighted(binsOf(metrics), ({ confidence, n }) =>
    Math.sqrt(((2 / Math.PI) * Math.max(0, confidence * (1 - confidence))) / n),
  );
}

/** Reliability diagram, expected calibration errors, and the bins as a table; undefined where none were measured. */
export function calibrationPart(scope: Scope, models: readonly ModelRecord[]): Markup | undefined {
  const calibrated = models.filter((model) => binsOf(model.test).length > 0);
  if (calibrated.length === 0) return undefined;
  const errors = calibrated.map(
    ({ title, test }) =>
      `${title} ${formatPercent(calibrationError(test) ?? 0)} (chance alone: ${formatPercent(chanceCalibrationError(test) ?? 0)})`,
  );
  const table = renderTable({
    id: `${scope.id}-calibration-bins`,
    caption: html`Every bin of the reliability diagram <span>Range: Wilson’s 95 % interval.</span>`,
    columns: [
      { label: "Network", wide: true },
      { label: "n", numeric: true },
      { label: "Confidence, mean", numeric: true, csv: "confidence" },
      { label: "Right", numeric: true, csv: "accuracy" },
      { label: "Low", numeric: true, csv: "accuracy, low" },
      { label: "High", numeric: true, csv: "accuracy, high" },
    ],
    rows: calibrated.flatMap((model) =>
      binsOf(model.test).map(({ n, confidence, accuracy }) => {
        const { low, high } = wilson(accuracy, n);
        return {
          strong: model.name === "pruned",
          cells: [
            textCell(model.title),
            textCell(formatCount(n), n),
            textCell(formatPercent(confidence), confidence),
            ...[accuracy, low, high].map((value) => textCell(formatShareOf(value, n), value)),
          ],
        };
      }),
    ),
  });
  return html`${plot(scope, "calibration", calibrationFigure(calibrated), {
      title: "Calibration",
      text: html`How often a prediction is right, against how sure the network was. Below the diagonal it is
      too sure of itself. Bars: 95 % interval; few faces in a bin make it long. Expected calibration error
      (mean distance from the diagonal, weighted by faces): ${errors.join(", ")}.`,
      label: `Reliability diagram. Expected calibration error: ${errors.join(", ")}.`,
    })}
    <details class="fold">
      <summary>Table of the bins, with the number of faces in each</summary>
      ${table}
    </details>`;
}
