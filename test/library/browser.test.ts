import { expect } from "chai";
import { build } from "esbuild";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { chromium } from "playwright-core";
import { lassoPath } from "../../lib/lasso/path.ts";
import { requireOrSkip } from "../support/require.ts";

const root = resolve(import.meta.dirname, "../..");
const chromiumPath = process.env["ETL_CHROMIUM"] ?? "/usr/bin/chromium";

/** What a bundler for browsers makes of a program that uses a part of the library. */
async function bundle(program: string): Promise<string> {
  const { outputFiles, warnings } = await build({
    stdin: { contents: program, resolveDir: root, loader: "ts" },
    alias: {
      "etl-prune/lasso": resolve(root, "lib/browser/lasso.ts"),
      "etl-prune/network": resolve(root, "lib/browser/network.ts"),
      "etl-prune/report": resolve(root, "lib/browser/report.ts"),
    },
    ...{ bundle: true, write: false, minify: true, logLevel: "silent" },
    ...{ platform: "browser", format: "iife" },
  });
  expect(warnings).to.deep.equal([]);
  return outputFiles[0].text;
}

/** A LASSO on responses of one's own, as a page would have them. */
const program = `
  import { chooseKnee, lassoPath } from "etl-prune/lasso";
  const rows = 40, columns = 6;
  const data = Float64Array.from({ length: rows * columns }, (_, i) => Math.sin(i * 1.7) + Math.cos(i * 0.31));
  const y = Float64Array.from({ length: rows }, (_, i) => 2 * data[i * columns] - data[i * columns + 3]);
  const path = lassoPath({ x: { data, rows, columns }, y }, { lambdas: 20 });
  const knee = chooseKnee(path, 0.1);
  globalThis.answer = { keep: Array.from(knee.keep), rmse: path.points.map(({ rmse }) => rmse) };
`;

describe("library: in a browser", function () {
  this.timeout(120_000);

  for (const [part, most] of [
    ["lasso", 60_000],
    ["network", 200_000],
    ["report", 150_000],
  ] as const) {
    it(`a bundler takes etl-prune/${part}, at most ${most / 1000} kB`, async () => {
      const text = await bundle(`import * as part from "etl-prune/${part}"; console.log(part);`);
      expect(text.length).to.be.below(most);
      expect(text).to.not.match(/\brequire\(|["']node:/);
    });
  }

  it("a page computes the path that Node computes", async function () {
    requireOrSkip(this, "chromium", existsSync(chromiumPath));
    const browser = await chromium.launch({
      executablePath: chromiumPath,
      args: ["--no-sandbox", "--disable-gpu"],
    });
    try {
      const page = await browser.newPage();
      await page.addScriptTag({ content: await bundle(program) });
      const answer: { keep: number[]; rmse: number[] } = await page.evaluate("answer");
      const [rows, columns] = [40, 6];
      const data = Float64Array.from(
        { length: rows * columns },
        (_, i) => Math.sin(i * 1.7) + Math.cos(i * 0.31),
      );
      const y = Float64Array.from({ length: rows }, (_, i) => 2 * data[i * columns] - data[i * columns + 3]);
      const here = lassoPath({ x: { data, rows, columns }, y }, { lambdas: 20 });
      expect(answer.keep).to.include.members([0, 3]);
      here.points.forEach(({ rmse }, i) => {
        expect(answer.rmse[i]).to.be.closeTo(rmse, 1e-9);
      });
    } finally {
      await browser.close();
    }
  });
});
