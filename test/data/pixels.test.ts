import { expect } from "chai";
import fc from "fast-check";
import { mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import type { Task } from "../../lib/core/artifacts.ts";
import { createRandom } from "../../lib/core/random.ts";
import { changeTarget, drawChange, mirrorLandmarks, partners } from "../../lib/data/augment.ts";
import { batches, type Batch, type BatchOptions } from "../../lib/data/batches.ts";
import { decodeImage, loadImages, normalise } from "../../lib/data/images.ts";
import { openDataset } from "../../lib/data/open.ts";
import { resampleBox } from "../../lib/data/resample.ts";
import { prepareImages, rowsOf, type ImageStore } from "../../lib/data/store.ts";
import { failure, greyPicture, newFolder, picture, removeFolders, small, tree } from "./support.ts";

const size = { width: 8, height: 6 };

/** RGB bytes whose value depends on the place. */
function ramp(width: number, height: number): Uint8Array {
  return Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 7) % 251);
}

async function file(bytes: Uint8Array, name = "picture"): Promise<string> {
  return join(await tree({ [name]: bytes }), name);
}

describe("decodeImage", () => {
  after(removeFolders);

  it("gives the pixels themselves where nothing is cut or resized", async () => {
    const pixels = ramp(8, 6);
    expect(await decodeImage(await file(await picture(pixels, 8, 6)), [0, 0, 1, 1], size)).to.deep.equal(
      pixels,
    );
  });

  it("repeats the edge where the box sticks out", async () => {
    const pixels = ramp(8, 6);
    const path = await file(await picture(pixels, 8, 6));
    const out = await decodeImage(path, [-0.5, 0, 1.5, 1], { width: 16, height: 6 });
    const at = (x: number, y: number) => [...out.subarray((y * 16 + x) * 3, (y * 16 + x) * 3 + 3)];
    const source = (x: number, y: number) => [...pixels.subarray((y * 8 + x) * 3, (y * 8 + x) * 3 + 3)];
    for (let y = 0; y < 6; y++) {
      expect(at(0, y)).to.deep.equal(source(0, y));
      expect(at(5, y)).to.deep.equal(source(1, y));
      expect(at(15, y)).to.deep.equal(source(7, y));
    }
  });

  it("turns a picture as its EXIF orientation says, before the box is cut", async () => {
    const left = new Uint8Array(8 * 6 * 3);
    for (let i = 0; i < 8 * 6; i++) if (i % 8 < 4) left.fill(200, i * 3, i * 3 + 3);
    const raw = { width: 8, height: 6, channels: 3 as const };
    // Orientation 6: to be turned by 90 degrees clockwise; the left half comes to the top.
    const bytes = await sharp(left, { raw }).withMetadata({ orientation: 6 }).png().toBuffer();
    const out = await decodeImage(await file(bytes), [0, 0, 1, 0.25], size);
    expect(new Set(out)).to.deep.equal(new Set([200]));
  });

  it("reads grey, CMYK, alpha and 16-bit pictures as RGB", async () => {
    const raw = { width: 8, height: 6 };
    const grey = await sharp(new Uint8Array(48).fill(77), { raw: { ...raw, channels: 1 } })
      .png()
      .toBuffer();
    const clear = await sharp(new Uint8Array(192), { raw: { ...raw, channels: 4 } })
      .png()
      .toBuffer();
    const deep = await sharp(new Uint8Array(144).fill(130), { raw: { ...raw, channels: 3 } })
      .toColourspace("rgb16")
      .png()
      .toBuffer();
    const cmyk = await sharp(new Uint8Array(144).fill(130), { raw: { ...raw, channels: 3 } })
      .toColourspace("cmyk")
      .jpeg()
      .toBuffer();
    const mean = async (bytes: Uint8Array) => {
      const out = await decodeImage(await file(bytes), [0, 0, 1, 1], size);
      expect(out.length).to.equal(144);
      return out.reduce((sum, value) => sum + value, 0) / 144;
    };
    expect((await sharp(deep).metadata()).depth).to.equal("ushort");
    expect((await sharp(cmyk).metadata()).space).to.equal("cmyk");
    expect(await mean(grey)).to.equal(77);
    expect(await mean(clear)).to.equal(128);
    expect(await mean(deep)).to.be.closeTo(130, 1);
    expect(await mean(cmyk)).to.be.closeTo(130, 25);
  });

  it("reduces a large picture to the mean of its areas", async () => {
    const wide = new Uint8Array(160 * 120 * 3);
    for (let i = 0; i < 160 * 120; i++)
      wide.fill((i % 160 < 80 ? 40 : 200) + (i % 2 === 0 ? 20 : -20), i * 3, i * 3 + 3);
    const out = await decodeImage(await file(await picture(wide, 160, 120)), [0, 0, 1, 1], size);
    expect(out[0]).to.be.closeTo(40, 3);
    expect(out[7 * 3]).to.be.closeTo(200, 3);
  });

  it("names a file that is no picture, and one that is cut off", async () => {
    const text = await failure(async () => decodeImage(await file(Buffer.from("hello")), [0, 0, 1, 1], size));
    expect([text.kind, /cannot be decoded/.test(text.message)]).to.deep.equal(["data", true]);
    const noise = Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * 7919) % 256);
    const jpeg = await sharp(noise, { raw: { width: 64, height: 64, channels: 3 } })
      .jpeg()
      .toBuffer();
    const half = jpeg.subarray(0, jpeg.length / 2);
    expect((await failure(async () => decodeImage(await file(half), [0, 0, 1, 1], size))).kind).to.equal(
      "data",
    );
  });

  it("resamples a constant picture to itself, for any box", () => {
    const data = new Uint8Array(5 * 4 * 3).fill(123);
    const place = fc.double({ min: -1, max: 1.5, noNaN: true });
    fc.assert(
      fc.property(place, place, fc.double({ min: 0.05, max: 2.5, noNaN: true }), (x, y, side) => {
        const out = resampleBox(data, { width: 5, height: 4 }, [x, y, x + side, y + side], size);
        expect(new Set(out)).to.deep.equal(new Set([123]));
      }),
    );
  });
});

describe("normalise and loadImages", () => {
  after(removeFolders);

  it("subtracts the mean, scales, orders the channels, and lays them out as planes", () => {
    const pixels = Uint8Array.of(10, 20, 30, 40, 50, 60);
    const base = { width: 2, height: 1, mean: [1, 2, 3], scale: [2, 1, 0.5] } as const;
    expect([...normalise(pixels, { ...base, color: "RGB" })]).to.deep.equal([18, 78, 18, 48, 13.5, 28.5]);
    expect([...normalise(pixels, { ...base, color: "BGR" })]).to.deep.equal([58, 118, 18, 48, 3.5, 18.5]);
  });

  it("loads what can be decoded and names the rest", async () => {
    const root = await tree({ "a.png": 9, "b.png": "no picture" });
    const { files, x, problems } = await loadImages(
      [join(root, "a.png"), join(root, "b.png")],
      [0, 0, 1, 1],
      small,
    );
    expect(files).to.deep.equal([join(root, "a.png")]);
    expect(x.shape).to.deep.equal([1, 3, 6, 8]);
    expect(new Set(x.data)).to.deep.equal(new Set([9]));
    expect(problems[0].file).to.equal(join(root, "b.png"));
    expect((await failure(() => loadImages([join(root, "b.png")], [0, 0, 1, 1], small))).kind).to.equal(
      "data",
    );
  });
});

/** A folder of n pictures of grey level i and age i. */
async function greys(n: number, more: Record<string, string | number> = {}): Promise<string> {
  const names = Array.from({ length: n }, (_, i) => `p${i}.png`);
  const lines = [...names, ...Object.keys(more)].map((name, i) => `${name},train,${i}`);
  const pictures = Object.fromEntries(names.map((name, i) => [name, i]));
  return tree({ ...pictures, ...more, "labels.csv": `file,split,age\n${lines.join("\n")}\n` });
}

async function storeOf(root: string, cacheDir: string, warnings: string[] = []): Promise<ImageStore> {
  const dataset = await openDataset({ data: root, task: "age", seed: 1, valFraction: 0 });
  const nothing = (): void => undefined;
  const progress = {
    start: nothing,
    update: nothing,
    finish: nothing,
    note: nothing,
    warn: (text: string) => warnings.push(text),
  };
  return prepareImages(dataset, small, { cacheDir, progress });
}

describe("prepareImages", () => {
  after(removeFolders);

  it("names broken pictures, leaves them out, and remembers it in the cache", async () => {
    const root = await greys(5, { "bad.png": "no picture" });
    const cache = newFolder();
    for (const pass of ["built", "opened"]) {
      const warnings: string[] = [];
      const store = await storeOf(root, cache, warnings);
      expect(store.source, pass).to.equal("cache");
      expect(store.items.map((item) => item.file)).to.not.include("bad.png");
      expect(store.problems.map(({ file: name }) => name)).to.deep.equal(["bad.png"]);
      expect(warnings.join()).to.match(/1 pictures cannot be decoded .*bad\.png/);
      const pixels = await store.read([4, 0, 1]);
      expect([pixels[0], pixels[144], pixels[288]]).to.deep.equal([4, 0, 1]);
      await store.close();
    }
    const dataset = await openDataset({ data: root, task: "age", seed: 1 });
    expect(
      (await failure(() => prepareImages(dataset, small, { cacheDir: cache, strict: true }))).kind,
    ).to.equal("data");
  });

  it("notices a changed picture, and rebuilds a file that is cut off", async () => {
    const root = await greys(3);
    const cache = newFolder();
    const first = async () => {
      const store = await storeOf(root, cache);
      const pixels = await store.read([0]);
      await store.close();
      return pixels[0];
    };
    expect(await first()).to.equal(0);
    const whole = readdirSync(cache).find((name) => name.endsWith(".rgb")) ?? "";
    truncateSync(join(cache, whole), 100);
    expect(await first()).to.equal(0);
    writeFileSync(join(root, "p0.png"), await greyPicture(99, 40, 20));
    expect(await first()).to.equal(99);
  });

  it("removes what a killed build left, and leaves no unfinished file itself", async () => {
    const cache = newFolder();
    writeFileSync(join(cache, `${"0".repeat(24)}.999999999.01234567.tmp`), "half");
    const store = await storeOf(await greys(3), cache);
    await store.close();
    expect(readdirSync(cache).filter((name) => name.endsWith(".tmp"))).to.deep.equal([]);
  });

  it("says so and decodes each time where the cache cannot be written", async () => {
    const blocked = join(newFolder(), "file");
    writeFileSync(blocked, "");
    const warnings: string[] = [];
    const store = await storeOf(await greys(4), join(blocked, "cache"), warnings);
    expect(store.source).to.equal("files");
    expect(warnings.join()).to.match(/decoded pictures are not kept/);
    expect((await store.read([3]))[0]).to.equal(3);
    await store.close();
  });

  it("gives the same cache to another seed", async () => {
    const root = await greys(8);
    const cache = join(newFolder(), "deep");
    mkdirSync(cache);
    for (const seed of [1, 2]) {
      const dataset = await openDataset({ data: root, task: "age", seed });
      await (await prepareImages(dataset, small, { cacheDir: cache })).close();
    }
    expect(readdirSync(cache).length).to.equal(2);
  });
});

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

describe("the cache index", () => {
  after(removeFolders);
  it("does not count without its pictures' length", async () => {
    const cache = newFolder();
    const root = await greys(2);
    await (await storeOf(root, cache)).close();
    const index = readdirSync(cache).find((name) => name.endsWith(".json")) ?? "";
    expect(JSON.parse(readFileSync(join(cache, index), "utf8"))).to.deep.include({ count: 2, broken: [] });
    writeFileSync(join(cache, index), '{"version":1}');
    const store = await storeOf(root, cache);
    expect((await store.read([1]))[0]).to.equal(1);
    await store.close();
  });
});
