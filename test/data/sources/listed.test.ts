/** What a labels.csv lists, and what it does not. */
import { expect } from "chai";
import type { Dataset } from "../../../lib/data/dataset.ts";
import { openDataset } from "../../../lib/data/open.ts";
import { failure, removeFolders, tree } from "../support.ts";

const open = (data: string): Promise<Dataset> => openDataset({ data, task: "gender", seed: 1 });
const pictures = (n: number): Record<string, number> =>
  Object.fromEntries(Array.from({ length: n }, (_, i) => [`${i}.png`, i]));
const table = (n: number, words: readonly [string, string]): string =>
  `file,gender\n${Array.from({ length: n }, (_, i) => `${i}.png,${words[i % 2]}`).join("\n")}\n`;

describe("labels.csv and the pictures beside it", () => {
  after(removeFolders);

  it("pictures that are not listed are counted and named", async () => {
    const some = await open(await tree({ ...pictures(50), "labels.csv": table(40, ["m", "f"]) }));
    expect(some.assumptions.join("\n")).to.include(
      "pictures: 10 of 50 in the folder are not listed in labels.csv (40.png, 41.png, ...), and not used",
    );
    const all = await open(await tree({ ...pictures(40), "labels.csv": table(40, ["m", "f"]) }));
    expect(all.assumptions.join("\n")).not.to.include("not listed");
  });

  it("genders that are yes and no are asked for", async () => {
    for (const words of [
      ["yes", "no"],
      ["N", "Y"],
    ] as const) {
      const root = await tree({ ...pictures(40), "labels.csv": table(40, words) });
      expect((await failure(async () => open(root))).message).to.match(/which code means what was needed/);
    }
  });

  it("a table without rows is called that, and one with a column twice says what to do", async () => {
    const empty = await tree({ ...pictures(4), "labels.csv": "file,gender\n" });
    expect((await failure(async () => open(empty))).hint).to.match(/no row below it/);
    const twice = await tree({ ...pictures(4), "labels.csv": "file,gender,gender\n0.png,f,m\n" });
    const { message, hint } = await failure(async () => open(twice));
    expect([message, hint].join(" | ")).to.match(/two columns are called "gender".*rename one of them/);
  });
});
