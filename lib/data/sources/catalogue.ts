/** The layouts, in the order in which they are tried: the surest signs first. */
import { labelsCsv } from "./labels-csv.ts";
import type { Layout } from "./layout.ts";

export const LAYOUTS: readonly Layout[] = [labelsCsv];
