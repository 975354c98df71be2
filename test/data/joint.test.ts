import { expect } from "chai";
import { join } from "node:path";
import { isEtlError } from "../../lib/core/errors.ts";
import { batches } from "../../lib/data/images/batches.ts";
import { columnsOf, partsSentence, widthOf } from "../../lib/data/joint.ts";
import { openTasks } from "../../lib/data/open-tasks.ts";
import { prepareImages } from "../../lib/data/images/store.ts";
import { newFolder, removeFolders, small, writeTree } from "./support.ts";

const seeded = { seed: 1, valFraction: 0 };

/** Four labelled pictures a folder; `rows` = labels beside the picture's number. */
async function folder(root: string, name: string, header: string, rows: readonly string[]): Promise<string> {
  const pictures = Object.fromEntries(rows.map((_, i) => [`${name}/${i}.png`, 10 * i + name.length]));
  const csv = ["file,split," + header, ...rows.map((row, i) => `${i}.png,${row}`)].join("\n");
  await writeTree(root, { ...pictures, [`${name}/labels.csv`]: csv });
  return join(root, name);
}

describe("data/joint: several tasks in one data set", () => {
  let [both, ages, genders] = ["", "", ""];
  before(async () => {
    const root = newFolder();
    both = await folder(root, "both", "gender,yaw", [
      "train,f,10",
      "train,m,-20",
      "train,f,",
      "test,m,30",
      "test,f,0",
    ]);
    ages = await folder(root, "ages", "age", ["train,20", "train,31", "train,45", "test,52"]);
    genders = await folder(root, "genders", "gender,identity", ["train,f,a", "train,m,b", "test,m,c"]);
  });
  after(removeFolders);

  it("one folder: labels side by side, pictures without one of them left out and counted", async () => {
    const dataset = await openTasks(
      [
        { task: "gender", data: both },
        { task: "head-pose", data: both },
      ],
      seeded,
    );
    expect(columnsOf(dataset).map(({ task, start }) => [task.name, start])).to.deep.equal([
      ["gender", 0],
      ["head-pose", 1],
    ]);
    expect(widthOf(dataset)).to.equal(2);
    expect(dataset.items.map(({ file }) => file)).to.deep.equal(["0.png", "1.png", "3.png", "4.png"]);
    expect(dataset.items[1].target[0]).to.equal(1);
    expect(dataset.items[1].target[1]).to.be.closeTo((-20 * Math.PI) / 180, 1e-6);
    expect(dataset.items.every(({ mask }) => mask === undefined)).to.equal(true);
    expect(dataset.problems.map(({ problem }) => problem).join()).to.contain("yaw");
    expect(partsSentence(dataset)).to.equal("pictures: 2 training, 0 validation, 2 test");
  });

  it("says how many pictures each part and each task has, and one way of dividing", async () => {
    const own = await openTasks(
      [
        { task: "gender", data: genders },
        { task: "age", data: ages },
      ],
      seeded,
    );
    expect(partsSentence(own)).to.equal(
      "pictures: 5 training, 0 validation, 2 test; with a label of gender: 2 training, 0 validation, 1 test; age: 3 training, 0 validation, 1 test",
    );
    const rows = Array.from(
      { length: 12 },
      (_, i) => `${i < 8 ? "train" : "test"},${i % 2 ? "m" : "f"},${5 * i}`,
    );
    const many = await folder(newFolder(), "many", "gender,yaw", rows);
    const tasks = ["gender", "head-pose"].map((task) => ({ task, data: many }));
    const cut = await openTasks(tasks, { ...seeded, valFraction: 0.25 });
    expect(cut.assumptions.filter((said) => said.includes("cut off as val"))).to.have.length(1);
  });

  it("a mirrored picture changes each label as its own task says", async () => {
    const tasks = ["gender", "head-pose"].map((task) => ({ task, data: both }));
    const store = await prepareImages(await openTasks(tasks, seeded), small, { cacheDir: newFolder() });
    const seen = new Set<number>();
    for (let epoch = 0; epoch < 8; epoch++) {
      const options = { batchSize: 4, preprocessing: small, seed: 1, epoch, augment: { mirror: true } };
      for await (const { y, mirrored } of batches(store, [0, 1, 2, 3], options)) {
        mirrored.forEach((flag, i) => {
          seen.add(flag);
          const { target } = store.items[i];
          expect(y.data[2 * i]).to.equal(target[0]);
          expect(y.data[2 * i + 1]).to.equal(flag === 1 ? -target[1] : target[1]);
        });
      }
    }
    await store.close();
    expect([...seen].sort()).to.deep.equal([0, 1]);
  });

  it("folders of their own: every picture knows its own task only, under one root", async () => {
    const dataset = await openTasks(
      [
        { task: "gender", data: genders },
        { task: "age", data: ages },
      ],
      seeded,
    );
    expect(dataset.items).to.have.length(7);
    expect(dataset.items.map(({ file }) => file.split("/")[0])).to.deep.equal([
      ...new Array<string>(3).fill("genders"),
      ...new Array<string>(4).fill("ages"),
    ]);
    expect(dataset.items.map(({ mask }) => Array.from(mask ?? []).join(""))).to.deep.equal([
      ...new Array<string>(3).fill("10"),
      ...new Array<string>(4).fill("01"),
    ]);
    expect(dataset.items[4].target).to.deep.equal(Float32Array.of(0, 31));
    const store = await prepareImages(dataset, small, { cacheDir: newFolder() });
    const pixels = await store.read([1, 4]);
    expect([pixels[0], pixels[pixels.length / 2]]).to.deep.equal([10 + "genders".length, 10 + "ages".length]);
    await store.close();
  });

  it("is another data set where the labels of one folder are others", async () => {
    const open = async (data: string): Promise<string> =>
      (
        await openTasks(
          [{ task: "gender", data: genders }, ...(data === "" ? [] : [{ task: "age", data }])],
          seeded,
        )
      ).fingerprint;
    expect(await open(ages)).to.equal(await open(ages));
    expect(await open(ages)).to.not.equal(await open(""));
  });

  it("refuses drawn faces beside folders", async () => {
    const error: unknown = await openTasks(
      [
        { task: "gender", data: "synthetic:40" },
        { task: "age", data: ages },
      ],
      seeded,
    ).catch((e: unknown) => e);
    expect(isEtlError(error, "usage"), String(error)).to.equal(true);
  });
});
