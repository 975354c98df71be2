import { expect } from "chai";
import { printable } from "../../lib/core/printable.ts";
import { createProgress } from "../../bin/progress.ts";
import { table } from "../../bin/table.ts";

describe("printable", () => {
  const hostile = "a\u001b[31mred\u0007\r\nerror: forged\u202egnp.exe\u009b2J";

  it("writes out what a terminal would obey, and leaves letters of every script alone", () => {
    expect(printable(hostile)).to.equal("a\\x1b[31mred\\x07\\x0d\\x0aerror: forged\\u202egnp.exe\\x9b2J");
    const names = "Zoë, Łukasz, 张伟, עברית, 👩‍🔬, naïve\u00a0space";
    expect(printable(names)).to.equal(names);
    expect(printable("a\nb\tc", "\n\t")).to.equal("a\nb\tc");
  });

  it("cuts endless words and endless text, never results", () => {
    const long = printable(`${"x".repeat(1e6)} was found`);
    expect(long.length).to.be.lessThan(1000);
    expect(long).to.contain("characters) …");
    expect(printable("word ".repeat(1e5)).length).to.be.lessThan(9000);
    expect(printable("x".repeat(1e4), "\n", "all")).to.have.length(1e4);
  });

  it("holds for everything that is printed while a run goes on, and in tables", () => {
    let text = "";
    const stream = { isTTY: false, write: (part: string) => ((text += part), true) };
    const progress = createProgress(stream as unknown as NodeJS.WriteStream, {
      quiet: false,
      verbose: false,
    });
    progress.start(hostile);
    progress.finish(hostile);
    progress.note(hostile);
    progress.warn(hostile);
    text += table(["name", hostile], [[hostile, "1"]], Infinity);
    expect(text).to.not.match(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    expect(text.split("\n")).to.have.length(6);
  });
});
