import { expect } from "chai";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { silent, type Progress } from "../../../lib/core/progress.ts";
import { closeWorld } from "../../../lib/jobs/run/world.ts";
import { openTrainData, type TrainData } from "../../../lib/jobs/train/data.ts";
import { resolveTrainOptions } from "../../../lib/jobs/train/config.ts";
import type { TrainOptions } from "../../../lib/jobs/train/options.ts";

describe("jobs/train: the data of a training", () => {
  let root: string;
  const said: string[] = [];
  const progress: Progress = {
    ...silent,
    note: (text) => void said.push(text),
    warn: (text) => void said.push(text),
  };

  /** Opens 40 pictures of 20x40 with some more columns. */
  async function opened(
    more: string,
    options: Partial<TrainOptions> = {},
    extra: readonly string[] = [],
    command: "train" | "crossval" = "train",
  ): Promise<TrainData> {
    root = await mkdtemp(join(tmpdir(), "etl-train-data-"));
    const [names, values] = more.split(" ");
    const lines = Array.from(
      { length: 40 },
      (_, i) => `${i}.png,${i % 2 ? "f" : "m"},${i % 4 ? "train" : "test"}`,
    );
    await writeFile(
      join(root, "labels.csv"),
      [
        `file,gender,split${names}`,
        ...lines.map((line, i) => line + values.replace("N", String(15 + (i % 3)))),
        ...extra,
        "",
      ].join("\n"),
    );
    for (const i of lines.keys()) {
      const background = { r: 6 * i, g: 255 - 5 * i, b: (40 * i) % 256 };
      await sharp({ create: { width: 20, height: 40, channels: 3, background } })
        .png()
        .toFile(join(root, `${i}.png`));
    }
    said.length = 0;
    const asked = { arch: "dmm-cnn", task: "gender", data: root, out: join(root, "run"), ...options };
    const { config } = resolveTrainOptions({ ...asked, cacheDir: join(root, "cache") }, command);
    const plain = { width: 16, height: 16, color: "RGB", mean: [0, 0, 0], scale: [1, 1, 1] } as const;
    const data = await openTrainData(config, plain, { landmarks: true, softmax: false, progress });
    await closeWorld(data);
    return data;
  }
  afterEach(() => rm(root, { recursive: true, force: true }));

  it("landmarks are in fractions of the boxes that the network sees", async () => {
    const columns = ",x0,y0,x1,y1 ,5,10,N,30";
    const whole = await opened(columns);
    expect(whole.tables.map(({ task }) => task.name)).to.deep.equal(["gender", "landmarks"]);
    expect(Array.from(whole.tables[1].targets.slice(0, 4))).to.deep.equal([0.25, 0.25, 0.75, 0.75]);
    await rm(root, { recursive: true });
    const half = await opened(columns, { crop: [0, 0, 1, 0.5] });
    expect(Array.from(half.tables[1].targets.slice(0, 4))).to.deep.equal([0.25, 0.5, 0.75, 1.5]);
  });

  it("says that the branch for landmarks is left out where there are none", async () => {
    const { tables } = await opened(" ");
    expect(tables).to.have.length(1);
    expect(said.join("\n")).to.match(
      /landmarks: .* has no columns x0, y0, \.\.\.: the branch .* is left out/,
    );
  });

  it("says which rows are left out, of every task once, as prune does", async () => {
    await opened(" ", {}, ["7.png,?,train", "ghost.png,f,train"]);
    expect(said.filter((text) => /rows left out: .*(ghost\.png|7\.png)/.test(text))).to.have.length(1);
    await rm(root, { recursive: true });
    await opened(",x0,y0,x1,y1 ,5,10,N,30", {}, ["ghost.png,f,train,5,10,15,30"]);
    expect(said.filter((text) => text.includes("row left out"))).to.have.length(1);
  });

  it("without a validation part the training part stands for it, and it is said", async () => {
    const { rows } = await opened(" ", { valFraction: 0 });
    expect([rows.train.length, rows.val.length, rows.test.length]).to.deep.equal([30, 30, 10]);
    expect(said.join("\n")).to.contain("no validation part");
  });

  it("says of the parts what is so, and nothing else", async () => {
    await opened(" ");
    expect(said).to.include("split: as given");
    // Every second picture is of a man, and the data's own test part has no other; a new one has.
    const missing = /test: no picture of class .* \(of 10\)/;
    expect(said.join("\n")).to.match(missing);
    await rm(root, { recursive: true });
    await opened(" ", { split: "5:2:3" });
    const parts = said.filter((text) => text.startsWith("split:"));
    const cut = ["12 pictures are cut off as test", "8 pictures are cut off as val"];
    expect(parts.map((text) => text.replace(/,.*/, ""))).to.deep.equal([
      "split: 5:2:3 by seed 0",
      ...cut.map((text) => `split: ${text}`),
    ]);
    expect(said.join("\n")).not.to.match(missing);
  });

  it("says of folds that there are some, and nothing of parts", async () => {
    await opened(" ", {}, [], "crossval");
    expect(said).to.include("pictures: 40, in folds");
    expect(said.join("\n")).not.to.match(/no picture of class|training,|split:/);
  });
});
