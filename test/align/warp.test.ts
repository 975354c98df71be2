import { expect } from "chai";
import { createRandom } from "../../lib/core/random.ts";
import type { Picture } from "../../lib/align/pixels.ts";
import { warp } from "../../lib/align/warp.ts";

function noise(side: number): Picture {
  const random = createRandom(1);
  const pixels = Uint8Array.from({ length: side * side * 3 }, () => random.integer(256));
  return { width: side, height: side, pixels };
}

describe("align/warp", () => {
  it("leaves a picture alone where nothing is to be done", () => {
    const picture = noise(9);
    expect(warp(picture, { a: 1, b: 0, tx: 0, ty: 0 }, 9)).to.deep.equal(picture);
  });

  it("a quarter turn moves every pixel to its place", () => {
    const picture = noise(8);
    // (u, v) of the crop is (8 - v, u) of the picture
    const { pixels } = warp(picture, { a: 0, b: 1, tx: 8, ty: 0 }, 8);
    for (let v = 0; v < 8; v++) {
      for (let u = 0; u < 8; u++) {
        expect(pixels[3 * (v * 8 + u)]).to.equal(picture.pixels[3 * (u * 8 + (7 - v))]);
      }
    }
  });

  it("a chessboard made small is grey, not a coarser chessboard", () => {
    const side = 64;
    const pixels = new Uint8Array(side * side * 3);
    for (let i = 0; i < side * side; i++) {
      pixels.fill((Math.floor(i / side) + i) % 2 === 0 ? 255 : 0, 3 * i, 3 * i + 3);
    }
    const small = warp({ width: side, height: side, pixels }, { a: 4, b: 0, tx: 0, ty: 0 }, 16);
    for (const value of small.pixels) expect(value).to.be.within(120, 136);
  });

  it("half a pixel lies half way, and outside the edge goes on", () => {
    const pixels = Uint8Array.from([0, 0, 0, 100, 100, 100, 0, 0, 0, 100, 100, 100]);
    const picture = { width: 2, height: 2, pixels };
    const { pixels: shifted } = warp(picture, { a: 1, b: 0, tx: 0.5, ty: 0 }, 2);
    expect([...shifted.subarray(0, 6)]).to.deep.equal([50, 50, 50, 100, 100, 100]);
    const { pixels: far } = warp(picture, { a: 1, b: 0, tx: -50, ty: 30 }, 2);
    expect([...far]).to.deep.equal(new Array(12).fill(0));
  });
});
