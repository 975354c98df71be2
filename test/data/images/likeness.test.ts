import { expect } from "chai";
import { join } from "node:path";
import sharp from "sharp";
import { openDataset } from "../../../lib/data/open.ts";
import { cellsOf, findCopies, likePairs } from "../../../lib/data/images/likeness.ts";
import { prepareImages, type ImageStore } from "../../../lib/data/images/store.ts";
import { silent } from "../../../lib/core/progress.ts";
import { drawNamed } from "../../../lib/data/synthetic/table.ts";
import { failure, newFolder, removeFolders, tree } from "../support.ts";

const side = 150;
const size = { width: side, height: side };

/** A drawn face as raw pixels. */
const face = (i: number): Uint8Array => drawNamed(`face-${i}`, [0, 0, 1, 1], size);
const raw = (pixels: Uint8Array) => sharp(pixels, { raw: { ...size, channels: 3 } });

describe("data/images/likeness: one photograph in two files", () => {
  after(removeFolders);

  const faces = Array.from({ length: 12 }, (_, i) => face(i));
  const parts = async (): Promise<string> => {
    const files: Record<string, Uint8Array> = {};
    for (const [i, pixels] of faces.entries()) {
      const part = i < 8 ? "train" : "test";
      files[`${part}/${i % 2 === 0 ? "a" : "b"}/${i}.jpg`] = await raw(pixels)
        .jpeg({ quality: 92 })
        .toBuffer();
    }
    // 8 and 9 of the test part: at another quality, and at another size and in another format
    files["train/a/again.jpg"] = await raw(faces[8]).jpeg({ quality: 55 }).toBuffer();
    files["train/b/small.png"] = await raw(faces[9]).resize(100, 100).png().toBuffer();
    return tree(files);
  };
  const openStore = async (
    root: string,
    cacheDir: string,
    notes: string[],
    more = {},
  ): Promise<ImageStore> => {
    const dataset = await openDataset({ data: root, task: "categorical", seed: 1, valFraction: 0 });
    const progress = { ...silent, note: (text: string) => void notes.push(text) };
    return prepareImages(dataset, size, { cacheDir, progress, ...more });
  };

  it("leaves training where the test part has it, decoded or from the cache, and is said", async () => {
    const [root, cache] = [await parts(), newFolder()];
    for (const source of ["decoded", "cache"]) {
      const notes: string[] = [];
      const store = await openStore(root, cache, notes);
      expect(store.items, source).to.have.length(12);
      expect(store.problems, source).to.deep.equal([
        {
          file: "train/a/again.jpg",
          problem: "the same photograph as test/a/8.jpg of the test part, saved anew: not trained on",
        },
        {
          file: "train/b/small.png",
          problem: "the same photograph as test/b/9.jpg of the test part, saved anew: not trained on",
        },
      ]);
      expect(notes.join()).to.contain("pictures: 2 pairs are one photograph saved anew");
      await store.close();
    }
    const error = await failure(() => openStore(root, newFolder(), [], { strict: true }));
    expect(error.message).to.contain("saved anew");
    // where nothing can be kept
    const plain = await openStore(root, join(root, "train/a/0.jpg"), []);
    expect(plain.problems).to.have.length(2);
  });

  it("pictures that are like many others are a kind of picture, and stay", () => {
    const stripes = (level: number): Uint8Array =>
      cellsOf(
        Uint8Array.from({ length: 3 * side * side }, (_, at) =>
          Math.floor(at / 3) % side < side / 2 ? 40 : 120 + level,
        ),
        size,
      );
    const copies = (pictures: number): ReturnType<typeof findCopies> => {
      const items = Array.from({ length: pictures }, (_, i) => ({
        file: `${i}.png`,
        split: i % 2 === 0 ? ("train" as const) : ("test" as const),
      }));
      return findCopies(items, Uint8Array.from(items.flatMap((_, i) => [...stripes(i % 2)])));
    };
    expect([...copies(2).gone.keys()]).to.deep.equal([0]);
    const many = copies(20);
    expect(many.gone.size).to.equal(0);
    expect(many.said).to.match(/^pictures: 20 are each like more than 4 others/);
  });

  it("drawn faces are all different, flat pictures are never compared", () => {
    const cells = Array.from({ length: 300 }, (_, i) => cellsOf(face(i), size));
    expect(likePairs(cells)).to.deep.equal([]);
    const grey = cellsOf(new Uint8Array(3 * side * side).fill(90), size);
    expect(likePairs([grey, grey])).to.deep.equal([]);
    expect(likePairs([cells[3], cells[4], cells[3]])).to.deep.equal([[0, 2]]);
  });
});
