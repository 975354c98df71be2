/** Copies of public sets that go round with other folders and tables than their makers', and hints that fit what lies there. */
import { expect } from "chai";
import type { Dataset } from "../../../lib/data/dataset.ts";
import { openDataset } from "../../../lib/data/open.ts";
import { failure, removeFolders, tree } from "../support.ts";

const open = (data: string, task: string, more: object = {}): Promise<Dataset> =>
  openDataset({ data, task, seed: 1, valFraction: 0, ...more });
const numbers = Array.from({ length: 28 }, (_, i) => i);
const pictures = (files: readonly string[]): Record<string, number> =>
  Object.fromEntries(files.map((name, i) => [name, i * 3]));
const partOf = (data: Dataset): Record<string, string> =>
  Object.fromEntries(data.items.map(({ file, split }) => [file, split]));

describe("copies of public sets", () => {
  after(removeFolders);

  it("train/ and test/ around pictures whose names are the labels are the parts", async () => {
    const files = numbers.map(
      (i) => `${i < 20 ? "train" : "test"}/${i + 1}_${i % 2}_0_2017${i}.jpg.chip.jpg`,
    );
    const data = await open(await tree(pictures(files)), "age");
    expect(data.layout).to.equal("UTKFace");
    expect(partOf(data)).to.deep.equal(Object.fromEntries(files.map((file) => [file, file.split("/")[0]])));
    expect(data.assumptions).to.contain("split: as given");
  });

  it("one name in two folders is one photograph where names are given once", async () => {
    const name = (i: number): string => `${i + 1}_${i % 2}_0_2017${i}.jpg.chip.jpg`;
    const files = numbers.flatMap((i) => [`UTKFace/${name(i)}`, `crop_part1/${name(i)}`]);
    const data = await open(await tree(pictures(files)), "age");
    const parts = partOf(data);
    for (const i of numbers) expect(parts[`crop_part1/${name(i)}`]).to.equal(parts[`UTKFace/${name(i)}`]);
    expect(data.assumptions.join("\n")).to.contain(
      "pictures: 28 have copies by their names (UTKFace/10_1_0_20179.jpg.chip.jpg, crop_part1/10_1_",
    );
    // Names of a table's pictures are plain numbers: no photograph is known by them.
    const plain = numbers.flatMap((i) => [`a/${i}.png`, `b/${i}.png`]);
    const table = ["file,age", ...plain.map((file, i) => `${file},${20 + i}`)].join("\n");
    const other = await open(await tree({ ...pictures(plain), "labels.csv": table }), "age");
    expect(other.assumptions.join("\n")).not.to.contain("copies");
  });

  it("RAF-DB without its list, in folders of its codes", async () => {
    const part = (i: number): string => (i < 21 ? "train" : "test");
    const file = (i: number): string =>
      `DATASET/${part(i)}/${1 + (i % 7)}/${part(i)}_${String(i).padStart(5, "0")}_aligned.jpg`;
    const data = await open(
      await tree({ ...pictures(numbers.map(file)), "train_labels.csv": "image,label\n" }),
      "emotion",
    );
    expect(data.layout).to.equal("RAF-DB");
    const said = Object.fromEntries(
      data.items.map((item) => [item.file, data.task.classes[item.target.indexOf(1)]]),
    );
    expect([0, 1, 2, 3, 4, 5, 6].map((i) => said[file(i)])).to.deep.equal([
      ...["surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral"],
    ]);
    expect(data.items.filter(({ split }) => split === "test")).to.have.length(7);
  });

  it("metadata.csv with a column file_name is a table, one with other columns is none", async () => {
    const rows = (from: number, to: number): string =>
      [
        "file_name,gender",
        ...numbers.slice(from, to).map((i) => `${i}.png,${i % 2 ? "male" : "female"}`),
      ].join("\n");
    const files = numbers.map((i) => `${i < 20 ? "train" : "test"}/${i}.png`);
    const own = { "train/metadata.csv": rows(0, 20), "test/metadata.csv": rows(20, 28) };
    const data = await open(await tree({ ...pictures(files), ...own }), "gender");
    expect(partOf(data)).to.deep.equal(Object.fromEntries(files.map((file) => [file, file.split("/")[0]])));
    expect(data.assumptions).to.contain("labels: test/metadata.csv, train/metadata.csv");
    const classes = numbers.map((i) => `${i % 2 ? "male" : "female"}/${i}.png`);
    const stray = await open(
      await tree({ ...pictures(classes), "metadata.csv": "source,license\nweb,none\n" }),
      "gender",
    );
    expect(stray.layout).to.equal("image folder");
  });

  it("a column without a name holds row numbers, no labels", async () => {
    const rows = [",file,gender", ...numbers.map((i) => `${i},${i}.png,${i % 2 ? "male" : "female"}`)];
    const files = numbers.map((i) => `${i}.png`);
    const root = await tree({ ...pictures(files), "labels.csv": rows.join("\n") });
    expect((await failure(() => open(root, "age"))).message).to.match(
      /has the columns gender, a column "age"/,
    );
    expect((await open(root, "gender")).items).to.have.length(28);
  });

  it("hints name the files that may hold the labels, and no classes where there are none below", async () => {
    const inOne = pictures(numbers.map((i) => `pics/${i}.png`));
    const hint = async (files: Record<string, number | string>, task: string): Promise<string | undefined> =>
      (await failure(() => tree(files).then((root) => open(root, task)))).hint;
    expect(await hint({ ...inOne, "faces.csv": "path,sex\n" }, "gender")).to.equal(
      "write a labels.csv (docs/data.md): faces.csv is not read",
    );
    expect(await hint({ ...inOne, "train.txt": "a 1\n", "test.txt": "b 0\n" }, "categorical")).to.equal(
      "write a labels.csv (docs/data.md): test.txt, train.txt are not read",
    );
    expect(
      await hint({ ...inOne, "list/attributes.txt": "Male\n", "README.txt": "x" }, "attributes"),
    ).to.equal("write a labels.csv (docs/data.md): list/attributes.txt is not read");
    expect(await hint(inOne, "landmarks")).to.equal("write a labels.csv (docs/data.md)");
    const deep = pictures(numbers.map((i) => `all/${i % 2 ? "male" : "female"}/${i}.png`));
    expect(await hint(deep, "gender")).to.match(
      /^if the classes lie below it: (--)?data .*\/all; else write a labels\.csv/,
    );
    const flat = pictures(numbers.map((i) => `${i}.png`));
    expect(await hint({ ...flat, "metadata.jsonl": "{}\n" }, "gender")).to.contain("here: metadata.jsonl");
  });
});
