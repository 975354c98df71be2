/** Files that are called pictures. */
import { expect } from "chai";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { decodeImage, pictureSize } from "../../../lib/data/images/decode.ts";
import { failure, newFolder, removeFolders } from "../support.ts";

const size = { width: 8, height: 4 };

/** A TIFF of 8 x 4 samples, three a pixel, as they stand. */
function tiff(samples: readonly [number, number, number], photometric: number, little: boolean): Uint8Array {
  const tags: (readonly [tag: number, type: number, value: number])[] = [
    [256, 3, 8],
    [257, 3, 4],
    [258, 3, 8],
    [259, 3, 1],
    [262, 3, photometric],
    [273, 4, 8],
    [277, 3, 3],
    [278, 3, 4],
    [279, 4, 96],
    [284, 3, 1],
  ];
  const at = 8 + 96;
  const view = new DataView(new ArrayBuffer(at + 2 + tags.length * 12 + 4));
  view.setUint16(0, little ? 0x4949 : 0x4d4d);
  view.setUint16(2, 42, little);
  view.setUint32(4, at, little);
  for (let i = 0; i < 96; i++) view.setUint8(8 + i, samples[i % 3]);
  view.setUint16(at, tags.length, little);
  tags.forEach(([tag, type, value], i) => {
    const entry = at + 2 + i * 12;
    view.setUint16(entry, tag, little);
    view.setUint16(entry + 2, type, little);
    view.setUint32(entry + 4, 1, little);
    if (type === 3) view.setUint16(entry + 8, value, little);
    else view.setUint32(entry + 8, value, little);
  });
  return new Uint8Array(view.buffer);
}

describe("data/images/kind", () => {
  after(removeFolders);

  const write = (name: string, content: string | Uint8Array): string => {
    const path = join(newFolder(), name);
    writeFileSync(path, typeof content === "string" ? Buffer.from(content, "latin1") : content);
    return path;
  };

  it("says what a file is that is no picture", async () => {
    for (const [content, reason] of [
      ["", "the file is empty"],
      [`\0\0\0\x18ftypheic\0\0\0\0mif1heic${"\0".repeat(400)}`, "HEIC, which is not read"],
      ["<!DOCTYPE html><html>404</html>", "a web page"],
      ["version https://git-lfs.github.com/spec/v1\noid sha256:0", "a pointer of Git LFS"],
      ["\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"],
      ["%PDF-1.4", "a PDF"],
      ["PK\x03\x04", "an archive"],
      ['{"error": 403}', "text, no picture"],
    ] as const) {
      const path = write("face.jpg", content);
      for (const read of [() => decodeImage(path, [0, 0, 1, 1], size), () => pictureSize(path)])
        expect((await failure(read)).message).to.include(`face.jpg: cannot be decoded (${reason}`);
    }
  });

  it("refuses plain samples of luma and chroma in TIFF, which would be read as red, green and blue", async () => {
    for (const little of [true, false]) {
      const rgb = await decodeImage(write("a.tif", tiff([10, 200, 90], 2, little)), [0, 0, 1, 1], size);
      expect([...rgb.subarray(0, 3)]).to.deep.equal([10, 200, 90]);
      const path = write("a.tif", tiff([10, 200, 90], 6, little));
      expect((await failure(() => decodeImage(path, [0, 0, 1, 1], size))).message).to.match(/YCbCr samples/);
    }
  });
});
