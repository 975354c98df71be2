/** How long work tells the caller where it is. The command line draws it; a library may ignore it. */
export interface Progress {
  /** A stage begins. `total` is the number of units, where known. */
  start(label: string, total?: number): void;
  /** `done` units of the current stage are finished. `note` is shown beside (a loss, say). */
  update(done: number, note?: string): void;
  /** The stage ended; `note` says what was found. With `detail` it is a step within a stage, which the story goes without. */
  finish(note?: string, detail?: "detail"): void;
  /** A fact worth a line: what was assumed, what was skipped because it is done. With `detail` one for who looks closely. */
  note(message: string, detail?: "detail"): void;
  /** Something the user should know: a fallback, a skip, a broken file. */
  warn(message: string): void;
}

/** What was said once is a detail when it is said again: for many runs on the same data. */
export function onceOnly(progress: Progress): Progress {
  const said = new Set<string>();
  return {
    start: (label, total) => {
      progress.start(label, total);
    },
    update: (done, note) => {
      progress.update(done, note);
    },
    finish: (note, detail) => {
      progress.finish(note, detail);
    },
    warn: (message) => {
      progress.warn(message);
    },
    note(message, detail) {
      progress.note(message, said.has(message) ? "detail" : detail);
      said.add(message);
    },
  };
}

/** Says nothing. */
export const silent: Progress = {
  start: () => undefined,
  update: () => undefined,
  finish: () => undefined,
  note: () => undefined,
  warn: () => undefined,
};
