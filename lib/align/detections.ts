/** From the detector's outputs to faces: boxes decoded, doubles removed. */

/** x0, y0, x1, y1. */
export type Box = readonly [number, number, number, number];

export interface Detection {
  /** How sure the detector is, in 0..1. */
  readonly score: number;
  /** In fractions of the detector's input, within 0..1. */
  readonly box: Box;
}

/** Outputs of the detector for one picture. */
export interface Candidates {
  /** [n], in 0..1 */
  readonly scores: Float32Array;
  /** [n, 4]: shift of the centre (y, x) in tenths of the anchor, logarithm of height and width in fifths. */
  readonly encoded: Float32Array;
  /** [n, 4]: top, left, bottom, right of the anchors. */
  readonly anchors: Float32Array;
}

export interface DetectionOptions {
  /** Candidates must be surer than this. */
  readonly minScore: number;
  /** Of two boxes whose intersection is more than this share of their union, the less sure one goes. */
  readonly overlap?: number;
}

/** The faces among the candidates, the surest first (Liu et al. 2016, section 2.2: greedy non-maximum suppression). */
export function detectionsOf(
  { scores, encoded, anchors }: Candidates,
  { minScore, overlap = 0.5 }: DetectionOptions,
): Detection[] {
  const sure: { readonly score: number; readonly box: Box }[] = [];
  scores.forEach((score, i) => {
    if (score > minScore) sure.push({ score, box: decode(encoded, anchors, 4 * i) });
  });
  sure.sort((x, y) => y.score - x.score);
  const kept: typeof sure = [];
  for (const candidate of sure) {
    if (kept.every(({ box }) => overlapOf(box, candidate.box) <= overlap)) kept.push(candidate);
  }
  const inside = (value: number): number => Math.min(1, Math.max(0, value));
  return kept.flatMap(({ score, box }) => {
    const [x0, y0, x1, y1] = box.map(inside);
    return x1 > x0 && y1 > y0 ? [{ score, box: [x0, y0, x1, y1] as const }] : [];
  });
}

/** Area of a box. */
export function areaOf([x0, y0, x1, y1]: Box): number {
  return Math.max(0, x1 - x0) * Math.max(0, y1 - y0);
}

/** Intersection over union of two boxes. */
export function overlapOf(p: Box, q: Box): number {
  const common: Box = [
    Math.max(p[0], q[0]),
    Math.max(p[1], q[1]),
    Math.min(p[2], q[2]),
    Math.min(p[3], q[3]),
  ];
  const shared = areaOf(common);
  const union = areaOf(p) + areaOf(q) - shared;
  return union > 0 ? shared / union : 0;
}

function decode(encoded: Float32Array, anchors: Float32Array, at: number): Box {
  const height = anchors[at + 2] - anchors[at];
  const width = anchors[at + 3] - anchors[at + 1];
  const y = anchors[at] + height / 2 + (encoded[at] / 10) * height;
  const x = anchors[at + 1] + width / 2 + (encoded[at + 1] / 10) * width;
  const halfHeight = (Math.exp(encoded[at + 2] / 5) * height) / 2;
  const halfWidth = (Math.exp(encoded[at + 3] / 5) * width) / 2;
  return [x - halfWidth, y - halfHeight, x + halfWidth, y + halfHeight];
}
