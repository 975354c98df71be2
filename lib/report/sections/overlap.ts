/** Which filters several tasks share: agreement of their knees, tap by tap, against what chance would give. */
import type { RunRecord } from "../../record/record.ts";
import { axisOf, layoutOf } from "../client/figures.ts";
import type { Figure } from "../client/dom.ts";
import { html, plotText, type Markup } from "../escape.ts";
import { formatGamma, formatPercent } from "../format.ts";
import { short } from "../plots.ts";
import { plot, type Scope } from "../section.ts";
import { renderTable, text } from "../tables.ts";

/** Agreement of two choices of filters at one tap. */
export interface Overlap {
  readonly layer: string;
  readonly total: number;
  readonly a: number;
  readonly b: number;
  readonly shared: number;
  /** Cohen's kappa: 1 = the same filters, 0 = as many in common as by chance; undefined where a choice leaves none open. */
  readonly kappa: number | undefined;
}

/**
 * Cohen's kappa of two choices among p filters.
 *
 * @param a filters, ascending
 * @param b filters, ascending
 */
export function agreement(a: readonly number[], b: readonly number[], p: number): Omit<Overlap, "layer"> {
  const other = new Set(b);
  const shared = a.filter((filter) => other.has(filter)).length;
  const observed = (p - a.length - b.length + 2 * shared) / p;
  const chance = (a.length * b.length + (p - a.length) * (p - b.length)) / (p * p);
  const kappa = chance >= 1 ? undefined : (observed - chance) / (1 - chance);
  return { total: p, a: a.length, b: b.length, shared, kappa };
}

interface Chosen {
  readonly task: string;
  readonly record: RunRecord;
}

/** One run for each task, all on one backbone and at one gamma (the one that most tasks have); else none. */
function comparableRuns(records: readonly RunRecord[]): readonly Chosen[] {
  const groups = new Map<string, Map<string, RunRecord>>();
  for (const record of records) {
    if (!record.curves.some(({ keep }) => keep !== undefined)) continue;
    const key = `${record.backbone.fingerprint} ${record.gamma}`;
    const tasks = groups.get(key) ?? new Map<string, RunRecord>();
    if (!tasks.has(record.task.name)) tasks.set(record.task.name, record);
    groups.set(key, tasks);
  }
  const best = [...groups.values()].sort((a, b) => b.size - a.size)[0];
  if (best === undefined || best.size < 2) return [];
  return Array.from(best, ([task, record]) => ({ task, record }));
}

/** Agreement of two runs at every tap that both have. */
function overlaps(a: RunRecord, b: RunRecord): Overlap[] {
  const others = new Map(b.curves.map((curve) => [curve.tap, curve]));
  return a.curves.flatMap((curve) => {
    const [mine, theirs] = [curve.keep, others.get(curve.tap)?.keep];
    return mine === undefined || theirs === undefined
      ? []
      : [{ layer: curve.layer, ...agreement(mine, theirs, curve.total) }];
  });
}

function meanKappa(list: readonly Overlap[]): number | undefined {
  const values = list.flatMap(({ kappa }) => kappa ?? []);
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The matrix of tasks, and how agreement changes with depth. */
export function overlapSection(scope: Scope, records: readonly RunRecord[]): Markup | undefined {
  const runs = comparableRuns(records);
  if (runs.length < 2) return undefined;
  const pairs = runs.flatMap((one, i) =>
    runs.slice(i + 1).map((two) => ({
      title: `${one.task} and ${two.task}`,
      one: one.task,
      two: two.task,
      list: overlaps(one.record, two.record),
    })),
  );
  const gamma = formatGamma(runs[0].record.gamma);
  return html`<h3>Filters that tasks share</h3>
    <p class="plain">
      At gamma ${gamma}, on one backbone. <dfn>Kappa</dfn> is the agreement beyond chance: 1 where two tasks
      choose the same filters, 0 where they have as many in common as random choices of the same sizes would.
    </p>
    ${renderTable({
      id: "overlap",
      caption: "Overlap of the filters at the knees, by pair of tasks",
      columns: [
        { label: "Tasks" },
        { label: "Kappa, mean over taps", numeric: true, csv: "kappa" },
        { label: "Filters in common", numeric: true, csv: "shared" },
        { label: "Jaccard", numeric: true },
      ],
      rows: pairs.map(({ title, list }) => {
        const shared = list.reduce((sum, tap) => sum + tap.shared, 0);
        const united = list.reduce((sum, tap) => sum + tap.a + tap.b - tap.shared, 0);
        const kappa = meanKappa(list);
        return {
          cells: [
            text(title),
            kappa === undefined ? text("–", "") : text(kappa.toFixed(2), kappa),
            text(shared),
            text(formatPercent(shared / Math.max(1, united)), shared / Math.max(1, united)),
          ],
        };
      }),
    })}
    ${plot(
      scope,
      "overlap-matrix",
      matrixFigure(
        runs.map(({ task }) => task),
        pairs,
      ),
      {
        title: "Agreement of tasks",
        text: "Mean kappa over all taps.",
        label: "Matrix of the agreement of tasks on filters. The table above holds the numbers.",
      },
    )}
    ${plot(scope, "overlap-depth", depthFigure(pairs), {
      title: "Agreement by depth",
      text: "Kappa at every tap, the first layer on the left.",
      label: "Agreement of each pair of tasks at every tap, in order of depth.",
    })}`;
}

interface Pair {
  readonly title: string;
  readonly one: string;
  readonly two: string;
  readonly list: readonly Overlap[];
}

function matrixFigure(tasks: readonly string[], pairs: readonly Pair[]): Figure {
  const value = (a: string, b: string): number | null => {
    if (a === b) return 1;
    const pair = pairs.find(({ one, two }) => (one === a && two === b) || (one === b && two === a));
    const kappa = pair && meanKappa(pair.list);
    return kappa === undefined ? null : short(kappa);
  };
  const z = tasks.map((a) => tasks.map((b) => value(a, b)));
  const names = tasks.map(plotText);
  return {
    data: [
      {
        type: "heatmap",
        x: names,
        y: names,
        z,
        zmin: 0,
        zmax: 1,
        text: z.map((row) => row.map((cell) => (cell === null ? "" : cell.toFixed(2)))),
        texttemplate: "%{text}",
        colorscale: [
          [0, "--card"],
          [1, "--c1"],
        ],
        showscale: false,
        hovertemplate: "%{y} and %{x}: %{z}<extra></extra>",
      },
    ],
    layout: layoutOf(120 + 46 * tasks.length, {
      xaxis: axisOf("", { type: "category" }),
      yaxis: axisOf("", { type: "category", autorange: "reversed" }),
    }),
  };
}

const palette = ["--c1", "--c2", "--c3", "--c4", "--c6", "--c5"];

function depthFigure(pairs: readonly Pair[]): Figure {
  const layers = pairs[0]?.list.map(({ layer }) => layer) ?? [];
  return {
    data: pairs.map(({ title, list }, i) => ({
      type: "scatter",
      mode: "lines+markers",
      name: plotText(title),
      x: list.map((_, at) => at),
      y: list.map(({ kappa }) => (kappa === undefined ? null : short(kappa))),
      text: list.map(({ layer, shared, a, b }) => `${plotText(layer)}: ${shared} of ${a} and ${b}`),
      line: { color: palette[i % palette.length], width: 2 },
      hovertemplate: "%{text}, kappa %{y}<extra></extra>",
    })),
    layout: layoutOf(340, {
      xaxis: axisOf("tap", {
        tickmode: "array",
        tickvals: layers.map((_, i) => i).filter((i) => i % 4 === 0),
        ticktext: layers.filter((_, i) => i % 4 === 0).map(plotText),
        tickfont: { size: 10 },
      }),
      yaxis: axisOf("kappa"),
    }),
  };
}
