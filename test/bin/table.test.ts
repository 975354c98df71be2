import { expect } from "chai";
import { paceOf } from "../../bin/progress.ts";
import { table } from "../../bin/table.ts";

const titles = ["layer", "why it is tied to others", "filters"];
const rows = [
  ["stage1/block2/convolution", "adds up with the input of its block, and with that of the next", "64"],
  ["stage2/block1/convolution", "alone", "128"],
];

describe("tables", () => {
  it("stand as they are where they fit, numbers to the right", () => {
    const lines = table(titles, rows, 200).split("\n");
    expect(lines).to.have.length(4);
    expect(lines[2].endsWith("     64")).to.equal(true);
  });

  it("break words over lines in a narrow terminal, and lose nothing", () => {
    for (const width of [100, 80, 60, 40]) {
      const text = table(titles, rows, width);
      const lines = text.split("\n");
      expect(Math.max(...lines.map(({ length }) => length)), String(width)).to.be.at.most(width);
      for (const word of ["convolution", "adds", "input", "next", "alone", "64", "128"])
        expect(text, String(width)).to.contain(word);
    }
  });

  it("become lists where columns of numbers alone are too wide", () => {
    const names = Array.from({ length: 12 }, (_, i) => `number${i}`);
    const text = table(["network", ...names], [["one", ...names.map((_, i) => String(i))]], 60);
    expect(text.split("\n")).to.have.length(13);
    expect(text).to.contain("  number11  11");
  });

  it("slow steps say how long one takes", () => {
    expect(paceOf(25)).to.equal("25/s");
    expect(paceOf(2.5)).to.equal("2.5/s");
    expect(paceOf(0.25)).to.equal("4.0 s each");
  });
});
