import { expect } from "chai";
import { join } from "node:path";
import { decodeImage } from "../../../lib/data/images/decode.ts";
import { prepareImages } from "../../../lib/data/images/store.ts";
import type { RawTable } from "../../../lib/data/dataset.ts";
import { openDataset, readTable } from "../../../lib/data/open.ts";
import { matOfPose } from "../../support/mat.ts";
import { failure, newFolder, removeFolders, small, tree } from "../support.ts";

/** Rows as "file split identity labels box". */
const shown = ({ rows }: RawTable): string[] =>
  rows.map(({ file, split = "-", identity = "-", labels, box }) =>
    [file, split, identity, labels.join("/"), ...(box ? [box.join(" ")] : [])].join(" | "),
  );

describe("data/sources: public sets", () => {
  after(removeFolders);

  it("FairFace: groups of years, the validation list tests, names count from the folder of the pictures", async () => {
    const table = await readTable(
      await tree({
        "fairface_label_train.csv":
          "file,age,gender,race,service_test\ntrain/1.jpg,50-59,Male,East Asian,True\ntrain/2.jpg,3-9,Female,Indian,False\n",
        "fairface_label_val.csv":
          "file,age,gender,race,service_test\nval/1.jpg,more than 70,Male,White,False\n",
        "fairface-img-margin025-trainval/train/1.jpg": 10,
        "fairface-img-margin025-trainval/train/2.jpg": 20,
        "fairface-img-margin025-trainval/val/1.jpg": 30,
      }),
    );
    expect(table.layout).to.equal("FairFace");
    expect(table.columns).to.deep.equal(["gender", "age_group", "race"]);
    expect(shown(table)).to.deep.equal([
      "fairface-img-margin025-trainval/train/1.jpg | train | - | Male/50-59/East Asian",
      "fairface-img-margin025-trainval/train/2.jpg | train | - | Female/3-9/Indian",
      "fairface-img-margin025-trainval/val/1.jpg | test | - | Male/more than 70/White",
    ]);
  });

  it("AffectNet: a box in each row, no expression and no valence are missing", async () => {
    const header =
      "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal";
    const table = await readTable(
      await tree({
        "training.csv": `${header}\n1/a.jpg,2,1,10,8,1;2,1,0.5,-0.25\n1/b.jpg,2,1,10,8,1;2,9,-2,-2\n1/c.jpg,2,1,10,8,1;2,0,-2,-2\n`,
        "validation.csv": `${header}\n2/d.jpg,NULL,NULL,NULL,NULL,,6,-0.5,0.5\n`,
        "Manually_Annotated_Images/1/a.jpg": 1,
        "Manually_Annotated_Images/1/b.jpg": 2,
        "Manually_Annotated_Images/1/c.jpg": 3,
        "Manually_Annotated_Images/2/d.jpg": 4,
      }),
    );
    expect(table.columns).to.deep.equal(["emotion", "valence", "arousal"]);
    expect(shown(table)).to.deep.equal([
      "Manually_Annotated_Images/1/a.jpg | train | - | happiness/0.5/-0.25 | 2 1 12 9",
      "Manually_Annotated_Images/1/c.jpg | train | - | neutral// | 2 1 12 9",
      "Manually_Annotated_Images/2/d.jpg | test | - | anger/-0.5/0.5",
    ]);
    expect(table.problems.map(({ file }) => file)).to.deep.equal(["Manually_Annotated_Images/1/b.jpg"]);
  });

  it("MAAD-Face: 0 is not known, never no", async () => {
    const table = await readTable(
      await tree({
        "MAAD_Face.csv": "Filename,Identity,Male,Young\nn000002/1.jpg,2,1,0\nn000003/1.jpg,3,-1,1\n",
        "data/n000002/1.jpg": 1,
        "data/n000003/1.jpg": 2,
      }),
    );
    expect(shown(table)).to.deep.equal([
      "data/n000002/1.jpg | - | 2 | 1/",
      "data/n000003/1.jpg | - | 3 | -1/1",
    ]);
    expect(table.tasks.gender).to.deep.equal({ column: "Male", values: { "-1": "female", "1": "male" } });
  });

  it("LFWA: scores above 0 are yes, names are CelebA's where it has them", async () => {
    const table = await readTable(
      await tree({
        "lfw_attributes.txt":
          "# comment\n#\tperson\timagenum\tMale\tBags Under Eyes\tAsian\nAaron Eckhart\t1\t1.5\t-0.2\t-1\nAbdel Aziz\t12\t-0.1\t\t2\nBad Row\t1\t3\n",
        "lfw/Aaron_Eckhart/Aaron_Eckhart_0001.jpg": 1,
        "lfw/Abdel_Aziz/Abdel_Aziz_0012.jpg": 2,
      }),
    );
    expect(table.columns).to.deep.equal(["Male", "Bags_Under_Eyes", "Asian"]);
    expect(shown(table)).to.deep.equal([
      "lfw/Aaron_Eckhart/Aaron_Eckhart_0001.jpg | - | Aaron Eckhart | 1/0/0",
      "lfw/Abdel_Aziz/Abdel_Aziz_0012.jpg | - | Abdel Aziz | 0//1",
    ]);
    expect(table.problems.map(({ problem }) => problem)).to.deep.equal(["1 scores, 3 were needed"]);
  });

  it("LFWA as mat: the cells give the names, 1 is yes", async () => {
    // Written by scipy 1.10.1: label uint8 [3, 2], AttrName and name as cells, compressed.
    const mat = Buffer.from(
      "TUFUTEFCIDUuMCBNQVQtZmlsZSBQbGF0Zm9ybTogcG9zaXgsIENyZWF0ZWQgb246IFN1biBOb3YgMjkgMTI6NDI6MjggMjAy" +
        "NgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABSU0PAAAALQAAAHic42NgYHAA" +
        "YjYg5gBiTgYIYIXymYGYCYgZoWI5iUmpOVAxNqg4CAMASrwCiA8AAABVAAAAeJzjY2Bg2ADEbEDMAcSMDBDACuUzQcUYoXzH" +
        "kpIiv8TcVD4g2wBJHwuaPkaoGMw8ASDPNzEHrM+BgD5+FH0QvlNierFCaF5KapGCa2VqMQMALbwL5w8AAAB2AAAAeJzjY2Bg" +
        "sGBkYGAD0hxADGSCASuUzwwVY2RgYchLzE3lA7IjGBDqWdDUg9SqIJkjAOU7Jhbl58W7JmdnJBaVxKDw4g0MDAz1sgrSQepB" +
        "5gcQMF8OzXwQ3zEpJTUn3rEqsyoGwQSabGgEMZnq5hpDzAUAGJAmwQ==",
      "base64",
    );
    const files = [
      "Aaron_Eckhart/Aaron_Eckhart_0001",
      "Abdel_Aziz/Abdel_Aziz_0012",
      "Abdel_Aziz/Abdel_Aziz_0013",
    ];
    const pictures = Object.fromEntries(files.map((file, i) => [`lfw/${file}.jpg`, i]));
    const table = await readTable(await tree({ "lfw_att_40.mat": mat, ...pictures }));
    expect(table.columns).to.deep.equal(["Male", "Bags_Under_Eyes"]);
    expect(shown(table)).to.deep.equal([
      "lfw/Aaron_Eckhart/Aaron_Eckhart_0001.jpg | - | Aaron Eckhart | 1/0",
      "lfw/Abdel_Aziz/Abdel_Aziz_0012.jpg | - | Abdel Aziz | 0/1",
      "lfw/Abdel_Aziz/Abdel_Aziz_0013.jpg | - | Abdel Aziz | 0/0",
    ]);
    const other = await tree({ "lfw_att_40.mat": matOfPose([0, 0, 0], true), ...pictures });
    const error = await failure(() => readTable(other));
    expect(error.message).to.contain("no label [pictures, attributes] with the cells AttrName and name");
    expect(error.hint).to.contain("labels.csv");
  });

  it("IMDB-WIKI: years from the dates, impossible ones left out", async () => {
    const table = await readTable(
      await tree({
        "wiki_crop/00/100_1950-01-31_2000.jpg": 1,
        "wiki_crop/00/101_1950-12-31_2000.jpg": 2,
        "wiki_crop/01/102_1990-05-05_1980.jpg": 3,
        "wiki_crop/01/103_1700-05-05_1980.jpg": 4,
        "wiki_crop/01/104_1970-00-00_1980.jpg": 5,
        "imdb_crop/01/nm0000001_rm12_1899-5-10_1968.jpg": 6,
      }),
    );
    expect(shown(table)).to.deep.equal([
      "imdb_crop/01/nm0000001_rm12_1899-5-10_1968.jpg | - | 0000001 | 69",
      "wiki_crop/00/100_1950-01-31_2000.jpg | - | 100 | 50",
      "wiki_crop/00/101_1950-12-31_2000.jpg | - | 101 | 49",
    ]);
    expect(table.problems.map(({ problem }) => problem)).to.deep.equal([
      "an age of -10 years, 0 to 122 were needed",
      "an age of 280 years, 0 to 122 were needed",
      "no date of birth (1970-00-00)",
    ]);
  });

  it("KDEF: emotion, gender, yaw and person from the names; folders are no labels", async () => {
    const table = await readTable(
      await tree({ "AF01/AF01AFFL.JPG": 1, "AF01/AF01HAS.JPG": 2, "BM35/BM35NEHR.JPG": 3 }),
    );
    expect(shown(table)).to.deep.equal([
      "AF01/AF01AFFL.JPG | - | F01 | fear/female/-90",
      "AF01/AF01HAS.JPG | - | F01 | happiness/female/0",
      "BM35/BM35NEHR.JPG | - | M35 | neutral/male/45",
    ]);
  });

  const refused: [string, Record<string, string | number>, RegExp][] = [
    ["FER+ as csv", { "fer2013new.csv": "Usage,Image name\n", "FER2013Train/fer0.png": 1 }, /FER\+.*votes/],
    [
      "AffectNet as npy",
      { "train_set/images/0.jpg": 1, "train_set/annotations/0_exp.npy": "x" },
      /AffectNet.*\.npy/,
    ],
    [
      "BIWI",
      { "01/frame_00003_rgb.png": 1, "01/frame_00003_pose.txt": "1 0 0\n" },
      /BIWI.*rotation matrices/,
    ],
  ];
  for (const [title, files, message] of refused) {
    it(`refuses ${title} with the steps to take`, async () => {
      const folder = await tree(files);
      const error = await failure(() => readTable(folder));
      expect(error.message).to.match(message);
      expect(error.hint).to.match(/docs\/howto-data\.md/);
    });
  }

  it("300W-LP: renderings and flips of one photograph are one group", async () => {
    const files: Record<string, number | Uint8Array> = {};
    const names = ["AFW/AFW_1_1_0", "AFW/AFW_1_1_1", "AFW_Flip/AFW_1_1_0", "HELEN/HELEN_2_1_0"];
    for (const [i, name] of names.entries()) {
      files[`${name}.jpg`] = i;
      files[`${name}.mat`] = matOfPose([0.1, 0.2 * i, 0], false);
    }
    const table = await readTable(await tree(files));
    expect(table.name).to.equal("300W-LP");
    expect(table.rows.map(({ identity }) => identity)).to.deep.equal([
      "AFW/AFW_1_1",
      "AFW/AFW_1_1",
      "AFW/AFW_1_1",
      "HELEN/HELEN_2_1",
    ]);
  });

  it("FER2013 as a table: the pictures are rows, equal ones are found, what is no square is left out", async () => {
    const picture = (level: number): string => Array.from({ length: 16 }, (_, i) => level + i).join(" ");
    const lines = ["emotion, Usage, pixels"];
    for (let i = 0; i < 28; i++)
      lines.push(
        `${i % 7},${["Training", "Training", "PublicTest", "PrivateTest"][i >> 3 > 2 ? 3 : i >> 3]},${picture(5 * i)}`,
      );
    lines.push(`3,PrivateTest,${picture(0)}`, `3,Training,"1 2 3"`, "");
    const folder = await tree({ "fer2013.csv": lines.join("\r\n") });
    const data = await openDataset({ data: folder, task: "emotion", seed: 0 });
    expect(data.layout).to.equal("FER2013");
    expect(data.task.classes.slice(0, 2)).to.deep.equal(["neutral", "happiness"]);
    expect(data.items.filter(({ split }) => split === "test")).to.have.length(5);
    expect(data.problems.map(({ file, problem }) => `${file}: ${problem}`)).to.deep.equal([
      "fer2013.csv#1: the same picture as fer2013.csv#29 of the test part: not trained on",
    ]);
    const store = await prepareImages(data, { ...small, width: 4, height: 4 }, { cacheDir: newFolder() });
    try {
      expect(store.problems.map(({ file }) => file)).to.deep.equal(["fer2013.csv#30"]);
      const levels = Array.from(
        await decodeImage(join(folder, "fer2013.csv#2"), [0, 0, 1, 1], { width: 4, height: 4 }),
      );
      expect(levels.filter((_, i) => i % 3 === 0)).to.deep.equal(Array.from({ length: 16 }, (_, i) => 5 + i));
    } finally {
      await store.close();
    }
  });

  it("labels.csv: a box in each row, in pixels; what is no box is left out", async () => {
    const lines = ["a.png,female,5 0 15 10", `b.png,male,"5,0,15,10"`, "c.png,male,9;9;1;1", "d.png,female,"];
    const folder = await tree({
      "labels.csv": `file,gender,box\n${lines.join("\n")}\n`,
      "a.png": 1,
      "b.png": 2,
      "c.png": 3,
      "d.png": 4,
    });
    const table = await readTable(folder);
    expect(shown(table)).to.deep.equal([
      "a.png | - | - | female | 5 0 15 10",
      "b.png | - | - | male | 5 0 15 10",
      "d.png | - | - | female",
    ]);
    expect(table.problems[0].problem).to.match(/box "9;9;1;1", four pixels/);
  });

  it("a dataset.json is read beside any layout: names of codes, the box, tasks of one's own", async () => {
    const files = Object.fromEntries(
      Array.from({ length: 12 }, (_, i) => [`${20 + i}_${i % 2}_0_2017${i}.jpg`, i]),
    );
    const folder = await tree({
      ...files,
      "dataset.json": JSON.stringify({
        name: "mine",
        crop: [0.1, 0.1, 0.9, 0.9],
        tasks: {
          gender: { values: { "0": "man", "1": "woman" } },
          years: { column: "age", kind: "regression" },
        },
      }),
    });
    const table = await readTable(folder);
    expect([table.layout, table.name, table.crop]).to.deep.equal(["UTKFace", "mine", [0.1, 0.1, 0.9, 0.9]]);
    expect(table.tasks.gender).to.deep.equal({ column: "gender", values: { "0": "man", "1": "woman" } });
    const { task } = await openDataset({ data: folder, task: "years", seed: 0 });
    expect([task.kind, task.unit]).to.deep.equal(["regression", "years"]);
  });

  it("numbers mean what their column means, whatever the task is called", async () => {
    const rows = Array.from({ length: 24 }, (_, i) => `p${i}.png,${i * 5 - 60},${i + 20}`);
    const files = Object.fromEntries(rows.map((_, i) => [`p${i}.png`, i]));
    const extra = ["x.png,400,999", "y.png,-999,-1"];
    const folder = await tree({
      ...files,
      "x.png": 100,
      "y.png": 101,
      "labels.csv": ["file,pitch,age", ...rows, ...extra].join("\n"),
    });
    const pitch = await openDataset({ data: folder, task: "head-pose", label: "pitch", seed: 0 });
    expect([pitch.task.mirror, pitch.task.unit]).to.deep.equal(["keep", "degrees"]);
    expect(pitch.problems.map(({ problem }) => problem)).to.deep.equal([
      'label 400 in column "pitch", -180 to 180 degrees was needed',
      'label -999 in column "pitch", -180 to 180 degrees was needed',
    ]);
    const age = await openDataset({ data: folder, task: "regression", label: "age", seed: 0 });
    expect([age.task.mirror, age.task.unit, age.task.tolerance]).to.deep.equal(["keep", "years", 5]);
    expect(age.items).to.have.length(24);
  });

  it("equal pictures under different names stay in one part", async () => {
    const files: Record<string, string | number> = {};
    const lines = ["file,gender"];
    for (let i = 0; i < 40; i++) {
      files[`p${i}.png`] = i % 20;
      lines.push(`p${i}.png,${i % 2 === 0 ? "female" : "male"}`);
    }
    const { items, assumptions } = await openDataset({
      data: await tree({ ...files, "labels.csv": lines.join("\n") }),
      task: "gender",
      seed: 1,
    });
    const parts = new Map(items.map(({ file, split }) => [file, split]));
    for (let i = 0; i < 20; i++) expect(parts.get(`p${i}.png`)).to.equal(parts.get(`p${i + 20}.png`));
    expect(assumptions.join()).to.contain("pictures: 20 are there twice");
  });
});
