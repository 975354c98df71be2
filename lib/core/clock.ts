/** The one file that reads the clock. */

/** Milliseconds since an arbitrary start, monotonic, with sub-millisecond resolution. */
export function nowMs(): number {
  return performance.now();
}

/** The date and time now, ISO 8601, UTC: for provenance only. */
export function timestamp(): string {
  return new Date().toISOString();
}
