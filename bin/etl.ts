#!/usr/bin/env node
import { main } from "./main.ts";

// A reader that has seen enough (`etl ... | head`) must not end a run: what it does not want to see is dropped.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}

// Set, not called: pending output is written before the process ends.
process.exitCode = await main(process.argv.slice(2));
