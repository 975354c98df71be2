/** Classes that are ranges of numbers, and cells that are lists of tags. */
import { expect } from "chai";
import { byRange } from "../../lib/data/age-groups.ts";
import { openDataset } from "../../lib/data/open.ts";
import { tagsIn } from "../../lib/data/tag-lists.ts";
import { failure, removeFolders, tree } from "./support.ts";

const table = (labels: readonly string[]): Promise<string> =>
  tree({
    ...Object.fromEntries(Array.from({ length: 84 }, (_, i) => [`${i}.png`, i])),
    "labels.csv": `file,what\n${Array.from({ length: 84 }, (_, i) => `${i}.png,"${labels[i % labels.length]}"`).join("\n")}\n`,
  });
const open = (data: string, task: string, more: object = {}) =>
  openDataset({ data, task, label: "what", seed: 1, ...more });
const counts = (cells: readonly string[]): Map<string, number> => new Map(cells.map((cell) => [cell, 2]));

describe("names of classes", () => {
  after(removeFolders);

  const groups = ["0-2", "4-6", "8-12", "15-20", "60-100", "100+"];
  it("that are ranges stand in the order of their numbers", async () => {
    const shuffled = ["100+", "4-6", "60-100", "0-2", "15-20", "8-12"];
    const root = await table(shuffled);
    for (const task of ["categorical", "age-group"])
      expect((await open(root, task)).task.classes, task).to.deep.equal(groups);
    const folders = await tree(
      Object.fromEntries(Array.from({ length: 84 }, (_, i) => [`${shuffled[i % 6]}/${i}.png`, i])),
    );
    const data = await openDataset({ data: folders, task: "age-group", seed: 1 });
    expect(data.task.classes).to.deep.equal(groups);
    for (const order of [
      ["<18", "18-30", ">30"],
      ["under 18", "18-25", "41+", "over 65"],
      ["(0, 2)", "(4, 6)", "(38, 43)"],
      ["0–9", "10–19", "35", "90 to 99", "100 and over"],
    ])
      expect(byRange(order.toReversed())).to.deep.equal(order);
    for (const none of [
      ["1", "2", "10"],
      ["0-2", "child"],
    ])
      expect(byRange(none)).to.equal(undefined);
  });

  it("of a model keep the order that they were made with", async () => {
    const saved = [...groups].sort();
    const { task, items } = await open(await table(groups), "categorical", { classes: saved });
    expect(task.classes).to.deep.equal(saved);
    for (const { file, target } of items)
      expect(saved[target.indexOf(1)]).to.equal(groups[Number.parseInt(file) % 6]);
  });

  it("are the groups that errors are counted by in their order, too", async () => {
    const root = await tree({
      ...Object.fromEntries(Array.from({ length: 80 }, (_, i) => [`${i}.png`, i])),
      "labels.csv": `file,gender,years\n${Array.from({ length: 80 }, (_, i) => `${i}.png,${["f", "m"][i % 2]},${["<18", ">30", "18-30"][i % 3]}`).join("\n")}\n`,
    });
    const data = await openDataset({ data: root, task: "gender", seed: 1 });
    expect(data.groups.map(({ labels }) => labels)).to.deep.equal([["<18", "18-30", ">30"]]);
  });

  it("are no lists of tags: what to write is said", async () => {
    for (const mark of ["|", ";", ", "]) {
      const root = await table([`Smiling${mark}Male`, "Smiling", `Male${mark}Young`]);
      for (const task of ["multi-label", "binary"]) {
        const { message, hint } = await failure(async () => open(root, task));
        expect(message).to.match(/holds lists of tags .* a column for each tag with 1 and 0 was needed/);
        expect(hint).to.include("(file,Smiling,Male,Young)");
      }
      expect((await open(root, "categorical")).assumptions.join("\n")).to.match(
        /holds lists of tags, and every list is a class of its own/,
      );
    }
    expect(tagsIn(counts(['["a", "b"]', '["a"]']))).to.deep.equal(["a", "b"]);
    expect(tagsIn(counts(["a;b"]))).to.deep.equal(["a", "b"]);
    for (const none of [
      ["female", "male"],
      ["Lee, Ann", "Poe, Bob", "Lee, Bea"],
      ["(0, 2)", "(4, 6)"],
      ["n/a", "yes"],
      ["2020/01/02", "2020/01/03"],
      ["black/white", "brown"],
    ])
      expect(tagsIn(counts(none)), none.join()).to.equal(undefined);
  });
});
