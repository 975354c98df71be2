import { expect } from "chai";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { requireOrSkip } from "../support/require.ts";
import { readPage, readPages } from "./markdown.ts";
import { runnableBlocks } from "./run/blocks.ts";
import { preparePlace, runBlock, type Place } from "./run/place.ts";
import { buildProgram, type Program } from "./run/program.ts";

/**
 * Runs every shell and ts block of the documentation: the built program, small folders of faces, a small backbone,
 * one epoch. What a block says itself (tasks, gammas, architectures, files) stays as it is.
 */
describe("docs: blocks run", function () {
  this.timeout(1_800_000); // minutes, where other work has the cores
  let folder: string;
  let program: Program;
  const pages = readPages();
  const blocks = runnableBlocks(pages);
  /** Whole sweeps, and trainings of networks in all their forms: minutes each. `ETL_DOCS=long` runs them, too. */
  const long = new Set(["docs/sweeps.md", "docs/light-networks.md"]);
  const left = [...blocks.values()].flat().filter(({ notRun }) => notRun !== undefined);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "etl-docs-"));
    program = await buildProgram(join(folder, "program"));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it("a block that fails is seen, and one that says why it is not run", async () => {
    const text = [
      "```sh\netl prume\n```\n```ts\nthrow new Error('no');\n```",
      "```sh\n# Not run by the tests: it needs a cluster\nkubectl\n```",
    ].join("\n");
    const page = readPage("x.md", text);
    const [shell, code, marked] = runnableBlocks([page]).get("x.md") ?? [];
    const place = await preparePlace(program, join(folder, "x"), page);
    for (const block of [shell, code]) {
      const failed: unknown = await runBlock(block, place).catch((error: unknown) => error);
      expect(String(failed)).to.match(/prume|no/);
      expect(String(failed)).to.match(/exit code [12]/);
    }
    expect(marked.notRun).to.equal("it needs a cluster");
  });

  it(`${left.length} blocks are not run, each says why`, () => {
    for (const { page, line, notRun } of left) console.log(`      ${page}:${line}: ${notRun}`);
    expect(left.length).to.be.lessThan([...blocks.values()].flat().length / 3);
  });

  for (const page of pages) {
    const all = (blocks.get(page.path) ?? []).filter(({ notRun }) => notRun === undefined);
    const programs = all.filter(({ text }) => text.trim() !== "");
    if (programs.length === 0) continue;
    describe(page.path, () => {
      let place: Place;
      before(async function () {
        requireOrSkip(this, "long-docs", !long.has(page.path) || process.env["ETL_DOCS"] === "long");
        place = await preparePlace(program, join(folder, page.path.replaceAll(/\W/g, "-")), page);
      });
      for (const block of programs) {
        it(`line ${block.line} (${block.kind})`, async () => {
          await runBlock(block, place);
        });
      }
    });
  }
});
