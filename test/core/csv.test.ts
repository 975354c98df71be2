import { expect } from "chai";
import fc from "fast-check";
import { parseCsv } from "../../lib/core/csv.ts";
import { failure } from "../data/support.ts";

describe("parseCsv", () => {
  it("reads quotes, doubled quotes, commas and line breaks in quotes, CRLF and a byte order mark", () => {
    const text = '\ufefffile,label\r\n"a,b.jpg","say ""hi"""\r\nc.jpg,"two\nlines"\r\n\r\nd.jpg\r\n';
    expect(parseCsv(text, "t")).to.deep.equal({
      header: ["file", "label"],
      rows: [
        ["a,b.jpg", 'say "hi"'],
        ["c.jpg", "two\nlines"],
        ["d.jpg", ""],
      ],
    });
  });

  it("gives back any table that was written with quotes", () => {
    const cell = fc.string({ unit: fc.constantFrom("a", '"', ",", "\n", "\r", " ", "é", "<") });
    const row = fc.array(cell, { minLength: 2, maxLength: 2 });
    fc.assert(
      fc.property(fc.array(row), (rows) => {
        const quoted = rows.map((cells) => cells.map((text) => `"${text.replaceAll('"', '""')}"`).join(","));
        expect(parseCsv(["a,b", ...quoted].join("\n"), "t").rows).to.deep.equal(rows);
      }),
    );
  });

  it("names the line of a long row and of an open quote", async () => {
    expect((await failure(() => parseCsv("a,b\n1,2\n1,2,3\n", "x.csv"))).message).to.equal(
      "x.csv, line 3: 3 cells, 2 were needed (one per column)",
    );
    const open = await failure(() => parseCsv('a,b\n"x\ny",1\n"open,2\n', "x.csv"));
    expect(open.kind).to.equal("format");
    expect(open.message).to.match(/^x\.csv, line 4: a quote is opened/);
  });

  it("a quote that is a letter does not swallow the rows up to the next one", async () => {
    for (const second of ['"hm', '5" tall', '"x","y"']) {
      const open = await failure(() => parseCsv(`a,b\n1,"ha\n2,\n3,${second}\n`, "x.csv"));
      expect(open.kind, second).to.equal("format");
      expect(open.message).to.match(/^x\.csv, line 2: a quote is opened/);
    }
    expect(parseCsv('a,b\n1,"x"y\n2,"two\nlines" \n', "t").rows[0]).to.deep.equal(["1", "xy"]);
  });

  it("says that a comment is above the names of the columns", async () => {
    const above = await failure(() => parseCsv("# faces of 2021\nfile,gender\na.jpg,female\n", "x.csv"));
    expect(above.hint).to.match(/a comment: remove it/);
  });

  it("refuses an empty text and columns of one name", async () => {
    expect((await failure(() => parseCsv("", "x.csv"))).message).to.match(/^x\.csv: empty/);
    expect((await failure(() => parseCsv("a,a\n", "x.csv"))).message).to.match(/two columns are called "a"/);
  });
});
