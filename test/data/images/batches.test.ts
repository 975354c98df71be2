import { expect } from "chai";
import type { Task } from "../../../lib/core/artifacts.ts";
import { createRandom } from "../../../lib/core/random.ts";
import { changeTarget, drawChange, mirrorLandmarks, partners } from "../../../lib/data/images/augment.ts";
import { batches, type Batch, type BatchOptions } from "../../../lib/data/images/batches.ts";
import { normalise } from "../../../lib/data/images/normalise.ts";
import { openDataset } from "../../../lib/data/open.ts";
import { prepareImages, rowsOf, type ImageStore } from "../../../lib/data/images/store.ts";
import { failure, greys, newFolder, picture, ramp, removeFolders, small, storeOf, tree } from "../support.ts";

describe("batches", () => {
  after(removeFolders);
  let store: ImageStore;
  before(async () => {
    store = await storeOf(await greys(11), newFolder());
  });
  after(() => store.close());

  const collect = async (more: Partial<BatchOptions> = {}): Promise<Batch[]> => {
    const all: Batch[] = [];
    for await (const batch of batches(store, rowsOf(store, "train"), {
      batchSize: 4,
      preprocessing: small,
      ...more,
    })) {
      all.push(batch);
    }
    return all;
  };
  const rows = (all: Batch[]): number[] => all.flatMap((batch) => [...batch.rows]);

  it("hands out every row once, pixels and targets beside it, the last batch smaller", async () => {
    for (const shuffle of [false, true]) {
      const all = await collect({ shuffle });
      expect(all.map((batch) => batch.x.shape)).to.deep.equal([
        [4, 3, 6, 8],
        [4, 3, 6, 8],
        [3, 3, 6, 8],
      ]);
      expect(rows(all).sort((a, b) => a - b)).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
      for (const batch of all) {
        batch.rows.forEach((row, i) => {
          expect(batch.y.data[i]).to.equal(row);
          expect(batch.x.data[i * 144]).to.equal(row);
        });
      }
    }
  });

  it("is the same for one seed and epoch, and another for another", async () => {
    const augment = { mirror: true, shift: 0.2, scale: 0.2, brightness: 0.3 };
    const run = async (seed: number, epoch: number) => {
      const all = await collect({ shuffle: true, seed, epoch, augment });
      return {
        rows: rows(all),
        x: all.map((batch) => [...batch.x.data]),
        mirrored: all.map((b) => [...b.mirrored]),
      };
    };
    expect(await run(1, 0)).to.deep.equal(await run(1, 0));
    expect((await run(1, 0)).rows).to.not.deep.equal((await run(1, 1)).rows);
    expect((await run(1, 0)).rows).to.not.deep.equal((await run(2, 0)).rows);
  });

  it("refuses another size than the store's", async () => {
    expect((await failure(() => collect({ preprocessing: { ...small, width: 9 } }))).message).to.match(
      /9x6 was needed/,
    );
  });
});

describe("augmentation", () => {
  after(removeFolders);
  const task = (more: Partial<Task>): Task => ({
    name: "t",
    kind: "regression",
    columns: ["a"],
    classes: [],
    outputs: 1,
    scale: 1,
    mirror: "keep",
    ...more,
  });

  it("mirrors pixels and negates the yaw of exactly the mirrored rows", async () => {
    const pixels = ramp(8, 6);
    const names = Array.from({ length: 12 }, (_, i) => `p${i}.png`);
    const bytes = await picture(pixels, 8, 6);
    const root = await tree({
      ...Object.fromEntries(names.map((name) => [name, bytes])),
      "labels.csv": `file,split,yaw\n${names.map((name) => `${name},train,30`).join("\n")}`,
    });
    const dataset = await openDataset({ data: root, task: "head-pose", seed: 1, valFraction: 0 });
    const store = await prepareImages(dataset, small, { cacheDir: newFolder() });
    const plain = normalise(pixels, small);
    let mirrored = 0;
    const options = { batchSize: 5, preprocessing: small, augment: { mirror: true } };
    for await (const batch of batches(store, rowsOf(store, "train"), options)) {
      batch.mirrored.forEach((flag, i) => {
        mirrored += flag;
        expect(batch.y.data[i]).to.be.closeTo((flag === 1 ? -1 : 1) * (Math.PI / 6), 1e-6);
        for (let k = 0; k < 144; k++) {
          const x = k % 8;
          expect(batch.x.data[i * 144 + k]).to.equal(plain[flag === 1 ? k - x + 7 - x : k]);
        }
      });
    }
    await store.close();
    expect(mirrored).to.be.within(1, 11);
  });

  it("never mirrors where the task forbids it", () => {
    const random = createRandom(1);
    const changes = Array.from({ length: 50 }, () =>
      drawChange({ mirror: true }, task({ mirror: "forbid" }), small, random),
    );
    expect(changes.some((change) => change.mirrored)).to.equal(false);
  });

  it("moves landmarks with the pixels", () => {
    const landmarks = task({ unit: "crop", outputs: 2 });
    const big = { width: 100, height: 100 };
    const target = Float32Array.of(0.405, 0.705);
    for (let seed = 0; seed < 20; seed++) {
      const change = drawChange({ shift: 0.1, scale: 0.1 }, landmarks, big, createRandom(seed));
      const out = new Float32Array(2);
      changeTarget(target, out, landmarks, change, big);
      // The output pixel at the moved landmark reads the input pixel at the landmark.
      expect(change.x.start + out[0] * 100 * change.x.step).to.be.closeTo(40.5, 1e-3);
      expect(change.y.start + out[1] * 100 * change.y.step).to.be.closeTo(70.5, 1e-3);
    }
  });

  it("mirrors 68 points onto their partners, twice = not at all", () => {
    const partner = partners(68);
    expect(partner.map((to) => partner[to])).to.deep.equal(partner.map((_, i) => i));
    expect([
      partner[0],
      partner[36],
      partner[41],
      partner[30],
      partner[48],
      partner[61],
      partner[66],
    ]).to.deep.equal([16, 45, 46, 30, 54, 63, 66]);
    const points = Float32Array.from({ length: 136 }, (_, i) => ((i * 37) % 128) / 128);
    const twice = points.slice();
    mirrorLandmarks(twice);
    expect(twice).to.not.deep.equal(points);
    mirrorLandmarks(twice);
    expect(twice).to.deep.equal(points);
  });
});
