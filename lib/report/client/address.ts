/** What the slider and the choice of the tap say, as the end of the page's address: a link leads to the same view. */
import type { PageCurves } from "./data.ts";

/** A view of the curves: which ones, the place of gamma among their stops, the place of the tap. */
export interface View {
  readonly stop: number;
  readonly tap: number;
}

/** "#run-curves&gamma=0.1&tap=conv1.relu" */
export function addressOf(set: PageCurves, { stop, tap }: View): string {
  return `#${set.id}&gamma=${set.stops[stop]}&tap=${encodeURIComponent(set.curves[tap].tap)}`;
}

/**
 * The view that an address leads to: the nearest stop, and the tap of that name; what it does not say stays as it is.
 *
 * @returns undefined where the address is not of these curves
 */
export function viewAt(set: PageCurves, hash: string, now: View): View | undefined {
  const [id, ...parts] = hash.replace(/^#/, "").split("&");
  if (id !== set.id || parts.length === 0) return undefined;
  const read = (name: string): string | undefined => {
    const text = parts.find((part) => part.startsWith(`${name}=`))?.slice(name.length + 1);
    try {
      return text === undefined ? undefined : decodeURIComponent(text);
    } catch {
      // A per cent sign that begins no letter: somebody typed it.
      return undefined;
    }
  };
  const gamma = Number(read("gamma") ?? "none");
  const apart = set.stops.map((stop) => Math.abs(stop - gamma));
  const stop = apart.indexOf(Math.min(...apart));
  const tap = set.curves.findIndex((curve) => curve.tap === read("tap"));
  return { stop: stop < 0 ? now.stop : stop, tap: tap < 0 ? now.tap : tap };
}
