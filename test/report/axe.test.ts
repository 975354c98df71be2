/** What the rules of axe-core find in reports: nothing, for every kind of page, light and dark, on a desktop and on a phone. */
import axe from "axe-core";
import { expect } from "chai";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium, type Browser } from "playwright-core";
import type { RunRecord } from "../../lib/record/record.ts";
import { readReportAssets } from "../../lib/report/assets.ts";
import { renderReport } from "../../lib/report/report.ts";
import { requireOrSkip } from "../support/require.ts";
import { sampleFaces, sampleResponse, withGroups } from "./extras.ts";
import { sampleRecord, sampleRegression } from "./sample.ts";

const chromiumPath = process.env["ETL_CHROMIUM"] ?? "/usr/bin/chromium";

interface Finding {
  readonly id: string;
  readonly nodes: readonly { readonly html: string }[];
}

const trained = (record: RunRecord): RunRecord => ({
  ...record,
  ...{ title: "light", curves: [], layers: [], gammaCosts: [], layerCosts: [], models: [record.models[0]] },
});
const links = { files: [{ name: "a.json", what: "numbers", href: "a.json" }], repeat: "etl prune" };
const pages: Readonly<Record<string, () => Promise<RunRecord | RunRecord[]>>> = {
  run: async () => ({
    ...withGroups(sampleRecord()),
    ...{ links, responses: [sampleResponse], faces: await sampleFaces() },
  }),
  sweep: () => Promise.resolve([sampleRecord(0.01), sampleRecord(0.1)]),
  compare: () => Promise.resolve([sampleRecord(0.1), sampleRegression()]),
  train: () => Promise.resolve(trained(sampleRecord())),
};

describe("report: axe", function () {
  this.timeout(600_000);
  let browser: Browser | undefined;
  let folder = "";

  before(async function () {
    requireOrSkip(this, "chromium", existsSync(chromiumPath));
    folder = await mkdtemp(join(tmpdir(), "etl-axe-"));
    browser = await chromium.launch({
      executablePath: chromiumPath,
      args: ["--no-sandbox", "--disable-gpu"],
    });
  });

  after(async () => {
    await browser?.close();
    if (folder !== "") await rm(folder, { recursive: true, force: true });
  });

  for (const [name, record] of Object.entries(pages)) {
    it(`${name}: no rule is broken`, async () => {
      if (!browser) throw new Error("the browser was not started");
      const file = join(folder, `${name}.html`);
      await writeFile(file, renderReport(await record(), await readReportAssets()));
      const page = await browser.newPage();
      await page.goto(pathToFileURL(file).href);
      await page.waitForSelector("html.drawn", { state: "attached", timeout: 120_000 });
      await page.evaluate("document.querySelectorAll('details').forEach((e) => { e.open = true; })");
      await page.evaluate(axe.source);
      for (const width of [1366, 390]) {
        for (const colorScheme of ["light", "dark"] as const) {
          await page.setViewportSize({ width, height: 900 });
          await page.emulateMedia({ colorScheme });
          const { violations, passes } = await page.evaluate<Record<"violations" | "passes", Finding[]>>(
            // A plot is one image with a name: what is inside of it is not looked at by itself.
            "new Promise((done) => setTimeout(done, 200)).then(() => axe.run({ exclude: ['.plot > *'] }, { resultTypes: ['violations'] }))",
          );
          expect(passes.length).to.be.above(20);
          expect(
            violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`),
            `${width} ${colorScheme}`,
          ).to.deep.equal([]);
        }
      }
      await page.close();
    });
  }
});
