import { expect } from "chai";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { helpFolder, helpNames, helpText, withCommands } from "../../fixtures/make/help.ts";
import { root } from "./markdown.ts";

describe("docs: help", function () {
  this.timeout(60_000);

  it("there is one golden text for the program and one for every command", () => {
    const files = readdirSync(helpFolder).map((file) => file.replace(/\.txt$/, ""));
    expect(files.sort()).to.deep.equal([...helpNames].sort());
  });

  for (const name of helpNames) {
    it(`${name === "etl" ? "etl" : `etl ${name}`} --help (npx tsx fixtures/make/help.ts renews it)`, async () => {
      expect(await helpText(name)).to.equal(readFileSync(join(helpFolder, `${name}.txt`), "utf8"));
    });
  }

  it("the README's command table is the program's", () => {
    const readme = readFileSync(join(root, "README.md"), "utf8");
    expect(withCommands(readme)).to.equal(readme);
  });
});
