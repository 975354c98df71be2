/** Cheap random changes of a picture: mirror, whole-pixel shift, zoom, brightness; and what they do to the target. */
import type { Task } from "../../core/artifacts.ts";
import type { Random } from "../../core/random.ts";
import { CROP_UNIT } from "../tasks.ts";

export interface Augment {
  /** Mirror left-right with probability 1/2, or every picture (never where the task forbids it). */
  readonly mirror?: boolean | "always";
  /** Largest shift in each direction, as a fraction of the side; whole pixels, the edge is repeated. */
  readonly shift?: number;
  /** Largest relative zoom: 0.1 = between 1/1.1 and 1.1; nearest pixel. */
  readonly scale?: number;
  /** Largest relative change of brightness: 0.2 = gain between 0.8 and 1.2. */
  readonly brightness?: number;
}

/** One picture's change. out(x, y) = in(column[x], row[y]) * gain */
export interface Change {
  readonly mirrored: boolean;
  readonly gain: number;
  /** Position of the output's left (top) edge in the input and size of an output pixel, in input pixels. */
  readonly x: { readonly start: number; readonly step: number };
  readonly y: { readonly start: number; readonly step: number };
}

/** Draws a change. */
export function drawChange(
  augment: Augment,
  task: Task,
  size: { readonly width: number; readonly height: number },
  random: Random,
): Change {
  const around = (most: number): number => (random.uniform() * 2 - 1) * most;
  const { mirror = false } = augment;
  const mirrored =
    mirror !== false && task.mirror !== "forbid" && (mirror === "always" || random.uniform() < 0.5);
  const step = augment.scale === undefined ? 1 : (1 + augment.scale) ** around(1);
  const axis = (pixels: number): { start: number; step: number } => {
    const shift = augment.shift === undefined ? 0 : Math.round(around(augment.shift * pixels));
    return { start: (pixels * (1 - step)) / 2 + shift, step };
  };
  const x = axis(size.width);
  const y = axis(size.height);
  return { mirrored, gain: 1 + around(augment.brightness ?? 0), x, y };
}

/** Which input position every output position of an axis takes, clamped to the edge. */
export function sources(axis: Change["x"], pixels: number, mirrored: boolean): Int32Array {
  const from = new Int32Array(pixels);
  for (let i = 0; i < pixels; i++) {
    const source = Math.floor(axis.start + (i + 0.5) * axis.step);
    from[mirrored ? pixels - 1 - i : i] = Math.min(pixels - 1, Math.max(0, source));
  }
  return from;
}

/**
 * Writes the target of a changed picture.
 *
 * @param target [q] of the unchanged picture
 * @param out [q]
 */
export function changeTarget(
  target: Float32Array,
  out: Float32Array,
  task: Task,
  change: Change,
  size: { readonly width: number; readonly height: number },
): void {
  out.set(target);
  if (task.unit === CROP_UNIT) {
    for (let i = 0; i < target.length; i += 2) {
      out[i] = (target[i] - change.x.start / size.width) / change.x.step;
      out[i + 1] = (target[i + 1] - change.y.start / size.height) / change.y.step;
    }
  }
  if (!change.mirrored) return;
  if (task.mirror === "negate") for (let i = 0; i < out.length; i++) out[i] = -out[i];
  if (task.mirror === "landmarks") mirrorLandmarks(out);
}

/** Mirrors points x0, y0, x1, y1, ... in fractions of the crop: x becomes 1 - x, left and right partners swap. */
export function mirrorLandmarks(points: Float32Array): void {
  const partner = partners(points.length / 2);
  const before = points.slice();
  for (let i = 0; i < partner.length; i++) {
    points[2 * i] = 1 - before[2 * partner[i]];
    points[2 * i + 1] = before[2 * partner[i] + 1];
  }
}

/** Pairs of mirrored points (inclusive ranges that run against each other) of the iBUG 68-point order. */
const IBUG_68: readonly (readonly [number, number])[] = [
  [0, 16], // jaw
  [17, 26], // brows
  [31, 35], // nostrils
  [48, 54], // upper outer lip
  [55, 59], // lower outer lip
  [60, 64], // upper inner lip
  [65, 67], // lower inner lip
];
const IBUG_EYES: readonly (readonly [number, number])[] = [
  [36, 45],
  [37, 44],
  [38, 43],
  [39, 42],
  [40, 47],
  [41, 46],
];

/** The mirrored partner of every point, for 68 points (iBUG order) or 5 (eyes, nose, mouth corners). */
export function partners(points: number): readonly number[] {
  if (points === 5) return [1, 0, 2, 4, 3];
  const partner = Array.from({ length: points }, (_, i) => i);
  if (points !== 68) return partner;
  for (const [from, to] of IBUG_68) for (let i = from; i <= to; i++) partner[i] = from + to - i;
  for (const [a, b] of IBUG_EYES) [partner[a], partner[b]] = [b, a];
  return partner;
}
