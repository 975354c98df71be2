/** Progress on stderr: a bar with rate and time left on a terminal, plain lines elsewhere. */
import { nowMs } from "../lib/core/clock.ts";
import { printable } from "../lib/core/printable.ts";
import type { Progress } from "../lib/core/progress.ts";

const terminalEveryMs = 100;
const plainEveryMs = 10_000;

/** Draws on `stream`. `quiet` shows warnings only, `verbose` the details as well. */
export function createProgress(
  stream: NodeJS.WriteStream,
  { quiet, verbose }: { readonly quiet: boolean; readonly verbose: boolean },
): Progress {
  const terminal = stream.isTTY && !quiet;
  let label = "";
  let total: number | undefined;
  let start = 0;
  let last = 0;
  let open = false;

  const clear = (): void => {
    if (terminal && open) stream.write("\r\u001b[K");
  };
  const line = (text: string): void => {
    clear();
    stream.write(`${text}\n`);
    open = false;
  };
  return {
    start(newLabel, newTotal) {
      label = printable(newLabel);
      total = newTotal;
      start = nowMs();
      last = start;
      if (terminal) {
        clear();
        stream.write(label);
        open = true;
      }
    },
    update(done, note) {
      const now = nowMs();
      if (quiet || now - last < (terminal ? terminalEveryMs : plainEveryMs)) return;
      last = now;
      const shown = note === undefined ? undefined : printable(note);
      const text = describe({ label, done, total, seconds: (now - start) / 1000, note: shown });
      if (!terminal) {
        stream.write(`${text}\n`);
        return;
      }
      clear();
      stream.write(text.slice(0, Math.max(20, stream.columns - 1)));
      open = true;
    },
    finish(note, detail) {
      if (quiet) return;
      if (detail !== undefined && !verbose) {
        clear();
        open = false;
        return;
      }
      const seconds = ((nowMs() - start) / 1000).toFixed(1);
      line(`${label}: ${printable(note ?? "done")} (${seconds} s)`);
    },
    note(message, detail) {
      if (!quiet && (verbose || detail === undefined)) line(printable(message));
    },
    warn(message) {
      line(`warning: ${printable(message)}`);
    },
  };
}

function describe(at: {
  label: string;
  done: number;
  total: number | undefined;
  seconds: number;
  note: string | undefined;
}): string {
  const rate = at.done / Math.max(at.seconds, 1e-3);
  const note = at.note === undefined ? "" : `, ${at.note}`;
  if (at.total === undefined) return `${at.label}: ${at.done}${note}`;
  const share = at.done / Math.max(1, at.total);
  const filled = Math.round(20 * Math.min(1, share));
  const bar = `${"█".repeat(filled)}${"░".repeat(20 - filled)}`;
  const left = rate > 0 ? (at.total - at.done) / rate : 0;
  return `${at.label} ${bar} ${at.done}/${at.total}, ${paceOf(rate)}, ${clock(left)} left${note}`;
}

/** How many a second, or how many seconds each where that is more than one. */
export function paceOf(rate: number): string {
  if (rate >= 1) return `${rate.toFixed(rate < 10 ? 1 : 0)}/s`;
  return rate > 0 ? `${(1 / rate).toFixed(1)} s each` : "not yet one";
}

function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
