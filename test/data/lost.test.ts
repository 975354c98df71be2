/** Class balance where pictures are there twice, or leave. */
import { expect } from "chai";
import sharp from "sharp";
import { lostClasses } from "../../lib/data/coverage.ts";
import type { Dataset } from "../../lib/data/dataset.ts";
import { findCopies, leftText } from "../../lib/data/images/likeness.ts";
import { openDataset } from "../../lib/data/open.ts";
import { splitItems } from "../../lib/data/splits.ts";
import { createRandom } from "../../lib/core/random.ts";
import { failure, ramp, removeFolders, tree } from "./support.ts";

describe("balance of classes", () => {
  after(removeFolders);

  it("is kept where some pictures are there twice, and these stay together", () => {
    const items = Array.from({ length: 104 }, (_, i) => ({
      stratum: i < 8 ? "rare" : "common",
      ...(i > 99 && { identity: `picture ${i % 2}` }),
    }));
    for (const seed of [0, 1, 2, 3, 4]) {
      const { splits, assumptions } = splitItems(items, {
        testFraction: 0.25,
        valFraction: 0.15,
        random: createRandom(seed),
      });
      const test = (stratum: string): number =>
        items.filter((item, i) => item.stratum === stratum && splits[i] === "test").length;
      expect([test("rare"), test("common")]).to.deep.equal([2, 24]);
      expect(splits[100]).to.equal(splits[102]);
      expect(splits[101]).to.equal(splits[103]);
      expect(assumptions[0]).to.match(/the same share of every class, equal pictures together/);
    }
  });

  it("a class that pictures leave without one to learn from is refused, others are named", async () => {
    const lines = Array.from(
      { length: 40 },
      (_, i) => `${i}.png,${["train", "train", "val", "test"][i % 4]},${["a", "b", "c"][i % 3]}`,
    );
    const dataset: Dataset = await openDataset({
      data: await tree({
        ...Object.fromEntries(lines.map((_, i) => [`${i}.png`, 6 * i])),
        "labels.csv": `file,split,what\n${lines.join("\n")}\n`,
      }),
      task: "categorical",
      label: "what",
      seed: 1,
    });
    const { items } = dataset;
    const without = (part: string, c: number) =>
      items.filter(({ split, target }) => split !== part || target[c] !== 1);
    expect(lostClasses(dataset, items)).to.deep.equal([]);
    expect(lostClasses(dataset, items.slice(1))).to.deep.equal([]);
    expect(lostClasses(dataset, without("test", 1))).to.match(/^test: no picture of class "b" \(of \d+\)$/);
    const { message } = await failure(() => Promise.resolve(lostClasses(dataset, without("train", 2))));
    expect(message).to.match(
      /training: no picture of class "c" \(of \d+\), as those it had cannot be decoded/,
    );
  });

  it("copies that leave are said by the part that they leave", async () => {
    expect(leftText(["train", "val", "train"])).to.equal(
      "2 left training and 1 left validation because the test (or validation) part has them",
    );
    expect(leftText(["val"])).to.equal("1 left validation because the test part has them");
    const pixels = await sharp(ramp(16, 16), { raw: { width: 16, height: 16, channels: 3 } })
      .greyscale()
      .raw()
      .toBuffer();
    const items = (["val", "test"] as const).map((split, i) => ({ file: `${i}.png`, split }));
    const { said } = findCopies(items, Uint8Array.from([...pixels, ...pixels]));
    expect(said).to.match(/1 left validation because the test part has them/);
  });
});
