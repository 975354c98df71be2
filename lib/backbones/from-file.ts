/** Entries of the catalogue whose weights the user brings. */
import type { Family, FileFacts, NetEntry, Training } from "./entry.ts";

/** A network whose weights the user brings. Readers of weight files are loaded when a network is. */
export function fromFile(facts: FileFacts, family: Family, training?: Training): NetEntry {
  const own = { licence: "that of the file", ...facts };
  return {
    ...own,
    weights: "file",
    load: async (options) => (await import("./fill.ts")).loadFilled(own, family, options),
    ...(training !== undefined && { training }),
  };
}
