/** `etl-prune/report`: the page of a run from its record; runs in a browser. */
export { EtlError, isEtlError } from "../core/errors.ts";
export { packReportAssets } from "../report/pack.ts";
export type { ReportAssets } from "../report/pack.ts";
export { renderReport } from "../report/report.ts";
export type { RunRecord } from "../record/record.ts";
