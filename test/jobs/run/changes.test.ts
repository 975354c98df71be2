import { expect } from "chai";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { changesOf, mayMirror } from "../../../lib/jobs/run/options.ts";
import { train } from "../../../lib/jobs/train/train.ts";

describe("jobs: what training does to its pictures", function () {
  this.timeout(120_000);
  let root: string;

  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-changes-"));
    // The bright half says which side a face looks to, the half with more light whether it leans up or down.
    const rows = Array.from({ length: 120 }, (_, i) => ({
      i,
      side: i % 2,
      height: Math.floor(i / 2) % 2,
      level: 120 + (i % 60),
    }));
    const lines = rows.map(({ i, side, height }) => {
      const part = i % 10 < 4 ? "test" : "train";
      return `${i}.png,${["left", "right"][side]},${["up", "down"][height]},${part}`;
    });
    await writeFile(join(root, "labels.csv"), ["file,looks,leans,split", ...lines, ""].join("\n"));
    for (const { i, side, height, level } of rows) {
      const pixels = Uint8Array.from({ length: 32 * 32 * 3 }, (_, at) => {
        const [x, y] = [Math.floor(at / 3) % 32, Math.floor(at / 96)];
        const across = x >= 16 === (side === 1) ? level : 40;
        return y >= 16 === (height === 1) ? across + 60 : across;
      });
      await sharp(pixels, { raw: { width: 32, height: 32, channels: 3 } })
        .png()
        .toFile(join(root, `${i}.png`));
    }
  });
  after(() => rm(root, { recursive: true, force: true }));

  async function accuracyOf(label: string, mirror: boolean): Promise<number> {
    const { trained } = await train({
      arch: "mobilenet-v1",
      task: "binary",
      label,
      data: root,
      out: join(root, "runs", `${label}-${String(mirror)}`),
      cacheDir: join(root, "cache"),
      width: 0.25,
      size: 32,
      epochs: 6,
      learningRate: 0.004,
      batchSize: 8,
      runs: 1,
      mirror,
      seed: 1,
    });
    return trained.accuracy;
  }

  it("labels that say left and right are learnt without mirroring, and cannot be with it", async () => {
    expect(await accuracyOf("looks", false)).to.be.greaterThan(0.9);
    expect(await accuracyOf("looks", true)).to.be.lessThan(0.8);
  });

  it("labels that say up and down are learnt with and without mirroring", async () => {
    expect(await accuracyOf("leans", false)).to.be.greaterThan(0.9);
    expect(await accuracyOf("leans", true)).to.be.greaterThan(0.9);
  });

  it("--no-augment leaves pictures as they are: no mirror, shift, zoom or brightness", () => {
    const all = { augment: true, mirror: true, shift: 0.03, zoom: 0.1, brightness: 0.2 };
    expect(changesOf(all)).to.deep.equal({ shift: 0.03, scale: 0.1, brightness: 0.2 });
    expect(mayMirror(all)).to.equal(true);
    expect(changesOf({ ...all, augment: false })).to.deep.equal({});
    expect(mayMirror({ ...all, augment: false })).to.equal(false);
    expect(changesOf({ ...all, shift: 0, zoom: 0 })).to.deep.equal({ brightness: 0.2 });
    expect(mayMirror({ ...all, mirror: false })).to.equal(false);
  });
});
