/** Who is on a picture, and that a person stays on one side. */
import { expect } from "chai";
import type { Dataset } from "../../lib/data/dataset.ts";
import { openDataset } from "../../lib/data/open.ts";
import { failure, removeFolders, tree } from "./support.ts";

const open = (data: string, task = "gender"): Promise<Dataset> => openDataset({ data, task, seed: 1 });
const sex = (i: number): string => ["male", "female"][i % 2];
const pictures = (n: number, name: (i: number) => string): Record<string, number> =>
  Object.fromEntries(Array.from({ length: n }, (_, i) => [name(i), i]));
const table = (n: number, name: (i: number) => string): Record<string, string | number> => ({
  ...pictures(n, name),
  "labels.csv": `file,gender\n${Array.from({ length: n }, (_, i) => `${name(i)},${sex(i)}`).join("\n")}\n`,
});
const identity = (column: string): Record<string, string> => ({
  "dataset.json": JSON.stringify({ identity: column }),
});
/** Persons, by a part of the name, that are in more than one part. */
function divided({ items }: Dataset, person: RegExp): number {
  const parts = new Map<string, Set<string>>();
  for (const { file, split } of items) {
    const [who = ""] = person.exec(file) ?? [];
    parts.set(who, (parts.get(who) ?? new Set()).add(split));
  }
  return [...parts.values()].filter((own) => own.size > 1).length;
}

describe("who is on the pictures", () => {
  after(removeFolders);

  it("dataset.json says it for folders per class: the folders right above the pictures", async () => {
    const files = pictures(80, (i) => `${sex(i)}/p${i % 20}/${i}.png`);
    const known = await open(await tree({ ...files, ...identity("folder") }));
    expect(divided(known, /p\d+/)).to.equal(0);
    expect(known.assumptions.join("\n")).to.include(
      "the 20 folders right above the pictures are the persons",
    );
    expect(known.assumptions.join("\n")).not.to.include("not kept together");
    expect(divided(await open(await tree(files)), /p\d+/)).to.be.above(0);
  });

  it("dataset.json says it for CelebA: a column of its list; one that is not there is refused", async () => {
    const names = Array.from({ length: 60 }, (_, i) => String(i + 1).padStart(6, "0"));
    const lines = names.map((name, i) => `${name}.jpg ${i % 2 ? "1" : "-1"} ${(i >> 1) % 15}`);
    const celeba = {
      ...Object.fromEntries(names.map((name, i) => [`img_align_celeba/${name}.jpg`, i])),
      "list_attr_celeba.txt": `60\nMale Who\n${lines.join("\n")}`,
    };
    const { items } = await open(await tree({ ...celeba, ...identity("Who") }));
    const parts = new Map<string, Set<string>>();
    for (const { identity: who = "", split } of items)
      parts.set(who, (parts.get(who) ?? new Set()).add(split));
    expect(parts.size).to.equal(15);
    expect([...parts.values()].every((own) => own.size === 1)).to.equal(true);
    const refused = await failure(async () => open(await tree({ ...celeba, ...identity("person") })));
    expect(refused.message).to.match(/columns Male, Who \(CelebA\), the identity column "person"/);
  });

  it("a column that class folders do not have is refused, with what to write", async () => {
    const files = pictures(40, (i) => `${sex(i)}/p${i % 20}/${i}.png`);
    const refused = await failure(async () => open(await tree({ ...files, ...identity("person") })));
    expect(refused.message).to.match(/the identity column "person" named in dataset.json was needed/);
    expect(refused.hint).to.include('"identity": "folder"');
  });

  it("folders that are classes are no persons", async () => {
    const files = pictures(40, (i) => `${sex(i)}/${i}.png`);
    const refused = await failure(async () => open(await tree({ ...files, ...identity("folder") })));
    expect(refused.message).to.match(/\((female, male|male, female)\) are labels or parts/);
  });

  it("folders that the pictures of a table are called after are persons, as LFW has them", async () => {
    const data = await open(await tree(table(90, (i) => `lfw/Ann_${i % 30}/Ann_${i % 30}_${i}.png`)));
    expect(divided(data, /Ann_\d+/)).to.equal(0);
    expect(data.assumptions.join("\n")).to.match(
      /the 30 folders that the pictures are called after .* persons/,
    );
  });

  it("other folders are said to be divided, or are persons where dataset.json says so", async () => {
    const files = table(90, (i) => `v${i % 30}/${i}.png`);
    const said = await open(await tree(files));
    expect(said.assumptions.join("\n")).to.match(/folders of the pictures \(v0, .*\) are not kept together/);
    const known = await open(await tree({ ...files, ...identity("folder") }));
    expect(divided(known, /v\d+/)).to.equal(0);
  });

  it("folders that are a label, and folders for a few kinds, are left alone", async () => {
    const ages = Array.from({ length: 60 }, (_, i) => `${20 + (i % 12)}/${20 + (i % 12)}_${i}.png`);
    const root = await tree({
      ...pictures(60, (i) => ages[i]),
      "labels.csv": `file,age\n${ages.map((name) => `${name},${name.slice(0, 2)}`).join("\n")}\n`,
    });
    const few = await open(await tree(table(40, (i) => `set${i % 4}/set${i % 4}_${i}.png`)));
    for (const { assumptions, items } of [await open(root, "age"), few]) {
      expect(assumptions.join("\n")).not.to.include("identity:");
      expect(items.every((item) => item.identity === undefined)).to.equal(true);
    }
  });
});
