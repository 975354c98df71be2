/** The one impure file of the report: reads what the page carries with it. */
import { createRequire } from "node:module";
import { EtlError } from "../core/errors.ts";
import { readText } from "../core/files.ts";

/** What the caller hands to {@link renderReport} beside the records. */
export interface ReportAssets {
  /** Source text of plotly.js, minified. */
  readonly plotly: string;
}

/** Reads plotly.js from the installed package `plotly.js-dist-min`. */
export async function readReportAssets(): Promise<ReportAssets> {
  let path: string;
  try {
    path = createRequire(import.meta.url).resolve("plotly.js-dist-min");
  } catch (error) {
    throw new EtlError("io", "report: the package plotly.js-dist-min is missing, it draws the plots", {
      hint: "run npm install once more",
      cause: error,
    });
  }
  return { plotly: await readText(path) };
}
