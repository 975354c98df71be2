/** The one file that reads the clock. */

/** Milliseconds since an arbitrary start, monotonic, with sub-millisecond resolution. */
export function nowMs(): number {
  return performance.now();
}

/** The date and time now, ISO 8601, UTC: for provenance only. */
export function timestamp(): string {
  return new Date().toISOString();
}

/** Runs `work` and returns its result with the seconds it took. */
export async function timed<T>(work: () => Promise<T> | T): Promise<{ result: T; seconds: number }> {
  const start = nowMs();
  const result = await work();
  return { result, seconds: (nowMs() - start) / 1000 };
}
