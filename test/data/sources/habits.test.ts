import { expect } from "chai";
import { openDataset } from "../../../lib/data/open.ts";
import { openTasks } from "../../../lib/data/open-tasks.ts";
import type { Dataset } from "../../../lib/data/dataset.ts";
import { failure, removeFolders, tree } from "../support.ts";

const open = (data: string, task: string, more: object = {}): Promise<Dataset> =>
  openDataset({ data, task, seed: 1, ...more });

/** `n` pictures by name; every grey level only once, unless told. */
function pictures(n: number, name: (i: number) => string): Record<string, number> {
  return Object.fromEntries(Array.from({ length: n }, (_, i) => [name(i), i % 250]));
}

const sex = (i: number): string => (i % 2 === 0 ? "male" : "female");

describe("data as people have it", () => {
  after(removeFolders);

  describe("parts", () => {
    it("are parts in any case and in the usual words, never classes", async () => {
      for (const [train, other, split] of [
        ["Training", "Validation", "val"],
        ["TRAIN", "TEST", "test"],
        ["train", "dev", "val"],
        ["Train", "eval", "test"],
      ]) {
        const root = await tree(pictures(20, (i) => `${i < 14 ? train : other}/${sex(i)}/${i}.png`));
        const { items, task } = await open(root, "gender", { valFraction: 0 });
        expect(task.classes, train).to.deep.equal(["female", "male"]);
        expect(
          items.filter((item) => item.split === split),
          other,
        ).to.have.length(6);
      }
    });

    it("a class may be called test, and a folder of one part alone is one", async () => {
      const classes = await tree(pictures(12, (i) => `${["test", "rest"][i % 2]}/${i}.png`));
      expect((await open(classes, "categorical")).task.classes).to.deep.equal(["rest", "test"]);
      const alone = await tree(pictures(8, (i) => `test/${sex(i)}/${i}.png`));
      const { items } = await open(alone, "gender", { classes: ["female", "male"] });
      expect(new Set(items.map(({ split }) => split))).to.deep.equal(new Set(["test"]));
    });

    it("are found in columns of other names where the words are those of parts, and said", async () => {
      const rows = (column: string, words: readonly string[]): string =>
        [`File,Gender,${column}`, ...words.map((word, i) => `${i}.png,${sex(i)},${word}`)].join("\n");
      const words = Array.from({ length: 20 }, (_, i) => (i < 14 ? "Training" : "PrivateTest"));
      const root = await tree({ ...pictures(20, (i) => `${i}.png`), "labels.csv": rows("Usage", words) });
      const { items, assumptions } = await open(root, "gender", { valFraction: 0 });
      expect(items.filter(({ split }) => split === "test")).to.have.length(6);
      expect(assumptions.join()).to.contain('column "Usage" is taken for the parts');
      const odd = await tree({
        ...pictures(20, (i) => `${i}.png`),
        "labels.csv": rows(
          "set",
          words.map((_, i) => `fold${i % 3}`),
        ),
      });
      expect((await open(odd, "gender")).assumptions.join()).to.contain(
        'column "set" is not taken for the parts',
      );
    });
  });

  describe("folders that are no classes", () => {
    it("numbers are no ages and no angles unless the user says so", async () => {
      const root = await tree(pictures(30, (i) => `${String(i % 3).padStart(2, "0")}/${i}.png`));
      for (const task of ["age", "head-pose"]) {
        const error = await failure(() => open(root, task));
        expect(error.message, task).to.match(/names of folders are no (years|degrees)/);
        expect(error.hint).to.contain("--label class");
      }
      expect((await open(root, "age", { label: "class" })).items).to.have.length(30);
    });

    it("persons are no emotions, and one folder too high is said to be so", async () => {
      const persons = await tree(pictures(24, (i) => `AF0${i % 4}/${i}.png`));
      expect((await failure(() => open(persons, "emotion"))).message).to.contain(
        "none of the 4 folder names",
      );
      const high = await tree(pictures(24, (i) => `archive/train/${["happy", "sad"][i % 2]}/${i}.png`));
      expect((await failure(() => open(high, "emotion"))).hint).to.match(/--data \S*archive/);
    });
  });

  describe("codes", () => {
    const table = async (column: string, code: (i: number) => string, more = {}): Promise<string> =>
      tree({
        ...pictures(24, (i) => `${i}.png`),
        "labels.csv": [`file,${column}`, ...Array.from({ length: 24 }, (_, i) => `${i}.png,${code(i)}`)].join(
          "\n",
        ),
        ...more,
      });

    it("True, 1.0 and yes are 1, False, 0.0 and no are 0", async () => {
      for (const [yes, no] of [
        ["True", "False"],
        ["1.0", "0.0"],
        ["yes", "no"],
        ["1", "-1"],
      ]) {
        const root = await table("Male", (i) => (i % 2 === 0 ? yes : no));
        const { items, task } = await open(root, "gender");
        expect(task.classes).to.deep.equal(["female", "male"]);
        for (const { file, target } of items)
          expect(target[0], `${yes} ${file}`).to.equal(1 - (parseInt(file) % 2));
      }
    });

    it("1, 0 and -1 together: between male and female lies not known; of attributes it is asked for", async () => {
      const root = await table("Male", (i) => ["1", "-1", "0"][i % 3]);
      const { items, problems } = await open(root, "gender");
      expect([items.length, problems.length]).to.deep.equal([16, 8]);
      const error = await failure(() => open(root, "attributes"));
      expect(error.message).to.contain("8 times 1, 8 times 0, 8 times -1");
      expect(error.hint).to.contain('"codes"');
      const said = await table("Male", (i) => ["1", "-1", "0"][i % 3], {
        "dataset.json": JSON.stringify({
          tasks: { attributes: { columns: ["Male"], codes: { "1": "yes", "-1": "no", "0": "unknown" } } },
        }),
      });
      const attributes = await open(said, "attributes");
      for (const { file, target } of attributes.items)
        expect(target[0], file).to.equal(parseInt(file) % 3 === 0 ? 1 : 0);
      expect(attributes.items).to.have.length(16);
    });

    it("Yes and yes are one class", async () => {
      const root = await table("answer", (i) => ["Yes", "yes", "No"][i % 3]);
      expect((await open(root, "categorical", { label: "answer" })).task.classes).to.have.length(2);
    });
  });

  it("tables: blanks, backslashes, absolute paths and empty columns are read, other separators named", async () => {
    const root = await tree(pictures(20, (i) => `images/${i}.png`));
    const written = async (line: (i: number) => string, header = "file,gender"): Promise<string> =>
      (await import("../support.ts")).writeTree(root, {
        "labels.csv": [header, ...Array.from({ length: 20 }, (_, i) => line(i))].join("\n"),
      });
    for (const [what, line, header] of [
      ["blanks", (i: number) => `images/${i}.png , "${sex(i)}"`],
      ["backslashes", (i: number) => `images\\${i}.png,${sex(i)}`],
      ["absolute", (i: number) => `${root}/images/${i}.png,${sex(i)}`],
      ["empty columns", (i: number) => `images/${i}.png,${sex(i)},,`, "file,gender,,"],
    ] as const) {
      await written(line, header);
      const { items, task } = await open(root, "gender");
      expect([what, items.length, task.classes]).to.deep.equal([what, 20, ["female", "male"]]);
    }
    await written((i) => `images/${i}.png;${sex(i)}`, "file;gender");
    expect((await failure(() => open(root, "gender"))).message).to.contain("columns separated by semicolons");
    await written((i) => `images/${i}.png\t${sex(i)}`, "file\tgender");
    expect((await failure(() => open(root, "gender"))).message).to.contain("columns separated by tabs");
  });

  it("the same picture twice leaves training, never the test part, and is not divided by seed", async () => {
    const given = await tree({
      ...pictures(12, (i) => `train/${sex(i)}/${i}.png`),
      ...Object.fromEntries([0, 1, 2, 3].map((i) => [`test/${sex(i)}/${i}.png`, i])),
    });
    const { items, problems, assumptions } = await open(given, "gender", { valFraction: 0 });
    expect(items.filter(({ split }) => split === "test")).to.have.length(4);
    expect(items.filter(({ split }) => split === "train")).to.have.length(8);
    expect(problems.map(({ problem }) => problem).join()).to.contain("the same picture as test/");
    expect(assumptions.join("\n")).to.contain("pictures: 4 are there twice");
    const cut = await tree({
      ...pictures(40, (i) => `a/${i}.png`),
      ...pictures(40, (i) => `b/${i}.png`),
      "labels.csv": [
        "file,gender",
        ...Array.from({ length: 80 }, (_, i) => `${i < 40 ? "a" : "b"}/${i % 40}.png,${sex(i)}`),
      ].join("\n"),
    });
    const split = new Map((await open(cut, "gender")).items.map((item) => [item.file, item.split]));
    for (let i = 0; i < 40; i++) expect(split.get(`a/${i}.png`), `${i}`).to.equal(split.get(`b/${i}.png`));
  });

  it("a limit with two tasks is drawn once, from the pictures that both can use", async () => {
    const root = await tree({
      ...pictures(60, (i) => `${i}.png`),
      "labels.csv": [
        "file,gender,age",
        ...Array.from({ length: 60 }, (_, i) => `${i}.png,${sex(i)},${i === 7 ? "" : 20 + i}`),
      ].join("\n"),
    });
    const tasks = ["gender", "age"].map((task) => ({ task, data: root }));
    const { items, assumptions } = await openTasks(tasks, { seed: 1, limit: 30 });
    expect(items).to.have.length(30);
    expect(assumptions.join()).to.contain("tasks: 1 picture lacks a label");
  });

  it("a box is fractions at every door", async () => {
    const root = await tree(pictures(12, (i) => `${sex(i)}/${i}.png`));
    for (const crop of [
      [18, 35, 82, 87],
      [5, 5, 6, 6],
      [0.9, 0.1, 0.1, 0.9],
    ]) {
      const error = await failure(() => open(root, "gender", { crop }));
      expect(error.message).to.contain("in fractions of the picture was needed");
    }
  });

  it("nothing is dropped in silence: formats, depth, classes without a part", async () => {
    const root = await tree({
      ...pictures(24, (i) => `${sex(i)}/${i}.png`),
      "male/phone.HEIC": "not a picture",
      "male/a/b/c/d/deep.png": 3,
    });
    const { problems } = await open(root, "gender");
    expect(problems.map(({ file }) => file).sort()).to.deep.equal(["male/a/b/c", "male/phone.HEIC"]);
    const parts = await tree(
      pictures(24, (i) => (i < 14 ? `train/${sex(i)}/${i}.png` : `test/male/${i}.png`)),
    );
    expect((await open(parts, "gender")).warnings).to.deep.equal([
      'test: no picture of class "female" (of 10)',
    ]);
  });
});
