/** The small drawing of every tap (112 x 64, margins 4): made in the page from the curves that are there already. */
import type { PageCurve } from "./data.ts";

type Point = readonly [x: number, y: number];

/** Where a point of a curve lies: share of filters to the right, error upwards over the shared range. */
export function smallPoint(
  [low, high]: readonly [number, number],
  total: number,
  filters: number,
  error: number,
): [number, number] {
  const x = 4 + 104 * Math.min(1, filters / Math.max(1, total));
  const y = 4 + 56 * (1 - Math.min(1, Math.max(0, (error - low) / (high - low))));
  return [Math.round(x * 10) / 10, Math.round(y * 10) / 10];
}

/** Path data of the lines of one tap: the training rows, the held-out folds, and their band of one standard error. */
export function smallLines(
  range: readonly [number, number],
  { total, filters, train, held, error }: PageCurve,
): { readonly train: string; readonly held?: string; readonly error?: string } {
  const place = (value: number, i: number): Point => smallPoint(range, total, filters[i], value);
  const line = (points: readonly Point[]): string => `M${points.map(([x, y]) => `${x} ${y}`).join("L")}`;
  if (!held) return { train: line(train.map(place)) };
  if (!error) return { train: line(train.map(place)), held: line(held.map(place)) };
  const above = held.map((value, i) => place(value + error[i], i));
  const below = held.map((value, i) => place(value - error[i], i)).reverse();
  return {
    train: line(train.map(place)),
    held: line(held.map(place)),
    error: `${line([...above, ...below])}Z`,
  };
}
