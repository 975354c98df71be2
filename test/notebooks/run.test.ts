import { expect } from "chai";
import { codeCells, execute, notebookNames, readNotebook, type Output } from "./execute.ts";

/** Numbers may differ by so much, relatively, or by so much in absolute terms: processors round differently. */
const relative = 0.05;
const absolute = 0.03;

const pattern = /-?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?/gi;

/** The first line in which two texts differ by more than rounding; undefined = none. */
function difference(found: string, committed: string): string | undefined {
  const [these, those] = [found.split("\n"), committed.split("\n")];
  const length = Math.max(these.length, those.length);
  for (let i = 0; i < length; i++) {
    const [a, b] = [these[i] ?? "", those[i] ?? ""];
    const same = (text: string): string => text.replace(pattern, "#").replace(/\s+/g, " ");
    const numbers = (text: string): number[] =>
      Array.from(text.matchAll(pattern), ([each]) => Number(each.replaceAll(",", "")));
    const others = numbers(b);
    const near = numbers(a).every(
      (value, k) => Math.abs(value - others[k]) <= Math.max(absolute, relative * Math.abs(others[k])),
    );
    if (same(a) !== same(b) || !near) return `line ${i + 1}: found "${a}", committed "${b}"`;
  }
  return undefined;
}

function textOf(outputs: readonly Output[]): string {
  return outputs.flatMap((output) => (output.output_type === "stream" ? output.text : [])).join("");
}

/** Kinds of what is shown beside text, with the number of marks of a drawing. */
function shownOf(outputs: readonly Output[]): string[] {
  return outputs.flatMap((output) =>
    output.output_type === "stream"
      ? []
      : Object.entries(output.data).map(
          ([type, lines]) => `${type}: ${lines.join("").match(/<(path|rect|circle|text)\b/g)?.length ?? 0}`,
        ),
  );
}

const names = await notebookNames();

describe("notebooks", function () {
  this.timeout(600_000);

  it("a wrong number and a wrong word are seen", () => {
    expect(difference("a 1.00 b\nc", "a 1.01 b\nc")).to.equal(undefined);
    expect(difference("a 1.00", "a 1.20")).to.match(/line 1/);
    expect(difference("kept 1,024", "kept 1,000")).to.equal(undefined);
    expect(difference("kept 1,024", "lost 1,024")).to.match(/line 1/);
    expect(difference("one\ntwo", "one")).to.match(/line 2/);
  });

  it("there are four, in nbformat 4, with the kernel they say they need", async () => {
    expect(names).to.have.length(4);
    for (const name of names) {
      const { nbformat, metadata, cells } = await readNotebook(name);
      expect(nbformat).to.equal(4);
      expect((metadata as { kernelspec: { name: string } }).kernelspec.name).to.equal("tslab");
      expect(new Set(cells.map(({ id }) => id)).size).to.equal(cells.length);
      expect(cells[0].cell_type).to.equal("markdown");
    }
  });

  for (const name of names) {
    it(`${name} runs and prints what is committed`, async () => {
      const notebook = await readNotebook(name);
      const outputs = await execute(notebook);
      codeCells(notebook).forEach((cell, i) => {
        const committed = cell.outputs ?? [];
        expect(difference(textOf(outputs[i]), textOf(committed)), `cell ${cell.id}`).to.equal(undefined);
        expect(shownOf(outputs[i]), `cell ${cell.id}`).to.deep.equal(shownOf(committed));
      });
      expect(outputs.flat().length).to.be.greaterThan(2);
    });
  }
});
