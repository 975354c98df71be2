import { expect } from "chai";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { cropOption } from "../../bin/options.ts";
import { centreOf } from "../../lib/core/crop.ts";
import { decodeImage } from "../../lib/data/images/decode.ts";
import { openDataset } from "../../lib/data/open.ts";

describe("data: face boxes by name", () => {
  it("whole and center", async () => {
    expect(cropOption({ crop: "whole" })).to.deep.equal([0, 0, 1, 1]);
    expect(cropOption({ crop: "center" })).to.equal("center");
    expect(cropOption({ crop: "0,0.1,1,0.9" })).to.deep.equal([0, 0.1, 1, 0.9]);
    const root = await mkdtemp(join(tmpdir(), "etl-crop-"));
    try {
      // 16 x 32, the rows count up: the square in the middle holds the rows 8 to 23.
      const pixels = Uint8Array.from({ length: 16 * 32 * 3 }, (_, i) => Math.floor(i / 48));
      const picture = sharp(pixels, { raw: { width: 16, height: 32, channels: 3 } });
      for (const i of [0, 1])
        await picture
          .clone()
          .png()
          .toFile(join(root, `${i}.png`));
      await writeFile(join(root, "labels.csv"), "file,kind\n0.png,a\n1.png,b\n");
      const data = await decodeImage(join(root, "0.png"), "center", { width: 16, height: 16 });
      expect([data[0], data.at(-1)]).to.deep.equal([8, 23]);
      const opened = { data: root, task: "binary", label: "kind", seed: 0, classes: ["a", "b"] };
      const one = await openDataset({ ...opened, crop: "center" });
      expect(one.crop).to.deep.equal([0, 0.25, 1, 0.75]);
      expect(one.items.every(({ crop }) => crop === undefined)).to.equal(true);
      // Pictures of several shapes have a box each.
      await sharp({ create: { width: 20, height: 10, channels: 3, background: "gray" } })
        .png()
        .toFile(join(root, "1.png"));
      const two = await openDataset({ ...opened, crop: "center" });
      expect(two.items.map(({ crop }) => crop)).to.deep.equal([
        [0, 0.25, 1, 0.75],
        [0.25, 0, 0.75, 1],
      ]);
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });

  it("says that boxes count in the turned picture where an EXIF tag turns some", async () => {
    const root = await mkdtemp(join(tmpdir(), "etl-crop-"));
    try {
      const wide = sharp({ create: { width: 60, height: 40, channels: 3, background: "gray" } });
      for (const [i, orientation] of [1, 6].entries())
        await wide
          .clone()
          .withMetadata({ orientation })
          .jpeg()
          .toFile(join(root, `${i}.jpg`));
      await writeFile(join(root, "labels.csv"), 'file,kind,box\n0.jpg,a,"0,0,30,20"\n1.jpg,b,"0,0,20,30"\n');
      const how = { data: root, task: "binary", label: "kind", seed: 0, classes: ["a", "b"] };
      const { items, assumptions } = await openDataset(how);
      expect(items.map(({ crop }) => crop)).to.deep.equal([
        [0, 0, 0.5, 0.5],
        [0, 0, 0.5, 0.5],
      ]);
      expect(assumptions.filter((text) => text.startsWith("pixels:"))).to.deep.equal([
        "pixels: 1 of 2 pictures are turned by their EXIF tag; boxes are taken to count in the picture as it is shown, turned",
      ]);
      // As in the file as it lies there: outside the turned picture.
      await writeFile(join(root, "labels.csv"), 'file,kind,box\n1.jpg,b,"41,0,58,20"\n');
      const refused: unknown = await openDataset(how).catch((error: unknown) => error);
      expect(refused).to.have.property("hint").that.contains("as it is shown, turned as its EXIF tag says");
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });

  it("the square in the middle of CelebA's aligned pictures", () => {
    const [x0, y0, x1, y1] = centreOf({ width: 178, height: 218 });
    expect([x0, x1]).to.deep.equal([0, 1]);
    expect((y1 - y0) * 218).to.be.closeTo(178, 1e-9);
    expect(y0 + y1).to.be.closeTo(1, 1e-12);
  });
});
