/** More of the same kinds as in habits.test.ts: what strangers have, read as it is meant or asked for. */
import { expect } from "chai";
import type { Dataset } from "../../../lib/data/dataset.ts";
import { openDataset } from "../../../lib/data/open.ts";
import { failure, greyPicture, removeFolders, tree } from "../support.ts";

const open = (data: string, task: string, more: object = {}): Promise<Dataset> =>
  openDataset({ data, task, seed: 1, valFraction: 0, ...more });

const N = 24;
const numbers = Array.from({ length: N }, (_, i) => i);
const names = numbers.map((i) => `${i}.png`);
const sex = (i: number): string => (i % 2 === 0 ? "male" : "female");
const mood = (i: number): string => (i % 2 === 0 ? "happy" : "sad");

/** Pictures of these names, each of another grey. */
const pictures = (files: readonly string[]): Record<string, number> =>
  Object.fromEntries(files.map((name, i) => [name, i * 3]));

/** A folder with a table of the pictures 0.png, 1.png, ... */
async function table(
  header: string,
  row: (i: number) => string,
  more: Readonly<Record<string, string>> = {},
): Promise<string> {
  const text = [header, ...numbers.map((i) => `${names[i]},${row(i)}`)].join("\n");
  return tree({ ...pictures(names), "labels.csv": text, ...more });
}

const described = (tasks: object): Record<string, string> => ({ "dataset.json": JSON.stringify({ tasks }) });
const countOf = ({ items }: Dataset, split: string): number =>
  items.filter((item) => item.split === split).length;

describe("data as strangers have it", () => {
  after(removeFolders);

  describe("parts", () => {
    it("are read from the folders in the names of a table that has no column for them", async () => {
      for (const below of ["", "images/"]) {
        const files = numbers.map((i) => `${below}${i < 16 ? "train" : "Test"}/${i}.png`);
        const rows = files.map((file, i) => `${file},${sex(i)}`);
        const root = await tree({ ...pictures(files), "labels.csv": ["file,gender", ...rows].join("\n") });
        const data = await open(root, "gender");
        expect([countOf(data, "train"), countOf(data, "test")], below).to.deep.equal([16, 8]);
        expect(data.assumptions.join()).to.contain("in the names of the pictures are taken for the parts");
      }
    });

    it("are read from lists beside the pictures, in a table's folder and in folders of classes", async () => {
      const files = numbers.map((i) => `${mood(i)}/${i}.png`);
      for (const [train, test, line] of [
        ["train.txt", "test.txt", (file: string) => file],
        ["splits/train_list.csv", "splits/test_list.csv", (file: string) => `"data/set/${file}",0`],
        ["meta/train.txt", "meta/test.txt", (file: string) => file.replace(".png", "")],
      ] as const) {
        const lists = {
          [train]: files.slice(0, 16).map(line).join("\r\n"),
          // the first one is in both: it is not trained on
          [test]: [...files.slice(16, 23), files[0]].map(line).join("\n"),
        };
        const data = await open(await tree({ ...pictures(files), ...lists }), "emotion");
        expect([countOf(data, "train"), countOf(data, "test")], train).to.deep.equal([15, 8]);
        expect(data.problems).to.deep.equal([
          { file: files[23], problem: `in none of the lists ${test}, ${train}` },
        ]);
        expect(data.assumptions.join()).to.contain("1 picture is in two of them");
      }
      const flat = await table("file,gender", sex, {
        "train.txt": names.slice(0, 16).join("\n"),
        "val.txt": names.slice(16, 20).join("\n"),
        "test.txt": names.slice(20).join("\n"),
      });
      const parts = await open(flat, "gender");
      expect(["train", "val", "test"].map((part) => countOf(parts, part))).to.deep.equal([16, 4, 4]);
    });

    it("lists of something else are said, lists of other pictures refused", async () => {
      const strange = { "train.txt": "epoch 1\nepoch 2", "test.txt": "epoch 3" };
      const data = await open(await table("file,gender", sex, strange), "gender");
      expect(data.assumptions.join()).to.contain("no line of theirs names a picture");
      const others = Array.from({ length: 40 }, (_, i) => `other${i}.png`).join("\n");
      const mixed = { "train.txt": `${names.slice(0, 16).join("\n")}\n${others}`, "test.txt": names[20] };
      const error = await failure(async () => open(await table("file,gender", sex, mixed), "gender"));
      expect(error.message).to.contain("17 of 57 lines of test.txt, train.txt name a picture");
    });
  });

  describe("folders that are no classes", () => {
    it("say what kind of files they hold", async () => {
      for (const [a, b] of [
        ["JPEGImages", "SegmentationClass"],
        ["images", "masks"],
        ["original", "aligned"],
      ]) {
        const root = await tree(pictures(numbers.map((i) => `${i % 2 === 0 ? a : b}/${i}.png`)));
        const error = await failure(() => open(root, "categorical"));
        expect(error.message).to.contain("say what kind of files they hold");
        expect((await open(root, "categorical", { label: "class" })).items).to.have.length(N);
      }
      const beside = numbers.map((i) => `${["happy", "sad", "thumbnails"][i % 3]}/${i}.png`);
      const error = await failure(async () => open(await tree(pictures(beside)), "emotion"));
      expect(error.message).to.contain("(thumbnails)");
    });

    it("classes that such words are a part of stay classes", async () => {
      for (const [a, b] of [
        ["mask", "no_mask"],
        ["photo", "sketch"],
        ["face", "background"],
      ]) {
        const root = await tree(pictures(numbers.map((i) => `${i % 2 === 0 ? a : b}/${i}.png`)));
        expect((await open(root, "binary")).task.classes).to.deep.equal([a, b].sort());
      }
    });

    it("names are the same in every way to store them", async () => {
      for (const [before, behind] of [
        ["\u00e9t\u00e9", "e\u0301te\u0301"],
        ["cat ", "cat"],
      ]) {
        const files = numbers.map(
          (i) => `${i < 16 ? "train" : "test"}/${i % 2 === 0 ? "z" : i < 16 ? before : behind}/${i}.png`,
        );
        const { task } = await open(await tree(pictures(files)), "categorical");
        expect(task.classes).to.have.length(2);
      }
      const plural = numbers.map((i) => (i < 16 ? `train/${sex(i)}s/${i}.png` : `test/${sex(i)}/${i}.png`));
      expect((await open(await tree(pictures(plural)), "gender")).task.classes).to.deep.equal([
        "female",
        "male",
      ]);
    });
  });

  describe("codes", () => {
    it("1, 0 and a few -1 in a column of yes and no: zeros are not taken for not known", async () => {
      const few = await table("file,Male", (i) => (i % 8 === 0 ? "-1" : String(i % 2)));
      const error = await failure(() => open(few, "gender"));
      expect(error.message).to.contain("3 times -1").and.contain("which of 0 and -1 means no");
      const said = await table("file,Male", (i) => (i % 8 === 0 ? "-1" : String(i % 2)), {
        ...described({
          gender: { column: "Male", values: { "1": "male", "0": "female" }, missing: ["-1"] },
        }),
      });
      const { items } = await open(said, "gender");
      expect(items).to.have.length(21);
      for (const { file, target } of items) expect(target[0], file).to.equal(parseInt(file) % 2);
    });

    it("F in a column called female is no false, nor is what a column Male calls male a yes", async () => {
      for (const [column, row] of [
        ["female", (i: number) => (i % 2 === 0 ? "M" : "F")],
        ["is_male", sex],
        ["Female", (i: number) => (i % 2 === 0 ? "" : "F")],
      ] as const) {
        const error = await failure(async () => open(await table(`file,${column}`, row), "gender"));
        expect(error.message, column).to.contain("which word means what");
      }
      const flags = await table("file,female", (i) => (i % 2 === 0 ? "F" : "T"));
      for (const { file, target } of (await open(flags, "gender")).items)
        expect(target[0], file).to.equal(1 - (parseInt(file) % 2));
    });

    it("neither male nor female, or both, is not known", async () => {
      const root = await table("file,female,male", (i) => ["1,0", "0,1", "0,0", "1,1"][i % 4]);
      const { items, problems } = await open(root, "gender");
      expect([items.length, problems.length]).to.deep.equal([12, 12]);
      expect(problems[0].problem).to.contain("one yes was needed");
    });

    it("words for yes and no that are not known are asked for; slips are left out", async () => {
      const words = await table(
        "file,Smiling,Hat",
        (i) => `${i % 2 === 0 ? "si" : "no"},${i % 3 === 0 ? "si" : "no"}`,
      );
      const error = await failure(() => open(words, "multi-label", { label: "Smiling,Hat" }));
      expect(error.message).to.contain("20 times si");
      expect(error.hint).to.contain('"si": "yes"').and.contain('"0": "no"');
      const slip = await table("file,a,b,c,d,e", (i) => (i === 5 ? "1,0,1,oh,0" : `1,0,${i % 2},1,0`));
      const { items, problems } = await open(slip, "multi-label", { label: "a,b,c,d,e" });
      expect([items.length, problems.length]).to.deep.equal([N - 1, 1]);
    });

    it("columns of yes and no are found in every spelling, and with labels that are not known", async () => {
      const root = await table(
        "file,a,b,c,d,note",
        (i) =>
          `${i % 2},${i % 3 === 0 ? "True" : "False"},${["1", "0", "NA"][i % 3]},${i % 2 === 0 ? "yes" : "no"},x${i}`,
      );
      expect((await open(root, "multi-label")).task.classes).to.deep.equal(["a", "b", "c", "d"]);
    });

    it("what dataset.json says of 1 and -1 holds for 1.0 and -1.0", async () => {
      const values = { gender: { column: "g", values: { "1": "male", "0": "female" } } };
      const coded = await table("file,g", (i) => `${i % 2}.0`, described(values));
      for (const { file, target } of (await open(coded, "gender")).items)
        expect(target[0], file).to.equal(parseInt(file) % 2);
      const height = { height: { column: "height", kind: "regression", missing: ["-1"] } };
      const root = await table(
        "file,height",
        (i) => (i % 4 === 0 ? "-1.0" : `${150 + i}.5`),
        described(height),
      );
      expect((await open(root, "height")).items).to.have.length(18);
    });
  });

  describe("numbers", () => {
    it("many ages of 0 where nobody is a child are asked for; babies among children are read", async () => {
      const unknown = await table("file,age", (i) => String(i % 3 === 0 ? 0 : 20 + i));
      const error = await failure(() => open(unknown, "age"));
      expect(error.message).to.contain("8 times 0 (the others lie between 21 and 43)");
      expect(error.hint).to.contain('"missing": ["0"]');
      const babies = await table("file,age", (i) => String(i % 3 === 0 ? 0 : i));
      expect((await open(babies, "age")).items).to.have.length(N);
    });

    it("decimal commas in some of the rows are refused, groups that a spreadsheet made dates asked for", async () => {
      const commas = await table("file,age", (i) => (i % 2 === 0 ? `"${20 + i},5"` : String(20 + i)));
      expect((await failure(() => open(commas, "age"))).message).to.contain(
        '12 labels in column "age" hold a comma (20,5)',
      );
      const dates = await table("file,age", (i) => ["0-9", "12-Oct", "20-29"][i % 3]);
      expect((await failure(() => open(dates, "age-group"))).message).to.contain("8 times 12-Oct");
    });
  });

  describe("tables", () => {
    it("names with accents are found however they are stored; other encodings are named", async () => {
      const stored = numbers.map((i) => `e\u0301te\u0301${i}.png`);
      const text = ["file,gender", ...numbers.map((i) => `\u00e9t\u00e9${i}.png,${sex(i)}`)].join("\n");
      const { items } = await open(await tree({ ...pictures(stored), "labels.csv": text }), "gender");
      expect(items.map(({ file }) => file)).to.have.members(stored);
      const latin = await tree({ ...pictures(stored), "labels.csv": Buffer.from(text, "latin1") });
      const error = await failure(() => open(latin, "gender"));
      expect(error.message).to.contain("letters that are not UTF-8");
      expect(error.hint).to.equal("save the table as UTF-8");
      const wide = await tree({ ...pictures(stored), "labels.csv": Buffer.from(text, "utf16le") });
      expect((await failure(() => open(wide, "gender"))).message).to.contain("zero bytes");
    });

    it("x, y, width and height in the column of boxes are refused, where one of them shows it", async () => {
      const sized = (i: number): string => `${sex(i)},"${i % 3 === 0 ? "9,8,6,6" : "2,2,9,9"}"`;
      const error = await failure(async () => open(await table("file,gender,box", sized), "gender"));
      expect(error.message).to.contain("8 of 24 boxes (9,8,6,6)");
      expect(error.hint).to.contain("x+width");
      // a box of nothing says that there is no face
      const none = (i: number): string => `${sex(i)},"${i % 3 === 0 ? "0,0,0,0" : "2,2,9,9"}"`;
      const { items, problems } = await open(await table("file,gender,box", none), "gender");
      expect([items.length, problems.length]).to.deep.equal([16, 8]);
    });

    it("persons are found under other names, and stay in one part unless they are the classes", async () => {
      for (const column of ["subject_id", "Person ID", "user"]) {
        const root = await table(`file,${column},gender`, (i) => `s${i >> 2},${sex(i)}`);
        const { items } = await open(root, "gender");
        const parts = new Map<string, Set<string>>();
        for (const { identity = "", split } of items)
          parts.set(identity, (parts.get(identity) ?? new Set()).add(split));
        expect(
          [...parts.values()].map(({ size }) => size),
          column,
        ).to.deep.equal([1, 1, 1, 1, 1, 1]);
      }
      const persons = await table("file,person_id", (i) => `s${i >> 3}`);
      const { task, items } = await open(persons, "categorical", { label: "person_id" });
      expect(task.classes).to.have.length(3);
      expect(
        new Set(items.filter(({ split }) => split === "test").map(({ target }) => target.join())).size,
      ).to.equal(3);
      // every row its own number: no persons
      const rows = await table("file,user_id,gender", (i) => `${i},${sex(i)}`);
      expect((await open(rows, "gender")).items.every(({ identity }) => identity === undefined)).to.equal(
        true,
      );
    });

    it("a changed copy is known by a word in front of its name, too", async () => {
      const files = numbers.flatMap((i) => [`${i}.png`, `flip_${i}.png`]);
      const rows = files.map((file, i) => `${file},${sex(i >> 1)}`);
      const shown = await Promise.all(
        files.map(async (name, i) => [name, await greyPicture(i * 5, 20, 10 + i)] as const),
      );
      const root = await tree({
        ...Object.fromEntries(shown),
        "labels.csv": ["file,gender", ...rows].join("\n"),
      });
      const { items } = await open(root, "gender");
      const split = new Map(items.map((item) => [item.file, item.split]));
      for (const i of numbers) expect(split.get(`flip_${i}.png`)).to.equal(split.get(`${i}.png`));
    });
  });

  describe("landmarks and boxes", () => {
    const points = (count: number, first = 0): string =>
      Array.from({ length: count }, (_, k) => `x${k + first},y${k + first}`).join();

    it("landmarks in fractions are no pixels, and are read where dataset.json says it", async () => {
      const row = (): string => "0.25,0.5,0.75,0.5,0.5,0.75";
      const error = await failure(() =>
        table(`file,${points(3)}`, row).then((root) => open(root, "landmarks")),
      );
      expect(error.message).to.match(/no coordinate of .* is above 0.75, pixels of the pictures were needed/);
      const said = described({ landmarks: { unit: "fraction" } });
      const data = await open(await table(`file,${points(3)}`, row, said), "landmarks", {
        crop: [0, 0, 1, 1],
      });
      expect([...data.items[0].target]).to.deep.equal([0.25, 0.5, 0.75, 0.5, 0.5, 0.75]);
    });

    it("landmarks outside the picture are named; columns may count from 1, and are no boxes", async () => {
      const root = await table(`file,${points(3, 1)}`, (i) =>
        i === 5 ? "900,900,910,900,905,910" : "1,1,3,1,2,3",
      );
      const data = await open(root, "landmarks");
      expect(data.problems.map(({ file }) => file)).to.deep.equal(["5.png"]);
      expect(data.problems[0].problem).to.match(/^its landmarks lie outside the picture \(\d+ x \d+\)$/);
      expect(data.task.columns).to.deep.equal(["x1", "y1", "x2", "y2", "x3", "y3"]);
      expect(data.assumptions.join("\n")).not.to.contain("boxes");
    });

    it("boxes in fractions are refused with what they are", async () => {
      const error = await failure(() =>
        table("file,box,gender", (i) => `"0.1,0.1,0.9,0.9",${sex(i)}`).then((root) => open(root, "gender")),
      );
      expect(error.message).to.contain("seems to be in fractions");
      expect(error.hint).to.contain("write x times its width");
    });
  });

  it("codes of age groups and genders between 0 and 1 are asked for", async () => {
    const groups = await failure(() =>
      table("file,age_group", (i) => String(i % 3)).then((root) => open(root, "age-group")),
    );
    expect(groups.message).to.contain(
      "8 times 0, 8 times 1, 8 times 2: which years each of them means was needed",
    );
    const said = described({
      "age-group": { column: "age_group", values: { "0": "0-2", "1": "4-6", "2": "60+" } },
    });
    const data = await open(await table("file,age_group", (i) => String(i % 3), said), "age-group");
    expect(data.task.classes[0]).to.equal("0-2");
    const chances = await failure(() =>
      table("file,gender", (i) => (i % 2 ? "0.90" : "0.10")).then((root) => open(root, "gender")),
    );
    expect(chances.message).to.contain("12 times 0.10, 12 times 0.90: which code means what was needed");
  });
});
