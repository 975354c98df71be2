/** Puts the page's functions together as one script text. */
import { formatBytes, formatCount, formatDigits, formatGamma, formatSi } from "../format.ts";
import { plotAxis, depthFigure, hoverTogether, plotLayout, tapFigure } from "./figures.ts";
import { addressOf, viewAt } from "./address.ts";
import { unfoldData, unfoldList } from "./data.ts";
import { bestTap, chosenAt, errorAt, errorRange, errorsOf, kneeAt, shownErrors } from "./knee.ts";
import {
  drawFigure,
  resolvedFigure,
  setupCurves,
  setupPictures,
  startReport,
  unpackPlotly,
  fromBase93,
} from "./main.ts";
import {
  tellListener,
  csvText,
  saveFile,
  setupDetails,
  setupPrint,
  setupTables,
  setupTheme,
  tableRows,
  toCsv,
} from "./page.ts";
import { smallLines, smallPoint } from "./small.ts";
import { compareKeys, setupEdges, setupFilters, setupSorting, sortKey } from "./table.ts";

/**
 * The source of the page's script. `__name` is a helper that some compilers call in the functions they emit; here
 * it does nothing.
 */
export function clientScript(): string {
  const functions = [
    formatCount,
    formatDigits,
    formatGamma,
    formatSi,
    formatBytes,
    unfoldList,
    unfoldData,
    errorsOf,
    shownErrors,
    kneeAt,
    chosenAt,
    errorAt,
    bestTap,
    errorRange,
    smallPoint,
    smallLines,
    plotAxis,
    plotLayout,
    hoverTogether,
    tapFigure,
    depthFigure,
    csvText,
    tableRows,
    toCsv,
    tellListener,
    saveFile,
    sortKey,
    compareKeys,
    setupSorting,
    setupFilters,
    setupEdges,
    addressOf,
    viewAt,
    setupTables,
    setupTheme,
    setupDetails,
    setupPrint,
    fromBase93,
    unpackPlotly,
    resolvedFigure,
    setupPictures,
    drawFigure,
    setupCurves,
    startReport,
  ];
  const names = functions.map((work) => work.name);
  return [
    "(() => {",
    '"use strict";',
    "const __name = (work) => work;",
    ...functions.map((work) => unqualified(String(work), names)),
    `${startReport.name}(globalThis);`,
    "})();",
  ].join("\n");
}

/**
 * Where the modules were compiled to CommonJS, a function of another file is called as `(0, file.name)(...)`. In the
 * page all functions stand side by side, so the qualifier goes. Other program text has no such form.
 */
export function unqualified(source: string, names: readonly string[]): string {
  return source.replace(/\(0,\s*[\w$]+\.([\w$]+)\)/g, (whole, name: string) =>
    names.includes(name) ? name : whole,
  );
}
