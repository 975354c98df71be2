import { expect } from "chai";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { ageGroupNames, ageGroupOf, ageLabels } from "../../lib/data/age-groups.ts";
import { openDataset } from "../../lib/data/open.ts";

describe("data/age-groups", () => {
  it("years fall into Adience's eight groups; those between two go to the nearer", () => {
    const inside: [number, string][] = [
      [0, "0-2"],
      [2, "0-2"],
      [4, "4-6"],
      [13, "8-13"],
      [20, "15-20"],
      [25, "25-32"],
      [43, "38-43"],
      [48, "48-53"],
      [60, "60+"],
      [116, "60+"],
    ];
    for (const [years, name] of inside) expect(ageGroupOf(years), String(years)).to.equal(name);
    expect([3, 7, 21, 24, 34, 36, 45, 46, 56, 57].map(ageGroupOf)).to.deep.equal([
      "0-2",
      "4-6",
      "15-20",
      "25-32",
      "25-32",
      "38-43",
      "38-43",
      "48-53",
      "48-53",
      "60+",
    ]);
  });

  it("one group has many spellings", () => {
    const spelled = ageLabels("age_group", [
      "(0, 2)",
      "60-100",
      "60+",
      "25 to 32",
      "(38, 43)",
      "8-13",
      "old",
    ]);
    expect(spelled?.classes).to.deep.equal(ageGroupNames);
    const groups = ["(0, 2)", "60-100", "60+", "25 to 32", "old", "20-30"].map((label) =>
      spelled?.groupOf(label),
    );
    expect(groups).to.deep.equal(["0-2", "60+", "60+", "25-32", undefined, undefined]);
    // Another program's groups stay what they are, and codes are no years.
    expect(ageLabels("age_group", ["0-9", "10-19", "20+"])).to.equal(undefined);
    expect(ageLabels("age_group", ["0", "1", "2"])).to.equal(undefined);
    expect(ageLabels("age", ["child", "adult"])).to.equal(undefined);
  });

  it("single years beside groups go to the nearest of them, whosever groups they are", () => {
    const adience = ageLabels("age", ["25-32", "35", "2", "3.5", "old"]);
    expect(["25-32", "35", "2", "3.5", "old"].map((label) => adience?.groupOf(label))).to.deep.equal([
      "25-32",
      "25-32",
      "0-2",
      "0-2",
      undefined,
    ]);
    expect(adience?.assumptions.join()).to.match(
      /single years in "age" \(35, 2, 3.5\) go to the nearest group/,
    );
    const own = ageLabels("age", ["20-29", "10-19", "(20, 29)", "24", "31", "60+"]);
    expect(own?.classes).to.deep.equal(["10-19", "20-29", "60+"]);
    expect(["24", "31", "(20, 29)"].map((label) => own?.groupOf(label))).to.deep.equal([
      "20-29",
      "20-29",
      "20-29",
    ]);
  });

  it("years become the groups of a model, with the mapping said", () => {
    const decades = ageLabels("age", ["7", "12", "44"], ["0-9", "10-19", "20-60"]);
    expect(["7", "12", "44", "99"].map((label) => decades?.groupOf(label))).to.deep.equal([
      "0-9",
      "10-19",
      "20-60",
      "20-60",
    ]);
    expect(ageLabels("age", ["1", "70"])?.assumptions).to.deep.equal([
      'age groups: made from the years in "age": 0 to 3 are 0-2, 4 to 7 are 4-6, 8 to 14 are 8-13, 15 to 22 are 15-20, 23 to 35 are 25-32, 36 to 45 are 38-43, 46 to 56 are 48-53, 57 and more are 60+',
    ]);
  });

  it("labels that a model does not know are named with their count; all others are used", async () => {
    const root = await mkdtemp(join(tmpdir(), "etl-ages-"));
    try {
      const labels = ["60-100", "60+", "old", "4-6", "old", "30-40"];
      await writeFile(
        join(root, "labels.csv"),
        ["file,age_group", ...labels.map((label, i) => `${i}.jpg,${label}`), ""].join("\n"),
      );
      const picture = { create: { width: 8, height: 8, channels: 3, background: "gray" } } as const;
      for (const i of labels.keys())
        await sharp(picture)
          .jpeg()
          .toFile(join(root, `${i}.jpg`));
      const opened = { data: root, task: "age-group", seed: 0, valFraction: 0 };
      const dataset = await openDataset({ ...opened, classes: ageGroupNames });
      const groups = dataset.items.map(({ target }) => ageGroupNames[target.indexOf(1)]);
      expect(groups).to.deep.equal(["60+", "60+", "4-6"]);
      expect(dataset.warnings?.filter((text) => text.startsWith("labels:"))).to.deep.equal([
        `labels: 2 rows with "old" in column "age_group" left out, it is none of ${ageGroupNames.join(", ")}`,
        `labels: 1 row with "30-40" in column "age_group" left out, it is none of ${ageGroupNames.join(", ")}`,
      ]);
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });
});
