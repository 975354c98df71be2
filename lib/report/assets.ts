/** The one impure file of the report: reads what the page carries with it. */
import { createRequire } from "node:module";
import { EtlError } from "../core/errors.ts";
import { readText } from "../core/files.ts";
import { packReportAssets, type ReportAssets } from "./pack.ts";

let packed: Promise<ReportAssets> | undefined;

/** Plotly.js of the installed package `plotly.js-dist-min`, packed once for all pages. */
export function readReportAssets(): Promise<ReportAssets> {
  packed ??= readPlotly().then(packReportAssets);
  return packed;
}

async function readPlotly(): Promise<string> {
  let path: string;
  try {
    path = createRequire(import.meta.url).resolve("plotly.js-dist-min");
  } catch (error) {
    throw new EtlError("io", "report: the package plotly.js-dist-min is missing, it draws the plots", {
      hint: "run npm install once more",
      cause: error,
    });
  }
  return readText(path);
}
