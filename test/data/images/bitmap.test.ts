import { expect } from "chai";
import { join } from "node:path";
import { decodeImage, pictureSize } from "../../../lib/data/images/decode.ts";
import { readBitmap } from "../../../lib/data/images/bitmap.ts";
import { failure, removeFolders, tree } from "../support.ts";

const text = (...lines: string[]): Uint8Array => new TextEncoder().encode(lines.join("\n"));
const joined = (head: string, ...values: number[]): Uint8Array =>
  Uint8Array.from([...new TextEncoder().encode(head), ...values]);

/** A bitmap of 3 x 2 pixels: red, green, blue above, black, grey, white below. */
function bmp(bits: 8 | 24 | 32, { upsideDown = true, compression = 0 } = {}): Uint8Array {
  const colours = [
    [255, 0, 0],
    [0, 255, 0],
    [0, 0, 255],
    [0, 0, 0],
    [128, 128, 128],
    [255, 255, 255],
  ];
  const palette = bits === 8 ? colours.length : 0;
  const row = Math.ceil((3 * bits) / 32) * 4;
  const start = 54 + 4 * palette;
  const bytes = new Uint8Array(start + 2 * row);
  const view = new DataView(bytes.buffer);
  bytes.set([0x42, 0x4d]);
  view.setUint32(10, start, true);
  view.setUint32(14, 40, true);
  view.setInt32(18, 3, true);
  view.setInt32(22, upsideDown ? 2 : -2, true);
  view.setUint16(28, bits, true);
  view.setUint32(30, compression, true);
  if (palette > 0)
    colours.forEach(([r, g, b], i) => {
      bytes.set([b, g, r, 0], 54 + 4 * i);
    });
  colours.forEach(([r, g, b], i) => {
    const line = start + row * (upsideDown ? 1 - Math.floor(i / 3) : Math.floor(i / 3));
    if (bits === 8) bytes[line + (i % 3)] = i;
    else bytes.set([b, g, r], line + ((i % 3) * bits) / 8);
  });
  return bytes;
}

const RGB = [255, 0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 128, 128, 128, 255, 255, 255];
const GREY = [0, 51, 102, 153, 204, 255];

describe("data/bitmap", () => {
  after(removeFolders);

  const pictures: [string, Uint8Array, number[]][] = [
    ["P2, grey as text, with a comment", text("P2 # made by hand", "3 2", "5", "0 1 2", "3 4 5"), GREY],
    ["P5, grey", joined("P5\n3 2\n255\n", ...GREY), GREY],
    ["P5, 16 bits, high byte first", joined("P5 3 2 65535\n", ...GREY.flatMap((v) => [v, v])), GREY],
    ["P3, colours as text", text("P3", "3 2", "255", RGB.join(" ")), RGB],
    ["P6, colours", joined("P6\n# a comment\n3 2\n255\n", ...RGB), RGB],
    ["P1, bits as text without blanks", text("P1", "3 2", "101", "010"), [0, 255, 0, 255, 0, 255]],
    ["P4, bits", joined("P4\n3 2\n", 0b10100000, 0b01000000), [0, 255, 0, 255, 0, 255]],
    ["BMP, 24 bits, lowest row first", bmp(24), RGB],
    ["BMP, 24 bits, highest row first", bmp(24, { upsideDown: false }), RGB],
    ["BMP, 32 bits", bmp(32), RGB],
    ["BMP, 8 bits and a palette", bmp(8), RGB],
  ];
  for (const [title, bytes, expected] of pictures) {
    it(`reads ${title}`, () => {
      const { width, height, pixels } = readBitmap(bytes) ?? { width: 0, height: 0, pixels: [] };
      expect([width, height]).to.deep.equal([3, 2]);
      expect(Array.from(pixels)).to.deep.equal(expected);
    });
  }

  const broken: [string, Uint8Array, RegExp][] = [
    [
      "a PGM that is cut off",
      joined("P5 300 200 255\n", 1, 2, 3),
      /a\.pgm: cannot be decoded \(cut off: 3 bytes of 60000\)/,
    ],
    ["a PGM of senseless size", joined("P5 999999999 999999999 255\n"), /pixels, 1 to \d+ were needed/],
    ["a PGM without numbers", text("P5 wide"), /no number where the width should stand/],
    ["a bitmap that is cut off", bmp(24).subarray(0, 60), /cut off: 60 bytes of 78/],
    ["a compressed bitmap", bmp(8, { compression: 1 }), /a compressed bitmap \(kind 1\)/],
    ["a bitmap without pixels", bmp(24).fill(0, 18, 22), /0 x 2 pixels/],
  ];
  for (const [title, bytes, message] of broken) {
    it(`refuses ${title}`, async () => {
      const file = join(await tree({ "a.pgm": bytes }), "a.pgm");
      const decode = () => decodeImage(file, [0, 0, 1, 1], { width: 3, height: 2 });
      expect((await failure(decode)).message).to.match(message);
      // A size is read from the header alone.
      if (/pixels|width/.test(message.source))
        expect((await failure(() => pictureSize(file))).message).to.match(message);
    });
  }

  it("decodes them as any other picture", async () => {
    const folder = await tree({ "a.bmp": bmp(24), "b.pgm": joined("P5\n3 2\n255\n", ...GREY) });
    const size = { width: 3, height: 2 };
    expect(Array.from(await decodeImage(join(folder, "a.bmp"), [0, 0, 1, 1], size))).to.deep.equal(RGB);
    const grey = await decodeImage(join(folder, "b.pgm"), [0, 0, 1, 1], size);
    expect(Array.from(grey)).to.deep.equal(GREY.flatMap((value) => [value, value, value]));
    expect(await pictureSize(join(folder, "a.bmp"))).to.deep.equal(size);
  });
});
