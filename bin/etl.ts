#!/usr/bin/env node

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

// Loaded here and not above, so that a program that cannot even be read ends in a sentence, too.
const program = await import("./main.ts").catch((error: unknown) => {
  const { code, path = "" } = error as NodeJS.ErrnoException;
  if (code !== "EMFILE" && code !== "ENFILE") throw error;
  process.stderr.write(
    `error: ${path}: open failed, too many files are open\nhint: raise the limit (ulimit -n 4096) and run the same command again\n`,
  );
  return undefined;
});
const code = program === undefined ? 1 : await program.main(process.argv.slice(2));
// Set, not called: pending output is written before the process ends.
process.exitCode = code === 0 && isLost ? 1 : code;
