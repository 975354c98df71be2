import { expect } from "chai";
import { join } from "node:path";
import type { OpenDatasetOptions } from "../../lib/data/dataset.ts";
import { openDataset } from "../../lib/data/open.ts";
import { requireData } from "../support/require.ts";
import { failure, removeFolders, tree, writeTree } from "./support.ts";

const open = (data: string, task: string, more: Partial<OpenDatasetOptions> = {}) =>
  openDataset({ data, task, seed: 1, ...more });

/** n grey pictures and a labels.csv made by `row`. */
function labelled(
  n: number,
  header: string,
  row: (i: number) => string,
  more: Record<string, string | number> = {},
): Promise<string> {
  const names = Array.from({ length: n }, (_, i) => `p${i}.png`);
  return tree({
    ...Object.fromEntries(names.map((name, i) => [name, i])),
    "labels.csv": `${header}\n${names.map((name, i) => `${name},${row(i)}`).join("\n")}\n`,
    ...more,
  });
}

describe("openDataset on a folder with labels.csv", () => {
  after(removeFolders);

  it("keeps the given test part and cuts validation from the training part, the same share of every class", async () => {
    const root = await labelled(
      80,
      "file,split,gender",
      (i) => `${i < 60 ? "train" : "test"},${"fm"[i % 2]}`,
    );
    const { items, task } = await open(root, "gender");
    const count = (split: string, target: number) =>
      items.filter((item) => item.split === split && item.target[0] === target).length;
    expect(items.slice(60).every((item) => item.split === "test")).to.equal(true);
    expect([count("val", 0), count("val", 1), count("train", 0), count("train", 1)]).to.deep.equal([
      5, 5, 25, 25,
    ]);
    expect(task.classes).to.deep.equal(["female", "male"]);
  });

  it("never puts one person into two parts", async () => {
    const root = await labelled(
      90,
      "file,person,gender",
      (i) => `${Math.floor(i / 3)},${i % 2 === 0 ? "f" : "m"}`,
    );
    for (const seed of [1, 2, 3]) {
      const { items } = await open(root, "gender", { seed });
      const parts = new Map<string, Set<string>>();
      for (const { identity = "", split } of items) {
        parts.set(identity, (parts.get(identity) ?? new Set()).add(split));
      }
      expect([...parts.values()].every((set) => set.size === 1)).to.equal(true);
      const share = (split: string) => items.filter((item) => item.split === split).length / 90;
      expect(share("test")).to.be.closeTo(0.25, 0.04);
      expect(share("val")).to.be.closeTo(0.75 * 0.15, 0.04);
    }
  });

  it("counts and names rows that cannot be used, and refuses them in strict mode", async () => {
    const root = await labelled(12, "file,gender", (i) => ["f", "m"][i % 2]);
    await writeTree(root, {
      "empty.png": "",
      "labels.csv": [
        "file,gender",
        ...Array.from({ length: 12 }, (_, i) => `p${i}.png,${["f", "m"][i % 2]}`),
        "p0.png,m",
        "gone.png,m",
        "empty.png,f",
        "../p1.png,f",
        "/etc/passwd,f",
        "p3.png",
      ].join("\n"),
    });
    const { items, problems } = await open(root, "gender");
    expect(items.length).to.equal(11);
    expect(problems.map(({ file }) => file)).to.have.members([
      "p0.png",
      "p0.png",
      "gone.png",
      "empty.png",
      "../p1.png",
      "/etc/passwd",
      "p3.png",
    ]);
    expect(problems.find(({ file }) => file === "../p1.png")?.problem).to.match(/leaves its folder/);
    expect(problems.find(({ file }) => file === "/etc/passwd")?.problem).to.match(/leaves its folder/);
    const refused = await failure(() => open(root, "gender", { strict: true }));
    expect(refused.kind).to.equal("data");
    expect(refused.message).to.match(/7 rows cannot be used .*p0\.png: listed twice with different labels/);
  });

  it("names an unlabelled row and a label that is no number", async () => {
    const root = await labelled(8, "file,age", (i) => ["", "old", "NaN"][i] ?? String(i));
    const { items, problems } = await open(root, "age");
    expect(items.length).to.equal(5);
    expect(problems.map(({ problem }) => problem)).to.deep.equal([
      'no label in column "age"',
      'label "old" in column "age", a number was needed',
      'no label in column "age"',
    ]);
  });

  it("answers an unknown task, a missing column and a missing folder with what is there and the nearest", async () => {
    const root = await labelled(4, "file,gander,years", (i) => `${"fm"[i % 2]},30`);
    const unknown = await failure(() => open(root, "gendre"));
    expect([unknown.kind, unknown.hint]).to.deep.equal(["usage", 'did you mean "gender"?']);
    const own = await failure(() => open(root, "smile", { label: "smile" }));
    expect(own.hint).to.match(/etl plan --task binary --label smile$/);
    const missing = await failure(() => open(root, "gender"));
    expect(missing.kind).to.equal("usage");
    expect(missing.message).to.match(
      /has the columns gander, years, a column "gender" or "sex" or "male" or "is_male" was needed/,
    );
    expect(missing.hint).to.equal("did you mean --label gander?");
    expect((await failure(() => open(join(root, "nowhere"), "gender"))).kind).to.equal("io");
    expect((await open(root, "gender", { label: "gander" })).items.length).to.equal(4);
  });

  it("refuses one class, and a class without a training picture, by name", async () => {
    const one = await labelled(6, "file,gender", () => "f");
    expect((await failure(() => open(one, "gender"))).message).to.match(
      /holds one class only \("female", 6 pictures\)/,
    );
    const row = (i: number) => (i < 9 ? `train,${["happy", "sad"][i % 2]}` : "test,angry");
    const none = await labelled(12, "file,split,emotion", row);
    const error = await failure(() => open(none, "emotion"));
    expect(error.kind).to.equal("data");
    expect(error.message).to.match(/no training picture of class "anger" of column "emotion"/);
  });

  it("reads dataset.json: names of codes, crop, identity, unit, mirror", async () => {
    const description = {
      name: "mine",
      crop: [0.1, -0.2, 0.9, 1.1],
      identity: "who",
      tasks: {
        gender: { column: "code", values: { "7": "male", "9": "female" } },
        "head-pose": { column: "turn", unit: "radians", mirror: "negate" },
        hat: { column: "code", values: { "7": "no hat", "9": "hat" } },
      },
    };
    const root = await labelled(12, "file,code,turn,who", (i) => `${[7, 9][i % 2]},0.5,w${i}`, {
      "dataset.json": JSON.stringify(description),
    });
    const gender = await open(root, "gender");
    expect(gender.name).to.equal("mine");
    expect(gender.crop).to.deep.equal([0.1, -0.2, 0.9, 1.1]);
    expect(gender.task.classes).to.deep.equal(["female", "male"]);
    expect(gender.items.map((item) => item.target[0]).slice(0, 2)).to.deep.equal([1, 0]);
    expect(gender.items[3].identity).to.equal("w3");
    const pose = await open(root, "head-pose");
    expect(pose.task).to.include({ unit: "degrees", tolerance: 15, mirror: "negate" });
    expect(pose.items[0].target[0]).to.equal(0.5);
    expect((await open(root, "hat")).task).to.deep.include({ kind: "binary", classes: ["no hat", "hat"] });
  });

  it("refuses a field of a dataset.json that is a known one mistyped, and leaves others alone", async () => {
    const opened = async (json: object) => {
      const root = await labelled(8, "file,age", String, { "dataset.json": JSON.stringify(json) });
      return open(root, "age");
    };
    for (const [json, found, needed] of [
      [{ Crop: [0, 0, 0.5, 0.5] }, "Crop", "crop"],
      [{ task: { age: { factor: 2 } } }, "task", "tasks"],
      [{ tasks: { age: { mising: ["-1"] } } }, "tasks.age.mising", "tasks.age.missing"],
      [{ tasks: { age: { Factor: 2 } } }, "tasks.age.Factor", "tasks.age.factor"],
      [{ parts: { column: "age", value: {} } }, "parts.value", "parts.values"],
    ] as const) {
      const { kind, message, hint } = await failure(() => opened(json));
      expect(kind, found).to.equal("format");
      expect(message).to.match(/dataset\.json: a field /);
      expect(message).to.contain(`a field "${found}", "${needed}" was needed`);
      expect(hint).to.contain("it is not read");
    }
    const others = { note: "", source: "", licence: "", version: 1, person: 3, names: [], scrop: 1 };
    expect((await opened({ ...others, tasks: { age: { note: "in years" } } })).items).to.have.length(8);
  });

  it("names the field of a dataset.json that is wrong", async () => {
    const wrong = async (json: unknown) => {
      const root = await labelled(4, "file,age", String, { "dataset.json": JSON.stringify(json) });
      const error = await failure(() => open(root, "age"));
      expect(error.kind).to.equal("format");
      return error.message;
    };
    expect(await wrong({ crop: [0.9, 0, 0.1, 1] })).to.match(/crop: \[0.9,0,0.1,1\]/);
    expect(await wrong({ tasks: { age: { column: 3 } } })).to.match(
      /tasks\.age\.column is 3, text was needed/,
    );
    expect(await wrong({ tasks: { age: { mirror: "flip" } } })).to.match(/tasks\.age\.mirror is "flip"/);
  });

  it("takes angles above 3.2 for degrees, else for radians, and says so; targets are radians", async () => {
    const degrees = await labelled(8, "file,yaw", (i) => String(i * 10 - 40));
    const a = await open(degrees, "head-pose");
    expect(a.items[0].target[0]).to.be.closeTo((-40 * Math.PI) / 180, 1e-6);
    expect(a.assumptions.join("\n")).to.match(
      /column "yaw" is taken for degrees \(largest absolute value 40\)/,
    );
    const radians = await labelled(8, "file,yaw", (i) => String(i / 10));
    const b = await open(radians, "head-pose");
    expect(b.items[7].target[0]).to.be.closeTo(0.7, 1e-6);
    expect(b.task.unit).to.equal("degrees");
    expect(b.assumptions.join("\n")).to.match(/is taken for radians/);
  });

  it("masks missing labels of a multi-label task", async () => {
    const root = await labelled(8, "file,a,b,name", (i) => `${i % 2},${i === 3 ? "" : 1},x`);
    const { task, items } = await open(root, "multi-label");
    expect(task.columns).to.deep.equal(["a", "b"]);
    expect(items[3].mask).to.deep.equal(Float32Array.of(1, 0));
    expect(items[3].target).to.deep.equal(Float32Array.of(1, 0));
    expect(items[2].mask).to.equal(undefined);
  });

  it("makes emotion a regression where the label is valence", async () => {
    const root = await labelled(8, "file,valence", (i) => String(i / 4 - 1));
    const { task, assumptions } = await open(root, "emotion");
    expect(task).to.deep.include({ kind: "regression", outputs: 1, tolerance: 0.175 });
    expect(assumptions.join("\n")).to.match(/a tenth of the range/);
  });

  it("matches the classes of another model by name, whatever the codes are", async () => {
    const root = await labelled(6, "file,emotion", (i) => ["Happy", "sadness", "boredom"][i % 3]);
    const { task, items, problems } = await open(root, "emotion", {
      classes: ["anger", "sadness", "happiness"],
      valFraction: 0,
    });
    expect(task.outputs).to.equal(3);
    expect(items.map((item) => [...item.target].indexOf(1))).to.deep.equal([2, 1, 2, 1]);
    expect(problems.length).to.equal(2);
    expect(problems[0].problem).to.match(
      /label "boredom" in column "emotion", one of anger, sadness, happiness/,
    );
  });

  it("has a fingerprint that moves with the folder and changes with labels, sizes and options", async () => {
    const make = (last: string) => labelled(9, "file,age", (i) => (i === 8 ? last : String(20 + i)));
    const print = async (root: string, more: Partial<OpenDatasetOptions> = {}) =>
      (await open(root, "age", more)).fingerprint;
    const [a, b, other] = [await make("50"), await make("50"), await make("51")];
    expect(await print(a)).to.equal(await print(b));
    expect(await print(a)).to.not.equal(await print(other));
    expect(await print(a)).to.not.equal(await print(a, { crop: [0, 0, 0.5, 1] }));
    expect(await print(a)).to.not.equal(await print(a, { seed: 2 }));
    await writeTree(b, {
      "p0.png": "something longer than the picture was before, which changes its size in bytes",
    });
    expect(await print(a)).to.not.equal(await print(b));
  });

  it("puts landmarks into fractions of a square around them", async () => {
    // Pictures are 20x10. Box of the points: x 4..12, y 2..6; square side 8 * 1.4 around (8, 4).
    const root = await labelled(8, "file,x0,y0,x1,y1", () => "4,2,12,6");
    const { items, task } = await open(root, "landmarks");
    expect(task).to.deep.include({ outputs: 4, unit: "crop", mirror: "forbid" });
    const [x0, y0, x1, y1] = items[0].crop ?? [0, 0, 0, 0];
    expect([x0 * 20, y0 * 10, x1 * 20, y1 * 10].map((v) => Number(v.toFixed(4)))).to.deep.equal([
      2.4, -1.6, 13.6, 9.6,
    ]);
    const expected = [1.6 / 11.2, 3.6 / 11.2, 9.6 / 11.2, 7.6 / 11.2];
    items[0].target.forEach((value, i) => expect(value).to.be.closeTo(expected[i], 1e-5));
  });

  it("takes at most --limit pictures, the same for one seed", async () => {
    const root = await labelled(40, "file,age", String);
    const files = async (seed: number) =>
      (await open(root, "age", { limit: 10, seed })).items.map(({ file }) => file);
    expect((await files(1)).length).to.equal(10);
    expect(await files(1)).to.deep.equal(await files(1));
    expect(await files(1)).to.not.deep.equal(await files(2));
    expect((await failure(() => open(root, "age", { limit: 0 }))).kind).to.equal("usage");
  });
});

describe("openDataset on the real folders", () => {
  const cases: [string, string, number, number, number][] = [
    ["celeba", "gender", 3750, 1250, 1],
    ["celeba", "attributes", 3750, 1250, 40],
    ["utkface", "gender", 4500, 1500, 1],
    ["utkface", "age", 4500, 1500, 1],
    ["pointing04", "head-pose", 1674, 558, 1],
    ["rafdb", "emotion", 3670, 1223, 7],
  ];
  for (const [folder, task, train, test, outputs] of cases) {
    it(`${folder}: ${task}, every row usable`, async function () {
      const dataset = await open(requireData(this, folder), task, { strict: true });
      const count = (split: string) => dataset.items.filter((item) => item.split === split).length;
      expect(count("train") + count("val")).to.equal(train);
      expect(count("val") / train).to.be.closeTo(0.15, 0.05);
      expect(count("test")).to.equal(test);
      expect(dataset.task.outputs).to.equal(outputs);
    });
  }

  it("gender is coded alike in CelebA and UTKFace, though their files differ", async function () {
    const [a, b] = [
      await open(requireData(this, "celeba"), "gender"),
      await open(requireData(this, "utkface"), "gender"),
    ];
    expect(a.task.classes).to.deep.equal(["female", "male"]);
    expect(b.task.classes).to.deep.equal(["female", "male"]);
  });
});
