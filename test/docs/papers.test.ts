import { expect } from "chai";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./markdown.ts";

/** Rows of the tables in docs/papers.md, as cells. */
const rows = readFileSync(join(root, "docs/papers.md"), "utf8")
  .split("\n")
  .filter((line) => line.startsWith("| ") && !line.startsWith("| in the paper") && !line.startsWith("| ---"))
  .map((line) =>
    line
      .slice(1, -1)
      .split("|")
      .map((cell) => cell.trim()),
  );

describe("docs: the papers, line by line", () => {
  it("has a table for each of the five, with a place, a verdict and a test in every row", () => {
    expect(rows.length).to.be.greaterThan(50);
    for (const row of rows) {
      expect(row, row.join(" | ")).to.have.length(5);
      expect(
        row.every((cell) => cell !== ""),
        row.join(" | "),
      ).to.equal(true);
    }
  });

  it("every test that is named exists, under the words given", () => {
    for (const [what, , , , held] of rows) {
      if (held.startsWith("none: ")) continue;
      const [, file, words] = /^\[[^\]]+\]\(\.\.\/([^)]+)\): (.+)$/.exec(held) ?? [];
      expect(words, `${what}: ${held}`).to.be.a("string");
      const path = join(root, file);
      expect(existsSync(path), path).to.equal(true);
      // The words of a test, not of a comment: of its title, or of the table that its titles are made of.
      const lines = readFileSync(path, "utf8").replaceAll('\\"', '"').split("\n");
      const spoken = lines.filter((line) => !/^\s*(\/\/|\/?\*)/.test(line) && line.includes(words));
      expect(spoken, `${what}: ${file}: ${words}`).not.to.deep.equal([]);
      expect(
        spoken.every((line) => /\b(it|describe)\.skip\(/.test(line)),
        words,
      ).to.equal(false);
    }
  });
});
