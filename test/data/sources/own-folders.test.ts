/** Folders of pictures as people have them on their disks. */
import { expect } from "chai";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Dataset } from "../../../lib/data/dataset.ts";
import { openDataset } from "../../../lib/data/open.ts";
import { failure, removeFolders, tree, writeTree } from "../support.ts";

const open = (data: string, task: string, more: object = {}): Promise<Dataset> =>
  openDataset({ data, task, seed: 1, ...more });
const pictures = (n: number, name: (i: number) => string): Record<string, number> =>
  Object.fromEntries(Array.from({ length: n }, (_, i) => [name(i), i]));
const sex = (i: number): string => ["man", "woman"][i % 2];

describe("folders of people's own pictures", () => {
  after(removeFolders);

  it("pictures without an ending are named, other files without one are not", async () => {
    const root = await tree(pictures(24, (i) => `${sex(i)}/${i}.png`));
    const bytes = readFileSync(join(root, "man/0.png"));
    await writeTree(root, {
      "man/0001": bytes,
      "woman/face.001": bytes,
      "woman/2.png_large": bytes,
      "man/LICENSE": "text",
      "man/Thumbs.db": bytes,
    });
    const { problems } = await open(root, "gender");
    expect(problems.map(({ file }) => file)).to.deep.equal([
      "man/0001",
      "woman/2.png_large",
      "woman/face.001",
    ]);
    expect(problems[0].problem).to.match(/give it the ending/);
  });

  it("train/train/ and test/test/ are the parts, whatever lies below them the classes", async () => {
    const root = await tree(
      pictures(32, (i) => `${i < 24 ? "train/train" : "test/test"}/${sex(i)}/${i}.png`),
    );
    const { task, items } = await open(root, "gender");
    expect(task.classes).to.deep.equal(["female", "male"]);
    expect(items.filter(({ split }) => split === "test")).to.have.length(8);
  });

  it("folders inside the classes may be persons: that parts do not know them is said where parts are cut", async () => {
    const said = async (name: (i: number) => string): Promise<string> =>
      (await open(await tree(pictures(32, name)), "gender")).assumptions.join("\n");
    expect(await said((i) => `${sex(i)}/p${i % 8}/${i}.png`)).to.match(
      /folders inside the classes \(man\/p0, man\/p2, ...\) are not kept together/,
    );
    expect(await said((i) => `${sex(i)}/${i}.png`)).not.to.match(/folders inside/);
    expect(await said((i) => `${i < 20 ? "train" : "test"}/${sex(i)}/p${i % 8}/${i}.png`)).not.to.match(
      /folders inside/,
    );
  });

  it("all that was made of one photograph stays in one part", async () => {
    for (const name of [
      (i: number, k: number) => `${i}_jpg.rf.${(7919 * (3 * i + k) + 2 ** 32).toString(16)}.png`,
      (i: number, k: number) => `${i}_${["blur", "noise", "brightness"][k]}.png`,
      (i: number, k: number) => `${i}${["", "_vflip", "_vflip_rot90"][k]}.png`,
    ]) {
      const { items } = await open(
        await tree(pictures(90, (i) => `${sex(i)}/${name(Math.floor(i / 6) * 2 + (i % 2), (i >> 1) % 3)}`)),
        "gender",
      );
      const parts = new Map<string, Set<string>>();
      for (const { file, split } of items) {
        const photograph = file.replace(/(\/\d+).*$/, "$1");
        parts.set(photograph, (parts.get(photograph) ?? new Set()).add(split));
      }
      expect(parts.size).to.equal(30);
      expect([...parts.values()].every((found) => found.size === 1)).to.equal(true);
    }
  });

  it("archives that nothing is read of are to be unpacked", async () => {
    const root = await tree({ "faces.zip": "PK", "labels.tar.gz": "x" });
    expect((await failure(() => open(root, "gender"))).hint).to.match(
      /^unpack faces\.zip, labels\.tar\.gz first/,
    );
  });
});
