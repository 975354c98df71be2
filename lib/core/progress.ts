/** How long work tells the caller where it is. The command line draws it; a library may ignore it. */
export interface Progress {
  /** A stage begins. `total` is the number of units, where known. */
  start(label: string, total?: number): void;
  /** `done` units of the current stage are finished. `note` is shown beside (a loss, say). */
  update(done: number, note?: string): void;
  /** The stage ended; `note` sums it up. */
  finish(note?: string): void;
  /** A fact worth a line: what was assumed, what was skipped because it is done. */
  note(message: string): void;
  /** Something the user should know: a fallback, a skip, a broken file. */
  warn(message: string): void;
}

/** Says nothing. */
export const silent: Progress = {
  start: () => undefined,
  update: () => undefined,
  finish: () => undefined,
  note: () => undefined,
  warn: () => undefined,
};
