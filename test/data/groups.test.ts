import { expect } from "chai";
import { groupRows, NO_GROUP } from "../../lib/data/groups.ts";
import { openDataset } from "../../lib/data/open.ts";

const table = {
  columns: ["gender", "age", "smile", "note", "x0", "same"],
  tasks: { gender: { column: "gender", values: { "0": "female", "1": "male" } } },
};
const rows = Array.from({ length: 40 }, (_, i) => ({
  labels: [String(i % 2), String(i), i === 7 ? "" : i % 4 === 0 ? "1" : "-1", `text ${i}`, String(i), "a"],
}));

describe("groups of test faces", () => {
  it("are values with their meaning, ranges of numbers, and no texts, landmarks or constants", () => {
    const { columns, codes } = groupRows(table, { kind: "categorical", columns: ["mood"], outputs: 3 }, rows);
    expect(columns).to.deep.equal([
      { column: "gender", labels: ["female", "male"] },
      { column: "age", labels: ["0 to 7", "8 to 15", "16 to 23", "24 to 31", "32 to 39"] },
      { column: "smile", labels: ["no", "yes"] },
    ]);
    expect(Array.from(codes[0])).to.deep.equal([0, 0, 1]);
    expect(Array.from(codes[7])).to.deep.equal([1, 0, NO_GROUP]);
    expect(Array.from(codes[39])).to.deep.equal([1, 4, 0]);
  });

  it("leave out what is learnt, but keep a number that is", () => {
    const columnsOf = (task: Parameters<typeof groupRows>[1]): string[] =>
      groupRows(table, task, rows).columns.map(({ column }) => column);
    expect(columnsOf({ kind: "binary", columns: ["gender"], outputs: 1 })).to.deep.equal(["age", "smile"]);
    expect(columnsOf({ kind: "regression", columns: ["age"], outputs: 1 })).to.include("age");
    expect(columnsOf({ kind: "multi-label", columns: ["smile"], outputs: 1 })).to.deep.equal([]);
  });

  it("belong to the test part alone", async () => {
    const { items, groups } = await openDataset({ data: "synthetic:80", task: "gender", seed: 1 });
    expect(groups.map(({ column }) => column)).to.deep.equal(["age", "emotion", "valence", "yaw"]);
    for (const { split, groups: codes } of items)
      expect(codes?.length).to.equal(split === "test" ? groups.length : undefined);
  });
});
