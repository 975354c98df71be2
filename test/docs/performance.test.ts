import { expect } from "chai";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { filled, pages, readResults } from "../../fixtures/make/performance.ts";
import { root } from "./markdown.ts";

describe("docs: performance", () => {
  for (const page of pages) {
    it(`${page} shows the results that are kept (npx tsx fixtures/make/performance.ts renews it)`, async () => {
      const text = readFileSync(join(root, page), "utf8");
      expect(text).to.match(/<!-- (results|cost-model)/);
      expect(filled(text, await readResults())).to.equal(text);
    });
  }

  it("every result names its bench, its machine and its load, and no folder of it", async () => {
    const found = await readResults();
    expect(found.size).to.be.greaterThan(2);
    for (const [name, { bench, command, machine, rows }] of found) {
      expect(name.startsWith(bench), name).to.equal(true);
      expect(readFileSync(join(root, "test/bench", `${bench}.ts`), "utf8")).to.contain(`report(`);
      expect(command, name).to.match(/^npx tsx test\/bench\/[\w-]+\.ts/);
      expect(machine.load, name).to.have.length(2);
      expect(rows, name).to.not.be.empty;
      expect(JSON.stringify(command), name).to.not.match(/ \/\w/);
    }
  });
});
