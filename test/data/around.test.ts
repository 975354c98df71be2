/** What verification takes from the labels around its pairs. */
import { expect } from "chai";
import sharp from "sharp";
import { openPairs } from "../../lib/data/pairs.ts";
import { join } from "node:path";
import { removeFolders, tree } from "./support.ts";

/** A JPEG of 40 x 20 that its EXIF tag turns by a quarter. */
const turned = (level: number): Promise<Uint8Array> =>
  sharp({ create: { width: 40, height: 20, channels: 3, background: { r: level, g: level, b: level } } })
    .jpeg()
    .withMetadata({ orientation: 6 })
    .toBuffer();

describe("pairs and the labels around them", () => {
  after(removeFolders);

  it("boxes count in the picture as it is shown, turned, and that is said as elsewhere", async () => {
    const root = await tree({
      "a.jpg": await turned(20),
      "b.jpg": await turned(200),
      "labels.csv": 'file,box\na.jpg,"5,10,15,30"\nb.jpg,"5,10,15,30"\n',
      "pairs.csv": "file1,file2,same\na.jpg,b.jpg,0\n",
    });
    const { dataset } = await openPairs(join(root, "pairs.csv"));
    expect(dataset.items.map(({ crop }) => crop)).to.deep.equal([
      [0.25, 0.25, 0.75, 0.75],
      [0.25, 0.25, 0.75, 0.75],
    ]);
    expect(dataset.assumptions.join("\n")).to.match(
      /2 of 2 pictures are turned by their EXIF tag; boxes are taken/,
    );
  });

  it("labels that cannot be read are not said to be nothing", async () => {
    const root = await tree({
      "a/1.png": 20,
      "b/1.png": 200,
      "labels.csv": "file,gender\na/1.png,male\n",
      "dataset.json": '{ "identity": "who" }',
      "pairs.csv": "file1,file2,same\na/1.png,b/1.png,0\n",
    });
    const { dataset } = await openPairs(join(root, "pairs.csv"));
    expect(dataset.assumptions.join("\n")).to.match(/as what lies around the pairs cannot be read \(.*"who"/);
    const bare = await tree({ "a.png": 1, "b.png": 9, "pairs.csv": "file1,file2,same\na.png,b.png,0\n" });
    expect((await openPairs(join(bare, "pairs.csv"))).dataset.assumptions).to.deep.equal([
      "crop: the whole picture, as nothing else is said",
    ]);
  });
});
