/** A row of ETL's Table 1 from the layers of a plan. */
import type { Cost } from "../../lib/core/artifacts.ts";

/** What `plan.json` says of a layer. */
export interface PlannedLayer {
  readonly op: string;
  readonly keptInputs: readonly number[];
  readonly keptOutputs: readonly number[];
  readonly totalOutputs: number;
}

export interface TableOneRow {
  /** Filters of the convolutions that stay, and all of them. */
  readonly filters: readonly [kept: number, total: number];
  /** The paper's accounting: every map as large as the picture. */
  readonly paperFlops: number;
  /** The paper's accounting: four bytes a weight of a convolution. */
  readonly paperBytes: number;
  /** What is computed and stored. */
  readonly macs: number;
  readonly bytes: number;
}

/**
 * A row for a network of 3x3 convolutions in a chain and one linear head, as VGGFace with `--head task`.
 *
 * @param side of the picture
 */
export function tableOneRow(
  plan: { readonly layers: readonly PlannedLayer[]; readonly after: Cost },
  side: number,
): TableOneRow {
  const sizes = (op: string): number =>
    plan.layers
      .filter((layer) => layer.op === op)
      .reduce((sum, { keptInputs, keptOutputs }) => sum + keptInputs.length * keptOutputs.length, 0);
  const convolutions = plan.layers.filter(({ op }) => op === "Conv");
  const count = (of: (layer: PlannedLayer) => number): number =>
    convolutions.reduce((sum, layer) => sum + of(layer), 0);
  const weights = 9 * sizes("Conv");
  return {
    filters: [count(({ keptOutputs }) => keptOutputs.length), count(({ totalOutputs }) => totalOutputs)],
    paperFlops: weights * side * side + sizes("Gemm"),
    paperBytes: 4 * weights,
    macs: plan.after.macs,
    bytes: plan.after.bytes,
  };
}
