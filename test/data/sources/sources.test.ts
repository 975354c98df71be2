import { writeFile } from "node:fs/promises";
import { expect } from "chai";
import { join } from "node:path";
import { openDataset, readTable } from "../../../lib/data/open.ts";
import { pictureSize } from "../../../lib/data/images/decode.ts";
import { openPairs } from "../../../lib/data/pairs.ts";
import { CELEBA_ATTRIBUTES } from "../../../lib/data/sources/celeba-attributes.ts";
import { readMatFile } from "../../../lib/data/sources/mat.ts";
import { drawNamed } from "../../../lib/data/synthetic/table.ts";
import { matOfPose } from "../../support/mat.ts";
import { failure, removeFolders, tree } from "../support.ts";

const open = (data: string, task: string) =>
  openDataset({ data, task, seed: 1, valFraction: 0, split: "train" });
const openAll = (data: string, task: string, classes?: string[]) =>
  openDataset({ data, task, seed: 1, valFraction: 0, ...(classes && { classes }) });

describe("public layouts, on tiny trees of the same structure", () => {
  after(removeFolders);

  it("CelebA: -1/1 attributes, persons, parts, crop preset", async () => {
    const names = ["000001.jpg", "000002.jpg", "000003.jpg", "000004.jpg"];
    const line = (i: number) =>
      CELEBA_ATTRIBUTES.map((name) => (name === "Male" && i % 2 === 1 ? "1" : "-1")).join(" ");
    const root = await tree({
      ...Object.fromEntries(names.map((name, i) => [`img_align_celeba/${name}`, i])),
      "list_attr_celeba.txt": `4\n${CELEBA_ATTRIBUTES.join(" ")}\n${names.map((name, i) => `${name}  ${line(i)}`).join("\n")}\n`,
      "identity_CelebA.txt": names.map((name, i) => `${name} ${i}`).join("\n"),
      "list_eval_partition.txt": names.map((name, i) => `${name} ${[0, 0, 1, 2][i]}`).join("\n"),
    });
    const { items, task, crop, layout } = await openAll(root, "gender");
    expect([layout, crop]).to.deep.equal(["CelebA", [0.18, 0.35, 0.82, 0.87]]);
    expect(
      items.map(({ file, split, target, identity }) => [file, split, target[0], identity]),
    ).to.deep.equal([
      ["img_align_celeba/000001.jpg", "train", 0, "0"],
      ["img_align_celeba/000002.jpg", "train", 1, "1"],
      ["img_align_celeba/000003.jpg", "val", 0, "2"],
      ["img_align_celeba/000004.jpg", "test", 1, "3"],
    ]);
    expect(task.classes).to.deep.equal(["female", "male"]);
    const all = await openAll(root, "attributes");
    expect([all.task.outputs, all.items[1].target[20], all.items[1].mask]).to.deep.equal([40, 1, undefined]);
    const points =
      "lefteye_x lefteye_y righteye_x righteye_y nose_x nose_y leftmouth_x leftmouth_y rightmouth_x rightmouth_y";
    const places = names.map(
      (name, i) => `${name}  ${Array.from({ length: 10 }, (_, k) => k + i).join("  ")}`,
    );
    await writeFile(join(root, "list_landmarks_align_celeba.txt"), `4\n${points}\n${places.join("\n")}\n`);
    expect((await readTable(root)).rows[2].labels.slice(-10)).to.deep.equal(
      "2 3 4 5 6 7 8 9 10 11".split(" "),
    );
    const landmarks = await openAll(root, "landmarks");
    expect(landmarks.task.outputs).to.equal(10);
    expect((await openAll(root, "attributes")).task.outputs).to.equal(40);
  });

  it("image folder: a sub-folder per class, with and without train/ and test/", async () => {
    const flat = await tree({ "sad/a.png": 1, "happy/b.png": 2, "stray.png": 3 });
    const { items, problems, task } = await openAll(flat, "emotion", ["happiness", "sadness"]);
    expect(items.map(({ file, target }) => [file, target[0]])).to.deep.equal([
      ["happy/b.png", 1],
      ["sad/a.png", 0],
    ]);
    expect([task.columns, problems[0].file]).to.deep.equal([["class"], "stray.png"]);
    const parts = await tree({ "train/f/a.png": 1, "train/m/b.png": 2, "test/f/c.png": 3 });
    expect((await openAll(parts, "gender")).items.map(({ split }) => split)).to.deep.equal([
      "test",
      "train",
      "train",
    ]);
  });

  it("UTKFace and AgeDB: labels in the names", async () => {
    const utk = await openAll(await tree({ "26_0_2_20170104.jpg": 1, "61_1_0_20170105.jpg": 2 }), "age");
    expect([utk.layout, ...utk.items.map((item) => item.target[0])]).to.deep.equal(["UTKFace", 26, 61]);
    const agedb = await openAll(
      await tree({ "0_MariaCallas_35_f.jpg": 1, "7_KirkDouglas_71_m.jpg": 2 }),
      "age",
    );
    expect(agedb.items.map(({ target, identity }) => [target[0], identity])).to.deep.equal([
      [35, "MariaCallas"],
      [71, "KirkDouglas"],
    ]);
  });

  it("Pointing'04: angles in the names, face box in the text beside", async () => {
    const root = await tree({
      "Person01/person01146-15+30.jpg": 1,
      "Person01/person01146-15+30.txt": "person01146-15+30.jpg\nFace\n10\n5\n5\n5\n",
      "Person02/person02201+0-90.jpg": 2,
    });
    const { items } = await open(root, "head-pose");
    const all = [
      ...items,
      ...(await openDataset({ data: root, task: "head-pose", seed: 1, split: "test" })).items,
    ];
    const first = all.find(({ file }) => file.startsWith("Person01"));
    expect(first?.target[0]).to.be.closeTo(Math.PI / 6, 1e-6);
    expect(first?.identity).to.equal("1");
    expect(first?.crop?.map((v) => Number(v.toFixed(4)))).to.deep.equal([0.3, 0.1, 0.7, 0.9]);
  });

  it("AFEW-VA: frames of a clip", async () => {
    const frame = {
      valence: -3,
      arousal: 2,
      landmarks: [
        [4, 2],
        [12, 6],
      ],
    };
    const json = { actor: "A", frames: { "00000": frame, "00001": { ...frame, valence: 5 } } };
    const root = await tree({ "001/001.json": JSON.stringify(json), "001/00000.png": 1, "001/00001.png": 2 });
    const { items, task } = await openAll(root, "emotion");
    expect(items.map(({ target, identity }) => [target[0], identity])).to.deep.equal([
      [-3, "A"],
      [5, "A"],
    ]);
    expect([task.kind, task.tolerance]).to.deep.equal(["regression", 2]);
  });

  it("Adience: fold lists, age groups, unknown gender left out", async () => {
    const header = "user_id\toriginal_image\tface_id\tage\tgender\tx";
    const root = await tree({
      "fold_0_data.txt": `${header}\nu1\ta.jpg\t1\t(25, 32)\tm\t0\nu2\tb.jpg\t2\t35\tu\t0\n`,
      "fold_1_data.txt": `${header}\nu3\tc.jpg\t3\t(0, 2)\tf\t0\n`,
      "aligned/u1/landmark_aligned_face.1.a.jpg": 1,
      "aligned/u2/landmark_aligned_face.2.b.jpg": 2,
      "aligned/u3/landmark_aligned_face.3.c.jpg": 3,
    });
    const gender = await openAll(root, "gender", ["female", "male"]);
    expect(gender.items.map(({ split, target }) => [split, target[0]])).to.deep.equal([
      ["train", 1],
      ["test", 0],
    ]);
    expect(gender.problems.map(({ problem }) => problem)).to.deep.equal(['no label in column "gender"']);
  });

  it("RAF-DB: codes in the list, parts in the names, aligned pictures before originals", async () => {
    const list = "train_00001.jpg 5\ntrain_00002.jpg 4\ntest_0001.jpg 4\ntest_0002.jpg 1\n";
    const pictures = {
      "basic/Image/aligned/train_00001_aligned.jpg": 1,
      "basic/Image/aligned/train_00002_aligned.jpg": 2,
      "basic/Image/aligned/test_0001_aligned.jpg": 3,
      "basic/Image/original/train_00001.jpg": 4,
    };
    const root = await tree({ ...pictures, "basic/EmoLabel/list_patition_label.txt": list });
    const { items, crop, layout, task, problems } = await openAll(root, "emotion", ["happiness", "sadness"]);
    expect([layout, crop, task.classes]).to.deep.equal(["RAF-DB", [0, 0, 1, 1], ["happiness", "sadness"]]);
    expect(items.map(({ file, split, target }) => [file.slice(20), split, Array.from(target)])).to.deep.equal(
      [
        ["train_00001_aligned.jpg", "train", [0, 1]],
        ["train_00002_aligned.jpg", "train", [1, 0]],
        ["test_0001_aligned.jpg", "test", [1, 0]],
      ],
    );
    expect(problems.map(({ file }) => file)).to.deep.equal(["test_0002.jpg"]);
    const gone = await failure(async () =>
      openAll(await tree({ "list_patition_label.txt": list, "a.jpg": 1 }), "emotion"),
    );
    expect(gone.message).to.match(/none of the pictures/);
  });

  it("AFLW2000: pose from a MATLAB file, compressed or not; damage is named", async () => {
    const mat = (compressed: boolean): Uint8Array => matOfPose([0.1, -0.5, 0.2], compressed);
    for (const compressed of [false, true]) {
      const root = await tree({ "a.jpg": 1, "a.mat": mat(compressed) });
      const { items } = await openDataset({ data: root, task: "head-pose", seed: 1, valFraction: 0 });
      expect(items[0].target[0]).to.equal(-0.5);
    }
    const error = await failure(() => readMatFile(mat(true).slice(0, 150), "a.mat"));
    expect([error.kind, /^a\.mat: /.test(error.message)]).to.deep.equal(["format", true]);
  });

  it("lists the known layouts for a folder of none", async () => {
    const error = await failure(async () => openAll(await tree({ "notes.txt": "x" }), "age"));
    expect(error.kind).to.equal("data");
    expect(error.hint).to.match(/labels\.csv.*CelebA.*UTKFace/);
    expect(error.hint?.length).to.be.below(600);
  });
});

describe("openPairs", () => {
  after(removeFolders);
  it("names pairs whose pictures are not there or lie outside", async () => {
    const root = await tree({
      "a.png": 1,
      "b.png": 2,
      "pairs.csv": "file1,file2,same\na.png,b.png,1\na.png,gone.png,0\n../x.png,a.png,1\na.png,b.png,maybe\n",
    });
    const { pairs, problems, dataset } = await openPairs(join(root, "pairs.csv"));
    expect(pairs).to.deep.equal([{ file1: "a.png", file2: "b.png", same: true }]);
    expect(problems.map(({ file }) => file)).to.deep.equal(["gone.png", "../x.png", "a.png"]);
    expect(dataset.items.map(({ file }) => file)).to.deep.equal(["a.png", "b.png"]);
  });
});

describe("pairs that people write themselves", () => {
  after(removeFolders);
  const pictures = Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`in/${i}.png`, i]));
  const read = async (...lines: string[]) => {
    const root = await tree({ ...pictures, "pairs.csv": `${lines.join("\n")}\n` });
    return openPairs(join(root, "pairs.csv"));
  };

  it("reads -1 beside 1, yes and no, backslashes, and columns in other cases", async () => {
    for (const [no, yes] of [
      ["-1", "1"],
      ["No", "yes"],
      ["False", "True"],
      ["0.0", "1.0"],
    ]) {
      const { pairs, problems } = await read(
        "File1,File2,Same",
        `in\\0.png,in\\1.png,${yes}`,
        `in/2.png , in/3.png,${no}`,
      );
      expect(problems, no).to.deep.equal([]);
      expect(pairs, no).to.deep.equal([
        { file1: "in/0.png", file2: "in/1.png", same: true },
        { file1: "in/2.png", file2: "in/3.png", same: false },
      ]);
    }
    // Both together: -1 may be "not known".
    const both = await read(
      "file1,file2,same",
      "in/0.png,in/1.png,1",
      "in/2.png,in/3.png,0",
      "in/4.png,in/5.png,-1",
    );
    expect(both.problems).to.deep.equal([{ file: "in/4.png", problem: 'same is "-1", 0 or 1 was needed' }]);
  });

  it("a picture is not different from itself, and of pairs that contradict neither counts", async () => {
    const { pairs, problems } = await read(
      "file1,file2,same",
      ...["in/0.png,in/0.png,0", "in/1.png,in/2.png,1", "in/2.png,in/1.png,0", "in/3.png,in/4.png,0"],
      "in/5.png,in/5.png,1",
    );
    expect(pairs).to.deep.equal([
      { file1: "in/3.png", file2: "in/4.png", same: false },
      { file1: "in/5.png", file2: "in/5.png", same: true },
    ]);
    expect(problems.map(({ problem }) => problem.split(" ").slice(0, 4).join(" "))).to.deep.equal([
      "a picture is listed",
      "listed as same and",
      "listed as same and",
    ]);
  });

  it("the boxes of the labels beside them are those of their pictures", async () => {
    const root = await tree({
      ...pictures,
      "labels.csv":
        'file,person,box\nin/0.png,a,"0,0,2,2"\nin/1.png,a,"0,0,2,4"\nin/2.png,b,\nin/3.png,b,"900,900,950,950"\n',
      "dataset.json": JSON.stringify({ crop: [0.1, 0.1, 0.9, 0.9] }),
      "pairs.csv": "file1,file2,same\nin/0.png,in/1.png,1\nin/1.png,in/2.png,0\nin/2.png,in/3.png,1\n",
    });
    const { width, height } = await pictureSize(join(root, "in/0.png"));
    const { pairs, problems, dataset } = await openPairs(join(root, "pairs.csv"));
    expect(pairs).to.have.length(2);
    expect(problems).to.have.length(1);
    expect(problems[0].problem).to.contain("lies outside the picture");
    expect(dataset.crop).to.deep.equal([0.1, 0.1, 0.9, 0.9]);
    expect(dataset.items.map(({ crop }) => crop)).to.deep.equal([
      [0, 0, 2 / width, 2 / height],
      [0, 0, 2 / width, 4 / height],
      undefined,
    ]);
    expect(dataset.assumptions[0]).to.equal("crop: 2 pictures by their own annotated face box");
  });
});

describe("the drawn faces", () => {
  it("have labels for all four tasks, the same every time", async () => {
    for (const task of ["gender", "emotion", "valence", "head-pose", "age"]) {
      const a = await openDataset({ data: "synthetic:80", task, seed: 1 });
      const b = await openDataset({ data: "synthetic:80", task, seed: 1 });
      expect(a.items.filter(({ split }) => split === "test").length).to.equal(20);
      expect(a.fingerprint).to.equal(b.fingerprint);
    }
    expect((await failure(() => openAll("synthetic:none", "age"))).kind).to.equal("usage");
  });

  it("draw the same pixels for a name, other ones for another, and the same face at another size", () => {
    const size = { width: 60, height: 60 };
    const face = drawNamed("face-000003", [0, 0, 1, 1], size);
    expect(drawNamed("face-000003", [0, 0, 1, 1], size)).to.deep.equal(face);
    expect(drawNamed("face-000004", [0, 0, 1, 1], size)).to.not.deep.equal(face);
    const mean = (pixels: Uint8Array) => pixels.reduce((sum, value) => sum + value, 0) / pixels.length;
    expect(mean(drawNamed("face-000003", [0, 0, 1, 1], { width: 120, height: 120 }))).to.be.closeTo(
      mean(face),
      3,
    );
  });
});
