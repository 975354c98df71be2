import { expect } from "chai";
import fc from "fast-check";
import { mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import sharp from "sharp";
import { silent } from "../../../lib/core/progress.ts";
import { createRandom } from "../../../lib/core/random.ts";
import { decodeImage, loadImages } from "../../../lib/data/images/decode.ts";
import { channelTables, normalise } from "../../../lib/data/images/normalise.ts";
import { openDataset } from "../../../lib/data/open.ts";
import { samePixels, writePixels } from "../../../lib/data/images/pixels.ts";
import { resampleBox } from "../../../lib/data/images/resample.ts";
import { prepareImages } from "../../../lib/data/images/store.ts";
import {
  failure,
  greyPicture,
  greys,
  newFolder,
  picture,
  ramp,
  removeFolders,
  small,
  storeOf,
  tree,
} from "../support.ts";

const size = { width: 8, height: 6 };

async function file(bytes: Uint8Array, name = "picture"): Promise<string> {
  return join(await tree({ [name]: bytes }), name);
}

/** A TIFF of one channel of 32-bit floating point numbers, all the same. */
function floatTiff(width: number, height: number, value: number): Uint8Array {
  // tag, type (3: 16 bits, 4: 32 bits), value
  const entries = [
    [256, 3, width],
    [257, 3, height],
    [258, 3, 32],
    [259, 3, 1],
    [262, 3, 1],
    [273, 4, 0],
    [277, 3, 1],
    [278, 3, height],
    [279, 4, width * height * 4],
    [339, 3, 3],
  ];
  const start = 8 + 2 + entries.length * 12 + 4;
  const bytes = Buffer.alloc(start + width * height * 4);
  bytes.write("II*\0", 0, "latin1");
  bytes.writeUInt32LE(8, 4);
  bytes.writeUInt16LE(entries.length, 8);
  entries.forEach(([tag, type, number], i) => {
    const at = 10 + i * 12;
    bytes.writeUInt16LE(tag, at);
    bytes.writeUInt16LE(type, at + 2);
    bytes.writeUInt32LE(1, at + 4);
    bytes.writeUInt32LE(tag === 273 ? start : number, at + 8);
  });
  for (let i = 0; i < width * height; i++) bytes.writeFloatLE(value, start + 4 * i);
  return bytes;
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

  it("pixels that are floating point numbers are refused: whether 1 or 255 is white is not known", async () => {
    const path = await file(floatTiff(4, 4, 0.5), "a.tif");
    const error = await failure(() => decodeImage(path, [0, 0, 1, 1], size));
    expect(error.message).to.match(/pixels of the type float, whose white is not known/);
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

  it("writes pictures of any size, mapped, as the tables have them", () => {
    const side = fc.integer({ min: 1, max: 90 });
    fc.assert(
      fc.property(
        side,
        side,
        fc.integer(),
        fc.shuffledSubarray([0, 1, 2], { minLength: 3 }),
        (width, height, seed, order) => {
          const random = createRandom(seed);
          const draw = (below: number, length: number): number[] =>
            Array.from({ length }, () => Math.floor(random.uniform() * below));
          const pixels = Uint8Array.from(draw(256, 3 * width * height));
          const map = {
            columns: Int32Array.from(draw(width, width)),
            lines: Int32Array.from(draw(height, height)),
          };
          const tables = [0, 1, 2].map(() =>
            Float32Array.from({ length: 256 }, () => random.uniform() - 0.5),
          );
          const into = new Float32Array(pixels.length);
          writePixels(pixels, into, { tables, order }, map);
          const expected = tables.flatMap((table, plane) =>
            [...map.lines].flatMap((y) =>
              [...map.columns].map((x) => table[pixels[3 * (y * width + x) + order[plane]]]),
            ),
          );
          expect([...into]).to.deep.equal(expected);
        },
      ),
      { seed: 1, numRuns: 40 },
    );
    const same = samePixels({ width: 2, height: 2 });
    const scale = { tables: channelTables(small), order: [0, 1, 2] };
    expect(() => {
      writePixels(new Uint8Array(11), new Float32Array(12), scale, same);
    }).to.throw(RangeError, /11 bytes into 12 numbers, 12 were needed/);
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
    expect(problems[0].problem).to.match(/^cannot be decoded \(/);
    // Nothing of some may be readable where others are: that is no error yet.
    const none = await loadImages([join(root, "b.png")], [0, 0, 1, 1], small);
    expect([none.files.length, none.x.shape[0], none.problems.length]).to.deep.equal([0, 0, 1]);
  });
});

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
      expect(warnings.join()).to.match(/1 picture cannot be decoded .*bad\.png/);
      const pixels = await store.read([4, 0, 1]);
      expect([pixels[0], pixels[144], pixels[288]]).to.deep.equal([4, 0, 1]);
      await store.close();
    }
    const dataset = await openDataset({ data: root, task: "age", seed: 1 });
    expect(
      (await failure(() => prepareImages(dataset, small, { cacheDir: cache, strict: true }))).kind,
    ).to.equal("data");
  });

  it("reads any rows in any order, whatever lies between them", async () => {
    const store = await storeOf(await greys(30), newFolder());
    const row = fc.integer({ min: 0, max: 29 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { minLength: 1, maxLength: 20 }),
        fc.boolean(),
        async (drawn, inOrder) => {
          const rows = inOrder ? drawn.sort((a, b) => a - b) : drawn;
          const pixels = await store.read(rows);
          expect([...pixels]).to.deep.equal(rows.flatMap((value) => new Array<number>(144).fill(value)));
        },
      ),
      { seed: 1, numRuns: 60 },
    );
    await store.close();
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

  it("a stopped build leaves nothing, and says nothing but that", async () => {
    const [root, cache] = [await greys(40), newFolder()];
    const [stop, warnings] = [new AbortController(), new Array<string>()];
    const progress = {
      ...silent,
      update: (done: number) => {
        if (done === 2) stop.abort();
      },
      warn: (text: string) => void warnings.push(text),
    };
    const dataset = await openDataset({ data: root, task: "age", seed: 1, valFraction: 0 });
    const how = { cacheDir: cache, progress, signal: stop.signal, threads: 4 };
    const error = await failure(() => prepareImages(dataset, small, how));
    await pause(100); // whatever was not waited for
    expect(error.kind).to.equal("interrupted");
    expect(warnings).to.deep.equal([]);
    expect(readdirSync(cache)).to.deep.equal([]);
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
