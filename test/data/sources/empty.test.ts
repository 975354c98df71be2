/** Fields and lists that say nothing. */
import { expect } from "chai";
import type { Dataset } from "../../../lib/data/dataset.ts";
import { openDataset } from "../../../lib/data/open.ts";
import { failure, removeFolders, tree } from "../support.ts";

const open = (data: string, task = "gender"): Promise<Dataset> => openDataset({ data, task, seed: 1 });
const sex = (i: number): string => ["male", "female"][i % 2];
const names = Array.from({ length: 40 }, (_, i) => `${sex(i)}/${i}.png`);
const pictures = Object.fromEntries(names.map((name, i) => [name, i]));

describe("what a folder leaves empty", () => {
  after(removeFolders);

  it("a field of dataset.json without content is named, with what was needed", async () => {
    const lines = names.map((name, i) => `${name},${i % 4 ? "train" : "test"},${sex(i)}`);
    const table = { ...pictures, "labels.csv": `file,split,gender\n${lines.join("\n")}\n` };
    for (const [said, needed] of [
      [{ parts: [] }, /parts is \[\], an object such as { "column": "split" } was needed/],
      [{ parts: {} }, /parts is {}, an object such as/],
      [{ parts: { column: "" } }, /parts.column is "", the name of a column/],
      [{ parts: {}, name: "x" }, /parts is {}/],
      [{ parts: { values: { a: "train" } } }, /parts.column is not there, the name of a column/],
      [{ parts: { column: "split", values: {} } }, /parts.values is {}, an object from word to train/],
      [{ identity: "" }, /identity is "", text was needed/],
      [{ pairs: " " }, /pairs is " ", text was needed/],
      [
        { tasks: { gender: { columns: [] } } },
        /tasks.gender.columns is \[\], names of columns, at least one/,
      ],
      [{ tasks: { gender: { columns: [""] } } }, /tasks.gender.columns is \[""\], names of columns/],
      [{ tasks: { gender: { values: {} } } }, /tasks.gender.values is {}, an object from code to name/],
      [{ tasks: { gender: { codes: {} } } }, /tasks.gender.codes is {}, an object from code to yes/],
    ] as const) {
      const root = await tree({ ...table, "dataset.json": JSON.stringify(said) });
      expect((await failure(async () => open(root))).message).to.match(needed);
    }
    const root = await tree({ ...table, "dataset.json": '{"parts":[]}' });
    expect((await failure(async () => open(root))).hint).to.equal(
      "leave the field out where there is nothing to say",
    );
  });

  it("a list of a part that names none of the pictures is refused; lists that are read are not said to be unread", async () => {
    const half = (n: number): string => names.slice(0, n).join("\n");
    for (const test of ["", "\n\n", "a/b/c.png\n"]) {
      const root = await tree({ ...pictures, "train.txt": half(30), "test.txt": test });
      expect((await failure(async () => open(root))).message).to.match(
        /test.txt names none of the pictures \(30 are in the other list\)/,
      );
    }
    const root = await tree({ ...pictures, "train.txt": half(30), "test.txt": names.slice(30).join("\n") });
    const said = (await open(root)).assumptions.join("\n");
    expect(said).to.include("split: as test.txt, train.txt say");
    expect(said).not.to.include("not read");
  });
});
