/** No number of a page but follows from the record, and no sentence but is true of it: every kind of run, walked from top to bottom. */
import { expect } from "chai";
import { packReportAssets } from "../../../lib/report/pack.ts";
import { renderReport } from "../../../lib/report/report.ts";
import { createRandom, type Random } from "../../../lib/core/random.ts";
import { kinds, stored } from "../kinds.ts";
import { pageFaults } from "./walk.ts";

const tiny = await packReportAssets("var Plotly = {};");

describe("report: every number against the record", () => {
  for (const [kind, record] of Object.entries(kinds)) {
    it(`${kind}: every table, tile and sentence follows`, () => {
      const records = [record].flat().map(stored);
      const page = renderReport(Array.isArray(record) ? records : records[0], tiny);
      expect(pageFaults(page, records)).to.deep.equal([]);
    });
  }

  it("sees a wrong number wherever it stands", () => {
    const tried = {
      "age that got worse": 25,
      "emotions that got worse": 25,
      "groups of test faces": 25,
      "a sweep with a control": 8,
    };
    for (const [kind, times] of Object.entries(tried)) {
      const records = [kinds[kind]].flat().map(stored);
      const page = renderReport(Array.isArray(kinds[kind]) ? records : records[0], tiny);
      const unseen = falsified(page, times, createRandom(kind)).filter(
        ({ text }) => pageFaults(text, records).length === 0,
      );
      expect(
        unseen.map(({ what }) => what),
        kind,
      ).to.deep.equal([]);
    }
  });
});

/** The page with one of its numbers made another one, so many times. */
function falsified(page: string, times: number, random: Random): { text: string; what: string }[] {
  const start = page.indexOf("<body>");
  const body = page.slice(start, page.indexOf('<script type="application/json"'));
  const shown = [...body.matchAll(/>([^<>]*\d[^<>]*)</g)].flatMap(({ index, 1: text }) =>
    [...text.matchAll(/(?<![\w.#])\d[\d,]*(?:\.\d+)?/g)].map((found) => ({
      at: start + index + 1 + found.index,
      number: found[0],
    })),
  );
  return Array.from({ length: times }, () => {
    const { at, number } = shown[random.integer(shown.length)];
    const last = number.at(-1) ?? "0";
    // Half of the first digit's unit and more away: no rounding explains it.
    const other = `${number.slice(0, -1)}${(Number(last) + 3) % 10}`;
    const text = page.slice(0, at) + other + page.slice(at + number.length);
    return {
      text,
      what: `${page.slice(at - 60, at)}[${number}]${page.slice(at + number.length, at + number.length + 40)}`,
    };
  });
}
