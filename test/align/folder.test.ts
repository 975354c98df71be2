import { existsSync } from "node:fs";
import { readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { expect } from "chai";
import sharp from "sharp";
import { alignFolder, type AlignSummary } from "../../lib/align/folder.ts";
import type { AlignRecord } from "../../lib/align/record.ts";
import { silent, type Progress } from "../../lib/core/progress.ts";
import { openDataset, readTable } from "../../lib/data/open.ts";
import { readPairs } from "../../lib/data/pairs.ts";
import { failure, newFolder, removeFolders, tree } from "../data/support.ts";

const samples = dirname(createRequire(import.meta.url).resolve("@vladmandic/face-api/demo/sample1.jpg"));
const sample = (i: number): Promise<Uint8Array> => readFile(join(samples, `sample${i}.jpg`));

async function recordOf(out: string): Promise<AlignRecord> {
  return JSON.parse(await readFile(join(out, "align.json"), "utf8")) as AlignRecord;
}

describe("align/folder", function () {
  this.timeout(120_000);
  let input: string;
  let out: string;
  let summary: AlignSummary;
  const warnings: string[] = [];
  const progress: Progress = { ...silent, warn: (message) => void warnings.push(message) };

  before(async () => {
    // Landmark 0 and 1 of b.png are two corners of the picture.
    const { width, height } = await sharp(await sample(2)).metadata();
    const labels = [
      "file,split,person,sex,roll,note,x0,y0,x1,y1",
      `images/a.jpg,train,p1,1,12,"a, quoted",1,1,2,2`,
      `images/b.png,test,p2,0,3,,0,0,${width},${height}`,
      "images/grey.png,train,p3,0,3,,0,0,1,1",
      "images/broken.jpg,train,p3,0,3,,0,0,1,1",
      "../outside.jpg,train,p3,0,3,,0,0,1,1",
      "images/gone.jpg,train,p3,0,3,,0,0,1,1",
    ];
    const description = {
      name: "photos",
      crop: [0.1, 0.1, 0.9, 0.9],
      identity: "person",
      tasks: {
        gender: { column: "sex", values: { "0": "female", "1": "male" } },
        tilt: { column: "roll", unit: "degrees" },
      },
    };
    input = await tree({
      "images/a.jpg": await sample(1),
      "images/b.png": await sharp(await sample(2))
        .png()
        .toBuffer(),
      "images/grey.png": 120,
      "images/broken.jpg": "not a picture",
      "labels.csv": `${labels.join("\n")}\n`,
      "dataset.json": JSON.stringify(description),
      "pairs.csv":
        "file1,file2,same\nimages/a.jpg,images/b.png,0\nimages/a.jpg,images/grey.png,1\nimages/b.png,images/a.jpg,0\n",
    });
    await writeFile(join(dirname(input), "outside.jpg"), await sample(1));
    out = join(newFolder(), "aligned");
    summary = await alignFolder(input, out, { progress });
  });
  after(async () => {
    await rm(join(dirname(input), "outside.jpg"), { force: true });
    removeFolders();
  });

  it("writes a crop for every face, under the same name", async () => {
    expect(summary).to.include({ pictures: 6, aligned: 2, kept: 0, folder: out });
    for (const name of ["images/a.jpg", "images/b.png"]) {
      const { width, height, format } = await sharp(join(out, name)).metadata();
      expect([width, height]).to.deep.equal([150, 150]);
      expect(format).to.equal(name.endsWith("png") ? "png" : "jpeg");
    }
    expect(existsSync(join(dirname(out), "outside.jpg"))).to.equal(false);
  });

  it("says of every picture what became of it", async () => {
    const { pictures, settings } = await recordOf(out);
    expect(settings).to.deep.equal({ size: 150, padding: 0.25, minScore: 0.5 });
    const reasons = Object.fromEntries(pictures.map(({ file, reason }) => [file, reason]));
    expect(reasons["images/a.jpg"]).to.equal(undefined);
    expect(reasons["images/grey.png"]).to.equal("no face was found");
    expect(reasons["images/broken.jpg"]).to.match(/cannot be decoded/);
    expect(reasons["../outside.jpg"]).to.match(/leaves its folder/);
    expect(reasons["images/gone.jpg"]).to.equal("there is no such file");
    expect(summary.leftOut).to.have.length(4);
    const [a] = pictures;
    expect(a).to.include({ crop: "images/a.jpg", landmarks: 68 });
    expect(a.score).to.be.within(0.5, 1);
    const [x0, y0, x1, y1] = a.box!;
    const [width, height] = a.picture!;
    expect([x0 >= 0, y0 >= 0, x1 > x0, y1 > y0, x1 <= width, y1 <= height]).to.not.include(false);
  });

  it("carries labels, parts, persons and pairs over", async () => {
    const table = await readTable(out);
    expect(table.columns).to.include.members(["person", "sex", "note", "x0"]).and.not.include("roll");
    expect(table.crop).to.deep.equal([0, 0, 1, 1]);
    expect(table.name).to.equal("photos, aligned");
    expect(table.rows.map(({ file, split, identity }) => [file, split, identity])).to.deep.equal([
      ["images/a.jpg", "train", "p1"],
      ["images/b.png", "test", "p2"],
    ]);
    expect(table.rows[0].labels).to.include("a, quoted");
    expect(Object.keys(table.tasks)).to.deep.equal(["gender"]);
    expect(warnings.join()).to.match(/column "roll" is left out/);
    const { pairs, problems } = await readPairs(join(out, "pairs.csv"));
    expect(pairs.map(({ file1 }) => file1)).to.deep.equal(["images/a.jpg", "images/b.png"]);
    expect(problems).to.deep.equal([]);
    expect(summary.pairs).to.equal(2);
    const { crop, task } = await openDataset({
      data: out,
      task: "gender",
      seed: 0,
      split: "test",
    });
    expect(crop).to.deep.equal([0, 0, 1, 1]);
    expect(task.classes).to.deep.equal(["female", "male"]);
  });

  it("moves landmarks with the picture", async () => {
    const { pictures } = await recordOf(out);
    const [a, b, tx, ty] = pictures.find(({ file }) => file === "images/b.png")!.transform!;
    const [width, height] = pictures[1].picture!;
    const table = await readTable(out);
    const value = (name: string): number => Number(table.rows[1].labels[table.columns.indexOf(name)]);
    const back = (x: number, y: number): number[] => [a * x - b * y + tx, b * x + a * y + ty];
    const corners = [...back(value("x0"), value("y0")), ...back(value("x1"), value("y1"))];
    [0, 0, width, height].forEach((corner, i) => expect(corners[i]).to.be.closeTo(corner, 0.1));
  });

  it("writes the landmarks that it finds as labels, where it is asked to and there are no others", async () => {
    const photos = await tree({ "a.jpg": await sample(1), "b.jpg": await sample(2) });
    const folder = join(newFolder(), "points");
    await alignFolder(photos, folder, { landmarks: true });
    const dataset = await openDataset({ data: folder, task: "landmarks", seed: 0, valFraction: 0 });
    expect(dataset.task.outputs).to.equal(2 * 68);
    for (const { target } of dataset.items) {
      // In fractions of the crop: the nose (27 to 35) stands between the eyes and over the mouth, near the middle.
      const point = (i: number): number[] => [target[2 * i], target[2 * i + 1]];
      const [[nose, tip], [left], [right], [, mouth]] = [30, 36, 45, 57].map(point);
      expect([nose, tip].every((value) => value > 0.3 && value < 0.7)).to.equal(true);
      expect([left < nose, nose < right, tip < mouth]).to.deep.equal([true, true, true]);
    }
    const noted: string[] = [];
    const own = join(newFolder(), "own");
    await alignFolder(input, own, {
      landmarks: true,
      progress: { ...silent, warn: (message) => void noted.push(message) },
    });
    expect((await readTable(own)).columns.filter((column) => /^x\d/.test(column))).to.deep.equal([
      "x0",
      "x1",
    ]);
    expect(noted.join()).to.contain("landmarks of its own");
  });

  it("keeps what is done, and does again what has changed", async () => {
    const crop = join(out, "images/a.jpg");
    const before = (await stat(crop)).mtimeMs;
    expect(await alignFolder(input, out)).to.include({ aligned: 2, kept: 4 });
    expect((await stat(crop)).mtimeMs).to.equal(before);
    await utimes(join(input, "images/a.jpg"), 1e9, 1e9);
    await rm(join(out, "images/b.png"));
    expect(await alignFolder(input, out)).to.include({ aligned: 2, kept: 2 });
    expect(existsSync(join(out, "images/b.png"))).to.equal(true);
    expect((await stat(crop)).mtimeMs).to.be.greaterThan(before);
    const other = await failure(() => alignFolder(input, out, { size: 96 }));
    expect(other.message).to.match(
      /align.json: crops of other settings \(size 150\), a new folder was needed/,
    );
    expect(await sharp(crop).metadata()).to.include({ width: 150, height: 150 });
    expect(await alignFolder(input, out, { size: 96, replace: true })).to.include({ aligned: 2, kept: 0 });
    expect(await sharp(crop).metadata()).to.include({ width: 96, height: 96 });
  });

  it("stopped, it keeps what was done", async () => {
    const other = join(newFolder(), "aligned");
    const abort = new AbortController();
    abort.abort();
    const error = await failure(() => alignFolder(input, other, { signal: abort.signal }));
    expect(error.kind).to.equal("interrupted");
    expect((await recordOf(other)).pictures).to.deep.equal([]);
    expect(await alignFolder(input, other)).to.include({ aligned: 2, kept: 0 });
  });

  it("takes the face that a row's box is about, whichever is larger; a crop has one face", async () => {
    const folder = await tree({ "a.jpg": await sample(1) });
    const whole = join(newFolder(), "whole");
    await alignFolder(folder, whole);
    const { faces = 0, box: largest = [0, 0, 0, 0] } = (await recordOf(whole)).pictures[0];
    expect(faces).to.be.greaterThan(1);
    // A box about all of the picture's other side holds another face.
    const { width, height } = await sharp(await sample(1)).metadata();
    const isLeft = (largest[0] + largest[2]) / 2 < width / 2;
    const [x0, x1] = isLeft ? [Math.ceil(largest[2]), width] : [0, Math.floor(largest[0])];
    await writeFile(
      join(folder, "labels.csv"),
      `file,gender,box\na.jpg,male,"${x0},0,${x1},${height}"\nb.jpg,male,"0,0,9,9"\nb.jpg,female,"9,9,20,20"\n`,
    );
    await writeFile(join(folder, "b.jpg"), await sample(2));
    await alignFolder(folder, whole, { progress });
    const [a, b] = (await recordOf(whole)).pictures;
    const middle = ((a.box?.[0] ?? 0) + (a.box?.[2] ?? 0)) / 2;
    expect(a.box).to.not.deep.equal(largest);
    expect(middle).to.be.within(x0, x1);
    expect(b.reason).to.match(/several rows with boxes/);
  });

  it("names what it cannot read also where nothing is labelled, and why a known layout is not read", async () => {
    const input = await tree({ "a.jpg": await sample(1), "b.heic": "x", "fer2013new.csv": "Usage\n" });
    const notes: string[] = [];
    const { leftOut } = await alignFolder(input, join(newFolder(), "plain"), {
      progress: { ...silent, note: (text) => void notes.push(text) },
    });
    expect(leftOut.map(({ file }) => file)).to.deep.equal(["b.heic"]);
    expect(notes.join()).to.contain("votes of ten annotators");
  });

  it("takes a folder without labels", async () => {
    const plain = await tree({
      "a.jpg": await sample(1),
      "b.gif": await sharp(await sample(2))
        .gif()
        .toBuffer(),
    });
    const other = join(newFolder(), "aligned");
    expect(await alignFolder(plain, other)).to.include({ pictures: 2, aligned: 2 });
    expect(await readFile(join(other, "labels.csv"), "utf8")).to.equal("file\na.jpg\nb.gif.png\n");
  });

  it("takes every photo of a folder with sub-folders; those beside the classes have none", async () => {
    const photos = { "top.jpg": await sample(1), "2021/b.jpg": await sample(2) };
    const other = join(newFolder(), "aligned");
    expect(await alignFolder(await tree(photos), other)).to.include({ pictures: 2, aligned: 2 });
    const classes = await tree({ ...photos, "2022/c.jpg": await sample(1) });
    const labelled = join(newFolder(), "aligned");
    expect((await alignFolder(classes, labelled)).leftOut).to.deep.equal([]);
    expect((await readFile(join(labelled, "labels.csv"), "utf8")).split("\n")).to.include.members([
      "2021/b.jpg,2021",
      "2022/c.jpg,2022",
      "top.jpg,",
    ]);
  });

  it("refuses folders that lie in one another, that hold other things, and settings out of range", async () => {
    const usage = async (work: () => unknown): Promise<string> => {
      const error = await failure(work);
      expect(error.kind).to.equal("usage");
      return error.message;
    };
    expect(await usage(() => alignFolder(input, input))).to.match(/two separate folders/);
    expect(await usage(() => alignFolder(input, join(input, "out")))).to.match(/two separate folders/);
    expect(await usage(() => alignFolder(join(input, "images"), input))).to.match(/two separate folders/);
    const full = await tree({ "thesis.txt": "mine" });
    expect(await usage(() => alignFolder(input, full))).to.match(/holds 1 files and no align.json/);
    expect(await usage(() => alignFolder(input, out, { size: 15 }))).to.match(/--size: 15/);
    expect(await usage(() => alignFolder(input, out, { padding: -1 }))).to.match(/--padding: -1/);
    expect(await usage(() => alignFolder(input, out, { minScore: 1 }))).to.match(/--min-score: 1/);
    expect(await usage(() => alignFolder("synthetic:20", out))).to.match(/folder of photos/);
  });

  it("refuses a damaged align.json, and a folder without any face", async () => {
    const damaged = await tree({ "align.json": '{"schema":1,"pictures":[{}]}' });
    expect((await failure(() => alignFolder(input, damaged))).message).to.match(/damaged/);
    const grey = await tree({ "a.png": 50 });
    const error = await failure(() => alignFolder(grey, join(newFolder(), "aligned")));
    expect(error.kind).to.equal("data");
    expect(error.message).to.match(/no crop from 1 picture .*no face was found/);
  });
});
