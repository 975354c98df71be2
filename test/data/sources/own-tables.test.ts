import { expect } from "chai";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Dataset } from "../../../lib/data/dataset.ts";
import { openDataset } from "../../../lib/data/open.ts";
import { failure, removeFolders, tree, writeTree } from "../support.ts";

const open = (data: string, task: string, more: object = {}): Promise<Dataset> =>
  openDataset({ data, task, seed: 1, ...more });

/** `n` pictures and a labels.csv of their names and what `row` says. */
function table(n: number, header: string, row: (i: number) => string): Promise<string> {
  const names = Array.from({ length: n }, (_, i) => `images/${i}.png`);
  return tree({
    ...Object.fromEntries(names.map((name, i) => [name, i])),
    "labels.csv": [header, ...names.map((name, i) => `${name},${row(i)}`)].join("\n"),
  });
}

const shareOf = ({ items }: Dataset, part: string): number =>
  items.filter(({ split }) => split === part).length / items.length;

describe("tables that people write themselves", () => {
  after(removeFolders);

  it("classes that are synonyms elsewhere are classes of their own, with the rows that have them", async () => {
    for (const words of [
      ["man", "woman", "boy", "girl"],
      ["w", "f", "m"],
      ["sad", "sadness", "angry"],
    ]) {
      const root = await table(48, "file,who", (i) => words[i % words.length]);
      for (const more of [{}, { classes: words }]) {
        const { task, items } = await open(root, "categorical", { label: "who", ...more });
        expect([...task.classes].sort()).to.deep.equal([...words].sort());
        for (const { file, target } of items)
          expect(task.classes[target.indexOf(1)], file).to.equal(
            words[parseInt(file.slice("images/".length)) % words.length],
          );
      }
    }
    const root = await table(24, "file,who", (i) => ["girl", "woman"][i % 2]);
    const { task, items } = await open(root, "binary", { label: "who" });
    expect(task.classes).to.deep.equal(["girl", "woman"]);
    expect(items.filter(({ target }) => target[0] === 1)).to.have.length(12);
  });

  it("a class of a model is met by another word where that means one class alone", async () => {
    const root = await table(24, "file,who", (i) => ["boy", "girl"][i % 2]);
    const more = { label: "who", classes: ["female", "male"] };
    expect((await open(root, "binary", more)).items).to.have.length(24);
    const several = await failure(() =>
      open(root, "categorical", { label: "who", classes: ["man", "male", "x"] }),
    );
    expect(several.message).to.match(/one of man, male, x was needed/);
  });

  it("words for nobody are no person: their pictures are not one group", async () => {
    for (const word of ["NA", "unknown", "-1", "None"]) {
      const root = await table(
        120,
        "file,person,gender",
        (i) => `${i % 4 === 0 ? `p${i % 12}` : word},${"fm"[i % 2]}`,
      );
      const data = await open(root, "gender");
      expect(shareOf(data, "test"), word).to.be.closeTo(0.25, 0.05);
      expect(data.items.filter(({ identity }) => identity !== undefined)).to.have.length(30);
      expect(data.assumptions.join("\n")).to.include(`identity: 90 times ${word} is taken for not known`);
    }
  });

  it("one person with most pictures is not drawn as the test part where others can be", async () => {
    const root = await table(80, "file,person,gender", (i) => `${i < 50 ? "p0" : `p${i}`},${"fm"[i % 2]}`);
    for (const seed of Array.from({ length: 40 }, (_, i) => i))
      expect(shareOf(await open(root, "gender", { seed }), "test"), String(seed)).to.be.closeTo(0.25, 0.02);
    const few = await table(80, "file,person,gender", (i) => `${i < 50 ? "p0" : "p1"},${"fm"[i % 2]}`);
    expect(shareOf(await open(few, "gender", { valFraction: 0 }), "test")).to.equal(30 / 80);
  });

  it("names of another machine and names as in an address: where the picture lies is said", async () => {
    for (const name of ["/home/me/faces/images/", "images%2F"]) {
      const rows = Array.from({ length: 12 }, (_, i) => `${name}${i}.png,${"fm"[i % 2]}`);
      const root = await tree({
        ...Object.fromEntries(rows.map((_, i) => [`images/${i}.png`, i])),
        "labels.csv": ["file,gender", ...rows].join("\n"),
      });
      const { hint } = await failure(() => open(root, "gender"));
      expect(hint, name).to.match(/^there is images\/0\.png: names count from/);
    }
  });

  it("numbers in another spelling are refused, as their rows would be missing from one end of the scale", async () => {
    for (const [text, rest] of [
      ["1,234.5", "12"],
      ["1 234", "12"],
      ["\u221240", "12"],
      ["30s", "12"],
      ["~30", "12"],
    ]) {
      const root = await table(60, "file,score", (i) => (i % 5 === 0 ? `"${text}"` : String(i)));
      const error = await failure(() => open(root, "regression", { label: "score" }));
      expect(error.message).to.include(
        `${rest} of 60 labels in column "score" are no plain numbers (${text})`,
      );
      await writeTree(root, {
        "dataset.json": JSON.stringify({ tasks: { regression: { column: "score", missing: [text] } } }),
      });
      expect((await open(root, "regression", { label: "score" })).items, text).to.have.length(48);
    }
    const slip = await table(60, "file,score", (i) => (i === 5 ? "1 234" : String(i)));
    expect((await open(slip, "regression", { label: "score" })).problems).to.have.length(1);
  });

  it("1 and 1.0 are one class", async () => {
    const root = await table(48, "file,code", (i) => ["0.0", "1", "1.0", "2"][i % 4]);
    const { task, items } = await open(root, "categorical", { label: "code" });
    expect(task.classes).to.deep.equal(["0.0", "1", "2"]);
    expect(items.filter(({ target }) => target[1] === 1)).to.have.length(24);
  });

  it("of two columns called after pictures the one with names of pictures is taken", async () => {
    const root = await table(24, "path,image,gender", (i) => `${i},${"fm"[i % 2]}`);
    expect((await open(root, "gender")).items[0].file).to.equal("images/0.png");
  });

  it("a box that is not known is none, and lines of commas are no rows", async () => {
    const root = await table(
      24,
      "file,gender,box",
      (i) => `${"fm"[i % 2]},${i % 2 === 0 ? "nan" : '"2,2,9,9"'}`,
    );
    const text = await readFile(join(root, "labels.csv"), "utf8");
    await writeTree(root, { "labels.csv": `${text}\n,,\n , ,\n` });
    const { items, problems } = await open(root, "gender");
    expect(problems).to.deep.equal([]);
    expect(items.filter(({ crop }) => crop !== undefined)).to.have.length(12);
  });

  it("names of dataset.json that differ in case are one class", async () => {
    const root = await table(24, "file,mood", (i) => String(i % 3));
    await writeTree(root, {
      "dataset.json": JSON.stringify({
        tasks: { mood: { column: "mood", values: { "0": "good", "1": "Good", "2": "bad" } } },
      }),
    });
    const { task, items } = await open(root, "mood");
    expect(task.classes).to.deep.equal(["good", "bad"]);
    expect(items.filter(({ target }) => target[0] === 1)).to.have.length(16);
  });

  it("many labels that are no classes are said in a few sentences, the commonest first", async () => {
    const root = await table(60, "file,gender", (i) =>
      i < 24 ? "fm"[i % 2] : i < 30 ? "often" : `word ${i}`,
    );
    const { warnings = [] } = await open(root, "gender");
    const about = warnings.filter((text) => text.startsWith("labels: "));
    expect(about).to.have.length(9);
    expect(about[0]).to.match(/^labels: 6 rows with "often"/);
    expect(about[8]).to.equal('labels: 23 rows with 23 other labels in column "gender" left out as well');
  });
});
