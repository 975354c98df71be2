#!/usr/bin/env node
import { main } from "./main.ts";

/** Whether results could not be written. */
let isLost = false;

// A log that cannot be written (a full disk, a terminal that was closed) must not end a run of hours; nor must a reader that has
// seen enough (`etl ... | head`). Results that go nowhere are another matter: the exit code says so.
process.stderr.on("error", () => undefined);
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") return;
  isLost = true;
  process.stderr.write(`error: stdout: cannot be written (${error.code ?? error.message})\n`);
  process.exitCode = 1;
});

const code = await main(process.argv.slice(2));
// Set, not called: pending output is written before the process ends.
process.exitCode = code === 0 && isLost ? 1 : code;
