/** Errors by group: how often the networks are right on faces that share a value of another label. */
import { plural } from "../../core/printable.ts";
import type { GroupRecord, ModelRecord } from "../../record/record.ts";
import { wilson } from "../../math/statistics.ts";
import type { Figure } from "../client/dom.ts";
import { plotAxis, plotLayout } from "../client/figures.ts";
import { html, plotLabel, plotText, type Markup } from "../escape.ts";
import { formatCount, formatRange, formatShareOf } from "../format.ts";
import { errorBars, looksOf, short } from "../plots.ts";
import { plot, type Scope } from "../section.ts";
import { renderTable, textCell, type Cell } from "../tables.ts";

/** Columns that are drawn; the table has them all. */
const drawnColumns = 6;

interface Column {
  readonly column: string;
  readonly groups: readonly GroupRecord[];
  /** How unlike the groups are: the chi-square statistic over its degrees of freedom; about 1 by chance alone. */
  readonly unlike: number;
}

/** The groups by column, the most unlike first. */
function columnsOf(groups: readonly GroupRecord[], model: string): Column[] {
  const names = [...new Set(groups.map(({ column }) => column))];
  return names
    .map((column) => {
      const own = groups.filter((group) => group.column === column);
      return { column, groups: own, unlike: heterogeneity(own, model) };
    })
    .filter((column) => column.groups.length > 1)
    .sort((a, b) => b.unlike - a.unlike);
}

function heterogeneity(groups: readonly GroupRecord[], model: string): number {
  const n = groups.reduce((sum, group) => sum + group.n, 0);
  const mean = groups.reduce((sum, group) => sum + group.n * group.accuracy[model], 0) / n;
  const variance = mean * (1 - mean);
  if (!(variance > 0)) return 0;
  const chi = groups.reduce(
    (sum, group) => sum + (group.n * (group.accuracy[model] - mean) ** 2) / variance,
    0,
  );
  return chi / Math.max(1, groups.length - 1);
}

/** Dots with ranges, one line of the axis for each group. */
function groupsFigure(columns: readonly Column[], models: readonly ModelRecord[]): Figure {
  const rows = columns.flatMap(({ groups }) => groups);
  const looks = looksOf(models.map(({ name }) => name));
  return {
    data: models.map(({ name, title }, m) => {
      const look = looks.get(name);
      const points = rows.map(({ accuracy, n }) => ({ share: accuracy[name], n }));
      const shift = (m - (models.length - 1) / 2) * 0.26;
      return {
        type: "scatter",
        mode: "markers",
        name: plotText(title),
        x: points.map(({ share }) => short(share)),
        y: rows.map((_, i) => i + shift),
        error_x: errorBars(points, look?.color),
        text: rows.map(({ column, label, n }) => plotText(`${column} ${label}: ${plural(n, "face")}`)),
        marker: { color: look?.color, size: 8, symbol: look?.symbol },
        hovertemplate: "%{text}, right %{x:.1%}<extra></extra>",
      };
    }),
    layout: plotLayout(90 + 26 * rows.length, {
      xaxis: plotAxis("right answers", { tickformat: ".0%" }),
      yaxis: plotAxis("", {
        autorange: "reversed",
        tickmode: "array",
        tickvals: rows.map((_, i) => i),
        ticktext: rows.map(
          ({ column, label, n }) => `${plotLabel(`${column}: ${label}`, 24)} (${formatCount(n)})`,
        ),
        ticks: "",
      }),
    }),
  };
}

/** The column with the clearest difference, in words, where it is clearer than chance gives. */
function difference(columns: readonly Column[], model: ModelRecord): Markup {
  const [first] = columns;
  const sorted = first.groups.toSorted((a, b) => a.accuracy[model.name] - b.accuracy[model.name]);
  const say = ({ label, n, accuracy }: GroupRecord): string =>
    `${label}: ${formatRange(accuracy[model.name], wilson(accuracy[model.name], n))}, n = ${formatCount(n)}`;
  const [worst, best] = [sorted[0], sorted[sorted.length - 1]];
  // With many columns, one of them looks unlike by chance: the bar is raised with their number.
  const clear = first.unlike > 3 + Math.log2(columns.length);
  return clear
    ? html`The groups differ most by <strong>${first.column}</strong> (${say(worst)}; ${say(best)}).`
    : html`No column divides the faces into groups that differ by clearly more than chance gives, the most
        unlike being <strong>${first.column}</strong> (${say(worst)}; ${say(best)}).`;
}

/** The smallest share of right answers. */
function leastOf(groups: readonly GroupRecord[], model: string): string {
  const [{ accuracy, n }] = groups.toSorted((a, b) => a.accuracy[model] - b.accuracy[model]);
  return formatShareOf(accuracy[model], n);
}

/** Plot and table; undefined where the data set has no other labels. */
export function groupsPart(scope: Scope, models: readonly ModelRecord[]): Markup | undefined {
  const { groups = [] } = scope.record;
  const rated = models.filter(({ name }) => groups.every(({ accuracy }) => Object.hasOwn(accuracy, name)));
  const main = rated.find(({ name }) => name === "pruned") ?? rated[0];
  if (groups.length === 0 || (main as ModelRecord | undefined) === undefined) return undefined;
  const columns = columnsOf(groups, main.name);
  if (columns.length === 0) return undefined;
  const drawn = columns.slice(0, drawnColumns);
  const table = renderTable({
    id: `${scope.id}-groups`,
    caption: html`Right answers by group
      <span
        >Groups of test faces by the other labels of the data set; in brackets Wilson’s 95 % interval.</span
      >`,
    tall: true,
    columns: [
      { label: "Label" },
      { label: "Group" },
      { label: "n", numeric: true },
      ...rated.flatMap(({ title }) => [{ label: title, numeric: true, csv: `${title}: accuracy` }]),
    ],
    rows: columns.flatMap(({ column, groups: own }) =>
      own.map(({ label, n, accuracy }) => ({
        cells: [
          textCell(column),
          textCell(label),
          textCell(formatCount(n), n),
          ...rated.map(({ name }): Cell => {
            const range = wilson(accuracy[name], n);
            return { show: formatRange(accuracy[name], range), csv: accuracy[name], range };
          }),
        ],
      })),
    ),
    note: html`Numbers are cut into five ranges of about equal counts. ${plural(columns.length, "column")}
    ${columns.length === 1 ? "was" : "were"} looked at: of columns that mean nothing, one in twenty looks
    unlike by chance alone.`,
  });
  return html`${plot(scope, "by-group", groupsFigure(drawn, rated), {
    title: "Right answers by group",
    text: html`${difference(columns, main)}
    ${
      drawn.length < columns.length
        ? html`Drawn: the ${drawn.length} columns of ${columns.length} whose groups are most unlike; the table
          has all.`
        : undefined
    }
    Bars: 95 % interval.`,
    label: `Accuracy of ${plural(rated.length, "network")} in ${drawn.reduce((sum, column) => sum + column.groups.length, 0)} groups of test faces, from ${leastOf(groups, main.name)} up. The table below holds the numbers.`,
  })}
  ${table}`;
}
