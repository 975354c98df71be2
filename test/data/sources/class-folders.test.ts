import { expect } from "chai";
import { openDataset, readTable } from "../../../lib/data/open.ts";
import { readAnyTable } from "../../../lib/align/labels.ts";
import type { Dataset } from "../../../lib/data/dataset.ts";
import { failure, removeFolders, tree, writeTree } from "../support.ts";

const N = 24;
const open = (data: string, task: string, label?: string): Promise<Dataset> =>
  openDataset({ data, task, seed: 1, ...(label !== undefined && { label }) });
const named = (name: (i: number) => string): Promise<string> =>
  tree(Object.fromEntries(Array.from({ length: N }, (_, i) => [name(i), i])));
const mood = (i: number): string => ["happy", "sad"][i % 2];
const inTest = (i: number): boolean => i >= 16;
const partsOf = ({ items }: Dataset): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { split } of items) counts[split] = (counts[split] ?? 0) + 1;
  return counts;
};

describe("data/sources/class-folders: where the classes stand", () => {
  after(removeFolders);

  it("folders that hold folders of the same names are asked for; dataset.json says that they are parts", async () => {
    for (const top of [
      (i: number) => (inTest(i) ? "unseen" : "seen"),
      (i: number) => `fold${(i >> 1) % 3}`,
      (i: number) => ["Dark", "Strong", "Weak"][(i >> 1) % 3],
    ]) {
      const root = await named((i) => `${top(i)}/${mood(i)}/${i}.png`);
      for (const task of ["categorical", "emotion", "binary"]) {
        const error = await failure(() => open(root, task));
        expect(error.message, task).to.contain("hold folders of the same names (happy, sad)");
        expect(error.hint).to.contain(`"parts": { "column": "folder"`);
      }
      expect((await open(root, "categorical", "class")).task.classes).to.include(top(0));
      // photos are photos, whatever their folders mean
      const { table } = await readAnyTable(root);
      expect([table.columns, table.rows.length]).to.deep.equal([[], N]);
    }
    const seen = await named((i) => `${inTest(i) ? "unseen" : "seen"}/${mood(i)}/${i}.png`);
    const parts = { column: "folder", values: { seen: "train", unseen: "test" } };
    await writeTree(seen, { "dataset.json": JSON.stringify({ parts }) });
    const found = await open(seen, "emotion");
    expect(found.task.classes).to.deep.equal(["happiness", "sadness"]);
    expect(partsOf(found)["test"]).to.equal(8);
  });

  it("classes with parts of their own below them are classes", async () => {
    const root = await named((i) => `${["female", "male"][i % 2]}/batch${(i >> 1) % 2}/${i}.png`);
    expect((await open(root, "gender")).task.classes).to.deep.equal(["female", "male"]);
    const people = await named((i) => `person${i % 3}/video${i}/${i}.png`);
    expect((await open(people, "categorical")).task.classes).to.have.length(3);
  });

  it("a word for a part within the names: parts where that is all that differs, else asked for", async () => {
    const root = await named((i) => `WIDER_${inTest(i) ? "val" : "train"}/images/${mood(i)}/${i}.png`);
    const found = await open(root, "categorical");
    expect([found.task.classes, partsOf(found)["val"]]).to.deep.equal([["happy", "sad"], 8]);
    for (const name of [
      (i: number) => `${inTest(i) ? "test" : "train"}_${mood(i)}`,
      (i: number) => `${mood(i)}-${inTest(i) ? "Testing" : "Training"}`,
    ]) {
      const error = await failure(async () => open(await named((i) => `${name(i)}/${i}.png`), "categorical"));
      expect(error.message).to.contain("hold words for parts");
    }
    const classes = await named((i) => `test_${["positive", "negative"][i % 2]}/${i}.png`);
    expect((await open(classes, "categorical")).task.classes).to.deep.equal([
      "test_negative",
      "test_positive",
    ]);
  });

  it("the parts of dataset.json hold for every layout", async () => {
    const root = await named((i) => `part${inTest(i) ? 2 : 1}/${20 + i}_${i % 2}_1_${1000 + i}.png`);
    const values = { part1: "train", part2: "test" };
    await writeTree(root, { "dataset.json": JSON.stringify({ parts: { column: "folder", values } }) });
    expect((await readTable(root)).layout).to.equal("UTKFace");
    expect(partsOf(await open(root, "age"))["test"]).to.equal(8);
  });
});
