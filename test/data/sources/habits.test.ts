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
    const kept = items.filter(({ split }) => split === "val").length;
    expect(assumptions.join()).to.contain(`split: ${kept} pictures are cut off as val`);
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

describe("data as people have it: more of each kind", () => {
  after(removeFolders);

  const table = (header: string, row: (i: number) => string, more = {}, n = 24): Promise<string> =>
    tree({
      ...pictures(n, (i) => `${i}.png`),
      "labels.csv": [header, ...Array.from({ length: n }, (_, i) => `${i}.png,${row(i)}`)].join("\n"),
      ...more,
    });
  const tested = ({ items }: Dataset): number => items.filter(({ split }) => split === "test").length;

  it("parts: in every class, in a wrapper, under other names, as flags, in a table of their own", async () => {
    const trees: ((i: number) => string)[] = [
      (i) => `${sex(i)}/${i < 14 ? "train" : "test"}/${i}.png`,
      (i) => `${i < 14 ? "train" : "test"}/images/${sex(i)}/${i}.png`,
      (i) => `${i < 14 ? "Train Set" : "Test_images"}/${sex(i)}/${i}.png`,
      (i) => `${i < 14 ? "01_training_data" : "02_holdout"}/${sex(i)}/${i}.png`,
    ];
    for (const name of trees) {
      const found = await open(await tree(pictures(20, name)), "gender");
      expect(found.task.classes, name(0)).to.deep.equal(["female", "male"]);
      expect(tested(found), name(0)).to.equal(6);
    }
    for (const [column, train, test] of [
      ["fold", "train", "test"],
      ["phase", "trainset", "testset"],
      ["whatever", "Training", "Evaluation"],
      ["is_train", "True", "False"],
      ["test", "0", "1"],
    ]) {
      const root = await table(`file,gender,${column}`, (i) => `${sex(i)},${i < 16 ? train : test}`);
      expect(tested(await open(root, "gender")), column).to.equal(8);
    }
    const own = await tree({
      ...pictures(20, (i) => `${i < 14 ? "train" : "test"}/img/${i}.png`),
      "train/labels.csv": `file,gender\n${Array.from({ length: 14 }, (_, i) => `img/${i}.png,${sex(i)}`).join("\n")}`,
      "test/labels.csv": `file,gender\n${Array.from({ length: 6 }, (_, i) => `img/${i + 14}.png,${sex(i)}`).join("\n")}`,
    });
    expect(tested(await open(own, "gender"))).to.equal(6);
  });

  it("parts whose words are not known are refused with their counts; dataset.json says what they are", async () => {
    for (const column of ["split", "partition", "split_id"]) {
      const row = (i: number): string => `${sex(i)},${i < 12 ? 0 : i < 16 ? 1 : 2}`;
      const error = await failure(async () => open(await table(`file,gender,${column}`, row), "gender"));
      expect(error.message).to.contain("12 times 0, 8 times 2, 4 times 1");
      expect(error.hint).to.contain(`"parts": { "column": "${column}"`);
      const parts = { column, values: { 0: "train", 1: "val", 2: "test" } };
      const said = await table(`file,gender,${column}`, row, { "dataset.json": JSON.stringify({ parts }) });
      expect(tested(await open(said, "gender")), column).to.equal(8);
    }
    const root = await tree(pictures(20, (i) => `${i < 14 ? "train" : "query"}/${sex(i)}/${i}.png`));
    expect((await failure(() => open(root, "gender"))).message).to.contain("6 times query");
    const extra = await table(
      "file,gender,Usage",
      (i) => `${sex(i)},${["Training", "Extra", "Test"][(i >> 1) % 3]}`,
    );
    const { items, assumptions } = await open(extra, "gender");
    expect(items).to.have.length(16);
    expect(assumptions.join()).to.contain("8 times Extra");
  });

  it("codes that say nothing of themselves are asked for, with the line that settles it", async () => {
    const cases: [string, string, readonly string[], RegExp, object][] = [
      ["gender", "gender", ["1", "2"], /12 times 1, 12 times 2/, { values: { 1: "male", 2: "female" } }],
      ["gender", "gender", ["0", "1"], /12 times 0, 12 times 1/, { values: { 0: "male", 1: "female" } }],
      ["gender", "male", ["1", "2"], /12 times 1, 12 times 2/, { values: { 1: "male", 2: "female" } }],
      ["emotion", "emotion", ["0", "3"], /12 times 0, 12 times 3/, { values: { 0: "anger", 3: "fear" } }],
      [
        "multi-label",
        "smile",
        ["1", "0", "-2"],
        /8 times -2/,
        { codes: { 1: "yes", 0: "no", "-2": "unknown" } },
      ],
      ["binary", "smile", ["1", "0", "-1"], /8 times 1, 8 times 0, 8 times -1/, { missing: ["-1"] }],
      ["categorical", "mood", ["0", "1", "2", "99"], /6 times 99/, { missing: ["99"] }],
      ["categorical", "glasses", ["none", "sun", "thin"], /8 times none/, { missing: ["none"] }],
      ["regression", "height", ["1.7", "1.8", "1.9", "-1"], /6 times -1/, { missing: ["-1"] }],
      ["regression", "height", ["1.7", "1.8", "1.9", "999"], /6 times 999/, { missing: [] }],
      ["head-pose", "yaw", ["0.5", "-1.2", "0.1", "99"], /6 times 99/, { missing: ["99"] }],
    ];
    for (const [task, column, codes, message, settled] of cases) {
      const row = (i: number): string => codes[i % codes.length];
      const error = await failure(async () =>
        open(await table(`file,${column}`, row), task, { label: column }),
      );
      expect(error.message, `${task} ${column}`).to.match(message);
      expect(error.hint).to.contain(`"tasks": { "${task}": { "column": "${column}"`);
      const json = JSON.stringify({ tasks: { [task]: { column, ...settled } } });
      const root = await table(`file,${column}`, row, { "dataset.json": json });
      expect((await open(root, task)).items.length, `${task} ${column}`).to.be.greaterThan(11);
    }
  });

  it("numbers beside words, one known gender, broken letters are asked for; strange emotions are said", async () => {
    for (const [task, labels, message] of [
      ["gender", ["F", "H"], /12 times F, 12 times H: which of them means female/],
      ["gender", ["male", "0", "female", "1"], /what the numbers mean beside the words/],
      ["emotion", ["happy", "3", "sad"], /8 times 3.*beside the words/],
      ["categorical", ["good", "2"], /beside the words/],
      ["categorical", ["fr\uFFFDh", "m\uFFFDd"], /letters in UTF-8/],
    ] as const) {
      const root = await table(
        `file,${task}`.replace("categorical", "mood"),
        (i) => labels[i % labels.length],
      );
      const more = task === "categorical" ? { label: "mood" } : {};
      expect((await failure(() => open(root, task, more))).message, labels.join()).to.match(message);
    }
    const odd = await open(await table("file,emotion", (i) => ["happy", "sad", "suprise"][i % 3]), "emotion");
    expect(odd.assumptions.join()).to.contain("classes: suprise no usual emotion");
    const groups = await open(await table("file,age_group", (i) => ["25-32", "04-Jun"][i % 2]), "age-group");
    expect(groups.warnings?.join()).to.contain("a spreadsheet makes dates of groups");
    expect(groups.warnings?.filter((text) => text.startsWith("test:"))).to.have.length(1);
  });

  it("labels that are none are left out: unknown, other words beside two genders, angles that are none", async () => {
    for (const other of ["unknown", "?", "N/A", "", "u", "other"]) {
      const found = await open(await table("file,gender", (i) => ["male", "female", other][i % 3]), "gender");
      expect(found.task.classes, other).to.deep.equal(["female", "male"]);
      expect([found.items.length, found.problems.length], other).to.deep.equal([16, 8]);
    }
    const turned = await open(await table("file,yaw", (i) => ["0.5", "-1.2", "999"][i % 3]), "head-pose");
    expect(turned.items[0].target[0]).to.equal(0.5);
    const none = await tree(pictures(24, (i) => `${["none", "sun"][i % 2]}/${i}.png`));
    expect((await open(none, "categorical")).task.classes).to.deep.equal(["none", "sun"]);
  });

  it("tables: UTF-16, a sep= line, other names of the file column; what is wrong is named", async () => {
    const text = `\uFEFFfile,gender\r\n${Array.from({ length: 24 }, (_, i) => `${i}.png,${sex(i)}`).join("\r\n")}`;
    const files = pictures(24, (i) => `${i}.png`);
    const wide = await tree({ ...files, "Labels.csv": Buffer.from(text, "utf16le") });
    expect((await open(wide, "gender")).items).to.have.length(24);
    for (const header of ["sep=,\nfile,gender", "Image Name,gender", "what_ever,gender"])
      expect((await open(await table(header, sex), "gender")).items, header).to.have.length(24);
    for (const [header, cell, hint] of [
      ["file|gender", (i: number) => `${i}.png|${sex(i)}`, /separated by "\|"/],
      ["0.png,male", (i: number) => `${i}.png,${sex(i)}`, /first line is a row already/],
      ["file,gender", (i: number) => `${i},${sex(i)}`, /there is 0\.png/],
      ["file,gender", (i: number) => `C:\\faces\\${i}.PNG,${sex(i)}`, /there is 0\.png/],
    ] as const) {
      const lines = Array.from({ length: 24 }, (_, i) => cell(i)).join("\n");
      const root = await tree({ ...files, "labels.csv": `${header}\n${lines}` });
      expect((await failure(() => open(root, "gender"))).hint, header).to.match(hint);
    }
    const twice = await table("file,gender,Gender", (i) => `${sex(i)},${sex(i + 1)}`);
    expect((await failure(() => open(twice, "gender"))).message).to.contain(
      "columns gender, Gender, one was needed",
    );
  });

  it("rows that contradict each other, copies under names that say so, copies in validation", async () => {
    const rows = ["0.png,male", "0.png,female", "./1.png,female", "1.png,female"].join("\n");
    const text = Array.from({ length: 22 }, (_, i) => `${i + 2}.png,${sex(i)}`).join("\n");
    const root = await tree({
      ...pictures(24, (i) => `${i}.png`),
      "labels.csv": `file,gender\n${rows}\n${text}`,
    });
    const { items, problems } = await open(root, "gender");
    expect(items.map(({ file }) => file))
      .to.include("1.png")
      .and.not.include("0.png");
    expect(problems.filter(({ problem }) => /different labels/.test(problem))).to.have.length(2);

    const copies: Record<string, number> = {};
    for (let i = 0; i < 16; i++) {
      copies[`${sex(i)}/${i}.png`] = 2 * i;
      copies[`${sex(i)}/${i}_flip.png`] = 2 * i + 1;
    }
    const flips = await open(await tree(copies), "gender");
    const partOf = new Map(flips.items.map(({ file, split }) => [file, split]));
    for (const [file, split] of partOf) expect(partOf.get(file.replace("_flip", "")), file).to.equal(split);

    const given = {
      ...pictures(20, (i) => `${i < 12 ? "train" : i < 16 ? "val" : "test"}/${sex(i)}/${i}.png`),
      "val/male/c.png": 0,
    };
    const found = await open(await tree(given), "gender");
    expect(found.problems).to.deep.equal([
      {
        file: "train/male/0.png",
        problem: "the same picture as val/male/c.png of the validation part: not trained on",
      },
    ]);
  });

  it("boxes: outside, in fractions, in brackets; before the data set's crop, behind --crop", async () => {
    const box = (text: string, more = {}): Promise<string> =>
      table("file,gender,box", (i) => `${sex(i)},"${text}"`, more);
    for (const [text, problem] of [
      ["-200,-200,-100,-100", /lies outside the picture \(20 x 10\)/],
      ["2,2,9000,9000", /lies outside the picture/],
      ["0.1,0.1,0.9,0.9", /in fractions/],
      ["12,8,4,2", /no width, no height/],
    ] as const)
      expect((await failure(async () => open(await box(text), "gender"))).message, text).to.match(problem);
    const crop = { "dataset.json": JSON.stringify({ crop: [0, 0, 0.5, 0.5] }) };
    const root = await box("[2, 1, 12, 6]", crop);
    expect((await open(root, "gender")).items[0].crop).to.deep.equal([0.1, 0.1, 0.6, 0.6]);
    expect((await open(root, "gender", { crop: [0, 0, 1, 1] })).items[0].crop).to.equal(undefined);
    const other = await table("file,gender,bbox", (i) => `${sex(i)},"2,1,12,6"`);
    expect((await open(other, "gender")).assumptions.join()).to.contain('not read from "bbox"');
    for (const columns of ["left,top,width,height", "X1,Y1,X2,Y2", "x,y,w,h"]) {
      const apart = await table(`file,gender,${columns}`, (i) => `${sex(i)},2,1,12,6`);
      const said = `not read from ${columns
        .split(",")
        .map((name) => `"${name}"`)
        .join(", ")}`;
      expect((await open(apart, "gender")).assumptions.join()).to.contain(said);
    }
    // points are no box
    const points = await table("file,gender,x,y", (i) => `${sex(i)},2,1`);
    expect((await open(points, "gender")).assumptions.join()).to.not.contain("not read from");
  });

  it("coverage: yes/no labels that are the same for a whole part are named", async () => {
    const root = await table(
      "file,split,A,B",
      (i) => `${i < 16 ? "train" : "test"},${i < 16 ? i % 2 : 0},${i % 2}`,
    );
    const { warnings } = await open(root, "multi-label", { label: "A,B" });
    expect(warnings).to.include('test: no picture (of 8) with yes for "A"');
  });

  it("folders of systems are not looked into, other formats are named", async () => {
    const root = await tree({
      ...pictures(24, (i) => `${sex(i)}/${i}.png`),
      "__MACOSX/male/0.png": 9,
      "male/@eaDir/0.png/thumb.png": 8,
      "male/a.psd": "x",
      "male/b.jp2": "x",
    });
    const { items, problems } = await open(root, "gender");
    expect(items).to.have.length(24);
    expect(problems.map(({ file }) => file)).to.deep.equal(["male/a.psd", "male/b.jp2"]);
  });
});
