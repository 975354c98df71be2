import { expect } from "chai";
import { existsSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { readPage, readPages, root, slugOf } from "./markdown.ts";

describe("docs: links", () => {
  const pages = readPages();

  it("finds what is broken", () => {
    const page = readPage("x.md", "# A b, `c`!\n\n[x](y.md#z) `[no](link)`\n\n```sh\n[no](link)\n```\n");
    expect(page.links).to.deep.equal([{ target: "y.md#z", line: 3 }]);
    expect([...page.anchors]).to.deep.equal(["a-b-c"]);
    expect(slugOf("The `etl` words: a, b")).to.equal("the-etl-words-a-b");
  });

  it("there is a README, and it links every page of docs/", () => {
    const readme = pages.find(({ path }) => path === "README.md");
    const linked = new Set(readme?.links.map(({ target }) => target.split("#")[0]));
    const docs = pages.map(({ path }) => path).filter((path) => path.startsWith("docs/"));
    expect(docs).to.not.be.empty;
    expect(docs.filter((path) => !linked.has(path))).to.deep.equal([]);
  });

  for (const page of pages) {
    it(`${page.path}: links and anchors resolve`, () => {
      const broken = page.links.filter(({ target }) => {
        if (/^(https?|mailto):/.test(target)) return false;
        const [file, anchor] = target.split("#");
        const path = file === "" ? join(root, page.path) : resolve(root, dirname(page.path), file);
        if (relative(root, path).startsWith("..") || !existsSync(path)) return true;
        if (anchor === undefined) return false;
        const other = pages.find((candidate) => join(root, candidate.path) === path);
        return !(other?.anchors.has(anchor) ?? false);
      });
      expect(broken.map(({ target, line }) => `line ${line}: ${target}`)).to.deep.equal([]);
    });
  }
});
