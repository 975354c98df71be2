/** What was kept of each layer, why, and what it costs. */
import { html } from "../escape.ts";
import { formatChange, formatCount, formatPercent, formatSi } from "../format.ts";
import { keptFigure, layerCostFigure } from "../plots.ts";
import { plot, type Scope, type Section } from "../section.ts";
import { renderTable, textCell, type Cell } from "../tables.ts";

/** Bars, and the table with a reason for every layer that is not what its knee alone would give. */
export function layersSection(scope: Scope): Section | undefined {
  const { layers, layerCosts } = scope.record;
  if (layers.length === 0) return undefined;
  const kept = layers.reduce((sum, layer) => sum + layer.kept, 0);
  const total = layers.reduce((sum, layer) => sum + layer.total, 0);
  const share = formatPercent(total > 0 ? kept / total : 1);
  const costs = new Map((layerCosts ?? []).map((cost) => [cost.name, cost]));
  const bars = plot(scope, "kept", keptFigure(layers), {
    title: "Filters kept per layer",
    text: html`${formatCount(kept)} of ${formatCount(total)} filters (${share}); the first layer on top.`,
    label: `Bars of filters kept and removed for ${layers.length} layers: ${formatCount(kept)} of ${formatCount(total)} kept. The table below holds the numbers.`,
  });
  const costBars =
    layerCosts && layerCosts.length > 0
      ? plot(scope, "layer-macs", layerCostFigure(layerCosts), {
          title: "MACs per layer",
          text: "Wide grey bars: before. Narrow blue bars: after.",
          label: `Bars of the MACs of ${layerCosts.length} layers before and after pruning. The table below holds the numbers.`,
        })
      : undefined;
  const costCells = (name: string): Cell[] => {
    if (costs.size === 0) return [];
    const cost = costs.get(name);
    if (!cost) return [textCell("–", ""), textCell("–", ""), textCell("–", "")];
    return [
      textCell(formatSi(cost.macsBefore), cost.macsBefore),
      textCell(
        html`${formatSi(cost.macsAfter)} <small>(${formatChange(cost.macsAfter / cost.macsBefore)})</small>`,
        cost.macsAfter,
      ),
      textCell(formatSi(cost.paramsAfter), cost.paramsAfter),
    ];
  };
  const table = renderTable({
    id: `${scope.id}-layers`,
    caption: html`Every layer
      <span
        >A layer can keep more filters than its own knee asks for: channels that are added together later must
        be kept together.</span
      >`,
    tall: true,
    columns: [
      { label: "Layer" },
      { label: "Kept", numeric: true },
      { label: "of", numeric: true, csv: "total" },
      { label: "Share", numeric: true, csv: "share kept" },
      ...(costs.size > 0
        ? [
            { label: "MACs before", numeric: true },
            { label: "MACs after", numeric: true },
            { label: "Parameters after", numeric: true },
          ]
        : []),
      { label: "Reason", wide: true },
    ],
    rows: layers.map((layer) => ({
      cells: [
        textCell(layer.name),
        { show: formatCount(layer.kept), csv: layer.kept, bar: layer.kept / Math.max(1, layer.total) },
        textCell(formatCount(layer.total), layer.total),
        textCell(formatPercent(layer.kept / Math.max(1, layer.total)), layer.kept / Math.max(1, layer.total)),
        ...costCells(layer.name),
        textCell(layer.reason ?? "", layer.reason ?? ""),
      ],
    })),
  });
  return {
    id: `${scope.id}-per-layer`,
    title: "Layer by layer",
    body: html`<div class="pair">${bars}${costBars}</div>
      ${table}`,
  };
}
