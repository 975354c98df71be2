/** The characteristic curves: small drawings of every tap under one gamma slider, and one tap at full size. */
import { plural } from "../../core/printable.ts";
import { baselineOf, prunedOf } from "../../record/models.ts";
import type { CurveRecord, RunRecord } from "../../record/record.ts";
import type { PageCurve, PageCurves } from "../client/data.ts";
import { chosenAt, errorAt, errorRange, kneeAt } from "../client/knee.ts";
import { smallPoint } from "../client/small.ts";
import { html, raw, type Markup } from "../escape.ts";
import { rmseKindOf } from "./facts.ts";
import { formatCount, formatDigits, formatGamma } from "../format.ts";
import { plotPlace, type Scope, type Section } from "../section.ts";
import { short } from "../plots.ts";
import { renderTable, textCell, type Cell } from "../tables.ts";

/** Gammas of the slider where the run planned none: 0, then 16 to a factor of ten, up to 0.9. */
function defaultStops(): number[] {
  const stops = [0];
  for (let i = 0; i <= 64; i++) {
    const gamma = Number((1e-4 * 10 ** (i / 16)).toPrecision(2));
    if (gamma < 0.95) stops.push(gamma);
  }
  return stops;
}

function pageCurve(curve: CurveRecord, round: (value: number) => number): PageCurve {
  return {
    tap: curve.tap,
    layer: curve.layer,
    total: curve.total,
    filters: curve.filters,
    train: curve.trainRmse.map(round),
    ...(curve.heldOutRmse ? { held: curve.heldOutRmse.map(round) } : {}),
    ...(curve.heldOutError ? { error: curve.heldOutError.map((value) => Number(value.toPrecision(3))) } : {}),
    chosen: curve.kneeFilters,
    knee: curve.knee,
  };
}

/** What the page's script needs of one run's curves. */
export function pageCurves(record: RunRecord, id: string): PageCurves {
  const planned = record.gammaCosts ?? [];
  const stops = [
    ...new Set([...(planned.length > 0 ? planned.map((cost) => cost.gamma) : defaultStops()), record.gamma]),
  ].sort((a, b) => a - b);
  const baseline = baselineOf(record)?.cost.total;
  const pruned = prunedOf(record)?.cost.total;
  const costs = (key: "macs" | "params" | "bytes"): (number | null)[] =>
    stops.map((gamma) => {
      const own = gamma === record.gamma ? pruned : undefined;
      const cost = own ?? planned.find((candidate) => candidate.gamma === gamma);
      return cost ? short(cost[key]) : null;
    });
  const minFilters = record.config["minFilters"];
  return {
    id,
    gamma: record.gamma,
    rmse: rmseKindOf(record),
    minFilters: typeof minFilters === "number" ? minFilters : 1,
    unit: record.task.kind === "regression" && record.task.scale === 1 ? (record.task.unit ?? "") : "",
    curves: record.curves.map((curve) => pageCurve(curve, short)),
    stops,
    ...(baseline && planned.length > 0
      ? { macs: costs("macs"), params: costs("params"), bytes: costs("bytes"), whole: baseline }
      : {}),
  };
}

/** One tap as a small drawing, with the knee as a diamond. Its lines are drawn in the page, from the curves that it holds. */
function smallCurve(set: PageCurves, range: readonly [number, number], index: number): Markup {
  const curve = set.curves[index];
  const chosen = chosenAt(set, curve, set.gamma);
  const [x, y] = smallPoint(range, curve.total, chosen.filters, errorAt(set, curve, chosen.index));
  return html`<label class="small" data-tap="${index}" title="${curve.tap}"
    ><input type="radio" name="${set.id}-radio" value="${index}" aria-label="${curve.tap}" /><span class="tap"
      >${curve.layer}</span
    >
    <svg viewBox="0 0 112 64" aria-hidden="true">
      <path class="axis" d="M4 2V60H110" />
      ${curve.error ? html`<path class="error" />` : undefined}
      <path class="train" />
      ${curve.held ? html`<path class="held" />` : undefined}
      <g class="knee" transform="${`translate(${x} ${y})`}"><path d="M0 -4.5L4.5 0L0 4.5L-4.5 0Z" /></g>
    </svg>
    <span class="count"
      ><b class="kept">${formatCount(chosen.filters)}</b> of ${formatCount(curve.total)}</span
    ></label
  > `;
}

/** The words that carry a disagreement between the run's knees and the rule in the page. */
function disagreement(set: PageCurves, record: RunRecord): Markup | undefined {
  const exact = record.curves.map((curve) => pageCurve(curve, (value) => value));
  const other = exact.filter((curve) => {
    const index = kneeAt(curve, set.rmse, set.gamma, set.minFilters);
    return (index < 0 ? curve.total : curve.filters[index]) !== curve.chosen;
  }).length;
  if (other === 0) return undefined;
  return html`<p class="note">
    On ${plural(other, "tap")} this run chose another number of filters than equation 4 alone gives at its
    gamma (a joint choice, a minimum or a budget). The slider shows the run’s own choice at the run’s gamma,
    and equation 4 elsewhere.
  </p>`;
}

function control(set: PageCurves): Markup {
  const kept = set.curves.reduce((sum, curve) => sum + curve.chosen, 0);
  const total = set.curves.reduce((sum, curve) => sum + curve.total, 0);
  const planned = set.whole
    ? html`<br />Planned network: <span class="nowrap">MACs <b data-role="macs"></b>,</span>
        <span class="nowrap">FLOPs <b data-role="flops"></b>,</span>
        <span class="nowrap">parameters <b data-role="params"></b>,</span>
        <span class="nowrap">size <b data-role="bytes"></b></span>`
    : undefined;
  return html`<div class="control">
    <div class="line">
      <label for="${set.id}-slider">gamma</label>
      <input
        type="range"
        id="${set.id}-slider"
        min="0"
        max="${set.stops.length - 1}"
        step="1"
        value="${set.stops.indexOf(set.gamma)}"
      />
      <output for="${set.id}-slider" data-role="gamma">${formatGamma(set.gamma)}</output>
      <button type="button" class="reset" data-action="reset-gamma">
        Back to this run’s ${formatGamma(set.gamma)}
      </button>
    </div>
    <p class="sums">
      <b data-role="kept">${formatCount(kept)}</b> of ${formatCount(total)} filters kept by the knees alone
      (<span data-role="share"></span>)${planned}
    </p>
  </div> `;
}

/** The section that already shows these curves, if any; else this one is remembered. */
function sameAs(scope: Scope, set: PageCurves): string | undefined {
  const key = JSON.stringify([
    set.rmse,
    set.unit,
    set.curves.map((curve) => ({ ...curve, chosen: 0, knee: 0 })),
  ]);
  const found = scope.seen.get(key);
  if (found === undefined) scope.seen.set(key, set.id);
  return found;
}

/** The section with slider, small drawings, depth plot and the chosen tap. */
export function curvesSection(scope: Scope): Section | undefined {
  const { record } = scope;
  if (record.curves.length === 0) return undefined;
  const set = pageCurves(record, `${scope.id}-curves`);
  const same = sameAs(scope, set);
  if (same !== undefined) {
    return {
      id: set.id,
      title: "Characteristic curves",
      body: html`<p>
          The curves are those <a href="#${same}">drawn above</a>: both runs share one harvest. Here gamma is
          ${formatGamma(set.gamma)}.
        </p>
        ${kneeTable(scope, set)}`,
    };
  }
  scope.curves.push(set);
  const source = set.rmse === "heldout" ? "held-out folds" : "the training rows";
  const hasHeld = set.curves.some((curve) => curve.held);
  const range = errorRange(set);
  const [low, high] = range;
  const options = set.curves.map(
    (curve, i) => html`<option value="${i}">${curve.layer} (${curve.tap})</option>`,
  );
  return {
    id: set.id,
    title: "Characteristic curves",
    body: html`<p class="plain">
        A <dfn>tap</dfn> is a place in the network where the mean response of every filter was recorded for
        each face. A sparse linear readout (LASSO) then predicts the label from these responses, with fewer
        and fewer filters: the <dfn>characteristic curve</dfn> is its error against the number of filters it
        uses.
      </p>
      <p class="plain">
        The <dfn>knee</dfn> is the point with the fewest filters whose error stays within the limit.
        <dfn>Gamma</dfn> sets the limit: the share of the way from the smallest to the largest error that may
        be given away. Gamma 0 keeps every filter; a larger gamma never keeps more. Knees are found on the
        error of ${source}.
      </p>
      ${control(set)}
      <fieldset class="small-set" role="radiogroup">
        <legend>
          <b>Every tap, in order of depth</b>
          <span
            >To the right: share of filters used. Upwards: RMSE from ${formatDigits(low, 2)} to
            ${formatDigits(high, 2)}, one scale for all taps.
            ${hasHeld ? "Solid: held-out folds, with a band of one standard error; dashed: training rows." : "Dashed: training rows."}
            The diamond is the knee, the number below what it keeps. Choose a tap to see it large.</span
          >
        </legend>
        ${set.curves.map((_, i) => smallCurve(set, range, i))}
      </fieldset>
      ${disagreement(set, record)}
      ${plotPlace(scope, `${set.id}-tap`, {
        height: 400,
        title: "One tap",
        text: html`<label class="pick"
            >Tap
            <select>
              ${options}
            </select></label
          >
          The dotted line is the limit that gamma allows; the knee is the leftmost point below it.`,
        label: `Characteristic curve of the chosen tap: error against number of filters. The table of knees holds the numbers.`,
      })}
      ${plotPlace(scope, `${set.id}-depth`, {
        height: 300,
        title: "Where the information sits",
        text: html`Share of the label’s variance that a linear readout of each tap explains, at best and at
        the
        knee${hasHeld ? " (held-out folds)" : ", on the training rows themselves, which a readout of many filters explains whatever they hold"}.
        Moves with the slider.`,
        label: `Variance explained per tap, at best and at the knee, over ${set.curves.length} taps. The table of knees holds the numbers.`,
      })}
      <details class="fold">
        <summary>Table of knees at gamma ${formatGamma(set.gamma)}</summary>
        ${kneeTable(scope, set)}
      </details>`,
  };
}

function kneeTable(scope: Scope, set: PageCurves): Markup {
  const { record } = scope;
  const stable = record.curves.some(({ stability }) => stability !== undefined);
  return renderTable({
    id: `${scope.id}-knees`,
    caption: "Knees of this run",
    tall: true,
    columns: [
      { label: "Layer" },
      { label: "Tap" },
      { label: "Filters kept", numeric: true },
      { label: "of", numeric: true, csv: "total" },
      { label: "Lambda", numeric: true },
      { label: "RMSE at the knee", numeric: true },
      { label: "Smallest RMSE", numeric: true },
      { label: "Largest RMSE", numeric: true },
      { label: "Duality gap", numeric: true },
      ...(stable ? [{ label: "Stability", numeric: true, csv: "stability over folds" }] : []),
    ],
    rows: record.curves.map((curve) => {
      const errors = (set.rmse === "heldout" ? curve.heldOutRmse : undefined) ?? curve.trainRmse;
      const error = errors.at(curve.knee) ?? Number.NaN;
      // Shown from what the run measured: digits of what the page holds would be rounded twice.
      const errorCell = (value: number): Cell => textCell(formatDigits(value, 3), short(value));
      const lambda = curve.knee < 0 ? undefined : curve.lambdas[curve.knee];
      return {
        cells: [
          textCell(curve.layer),
          textCell(curve.tap),
          {
            show: formatCount(curve.kneeFilters),
            csv: curve.kneeFilters,
            bar: curve.kneeFilters / curve.total,
          },
          textCell(formatCount(curve.total), curve.total),
          lambda === undefined ? textCell("keep all", "") : textCell(exponent(lambda), lambda),
          ...[error, Math.min(...errors), Math.max(...errors)].map(errorCell),
          textCell(exponent(curve.gap), curve.gap),
          ...(stable ? [stabilityCell(curve.stability)] : []),
        ],
      };
    }),
    note: `RMSE on ${set.rmse === "heldout" ? "held-out folds" : "training rows"}, in units of the target. The gap is the largest on the path, relative to the variance of the target: it proves how near each solution is to the optimum.${stable ? " Stability: how much the folds agree on the filters; 1 = they all choose the same, 0 = as by chance." : ""}`,
  });
}

function stabilityCell(stability: number | undefined): Cell {
  return stability === undefined ? textCell("–", "") : textCell(formatStability(stability), stability);
}

/** Two decimals, and no minus before a nothing. */
function formatStability(value: number): string {
  return value
    .toFixed(2)
    .replace(/^-0\.00$/, "0.00")
    .replace("-", "\u2212");
}

/** 0.00012 as 1.2 × 10⁻⁴. */
function exponent(value: number): Markup {
  if (!(value > 0)) return html`0`;
  const [digits, power] = value.toExponential(1).split("e");
  return html`${digits} × 10${raw("<sup>")}${power.replace("+", "").replace("-", "\u2212")}${raw("</sup>")}`;
}
