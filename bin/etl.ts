#!/usr/bin/env node
import { main } from "./main.ts";

// Set, not called: pending output is written before the process ends.
process.exitCode = await main(process.argv.slice(2));
