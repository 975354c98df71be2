import { worded } from "./voice.ts";

/**
 * What went wrong, as seen by the caller.
 *
 * - `usage`: the call is wrong (unknown task, option out of range): exit code 2
 * - `data`: the labels or images are not usable
 * - `format`: a file is damaged or not what it claims to be
 * - `unsupported`: the input is valid, but holds something we cannot do (an operator, a layer kind)
 * - `io`: the file system refused (missing, no permission, disk full)
 * - `engine`: an engine could not load, compile or run
 * - `interrupted`: stopped by the user, state kept: exit code 130
 */
export type ErrorKind = "usage" | "data" | "format" | "unsupported" | "io" | "engine" | "interrupted";

/** A path as one word of a shell, for hints that people copy. */
export function shellWord(path: string): string {
  return /^[\w@%+=:,./~-]+$/.test(path) ? path : `"${path.replaceAll(/(["$`\\])/g, "\\$1")}"`;
}

/**
 * The one error class. The message follows one grammar: `<where>: <what was found>, <what was needed>`.
 * `hint` says what to do next, as one sentence. Both name options as the caller writes them.
 */
export class EtlError extends Error {
  readonly kind: ErrorKind;
  readonly hint: string | undefined;

  constructor(
    kind: ErrorKind,
    message: string,
    options: { hint?: string | undefined; cause?: unknown } = {},
  ) {
    super(worded(message), options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "EtlError";
    this.kind = kind;
    this.hint = options.hint === undefined ? undefined : worded(options.hint);
  }
}

/**
 * Whether `error` is an {@link EtlError}, optionally of one kind. By name, not by class: a module that is loaded late
 * (`await import`) may hold a second copy of the class under some loaders.
 */
export function isEtlError(error: unknown, kind?: ErrorKind): error is EtlError {
  return (
    error instanceof Error &&
    error.name === "EtlError" &&
    "kind" in error &&
    (kind === undefined || error.kind === kind)
  );
}

/** The text of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * The candidate nearest to `word` by edit distance, for "did you mean" hints. One that begins with the whole word is nearer
 * than any in which more than one letter differs: lmtcnn means lmtcnn-1-1, not dmm-cnn.
 * Returns undefined where nothing is near (more than half of the letters differ, of four letters more than one).
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const most = word.length < 5 ? 1 : Math.floor(word.length / 2);
  let best: string | undefined;
  let bestDistance = Infinity;
  // A word out of a damaged file may be as long as it likes.
  if (word.length > LONGEST_WORD) return undefined;
  let longer: string | undefined;
  for (const candidate of candidates) {
    if (word.length > 2 && candidate.toLowerCase().startsWith(word.toLowerCase())) longer ??= candidate;
    if (Math.abs(candidate.length - word.length) > most) continue;
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  if (longer !== undefined && bestDistance > 1) return longer;
  return bestDistance <= most ? best : undefined;
}

const LONGEST_WORD = 1000;

/** Letters put in, left out, changed, or swapped with their neighbour ("siez"), as fast fingers do. */
export function editDistance(a: string, b: string): number {
  let beforeLast: readonly number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped =
        a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? (beforeLast[j - 2] ?? 0) + 1 : Infinity;
      current.push(Math.min(changed, swapped, (last[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1));
    }
    beforeLast = last;
    last = current;
  }
  return last[b.length] ?? 0;
}
