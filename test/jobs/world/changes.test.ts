import { expect } from "chai";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { changesOf, mayMirror } from "../../../lib/jobs/world/changes.ts";
import { train } from "../../../lib/jobs/train/train.ts";

describe("jobs: what training does to its pictures", function () {
  this.timeout(120_000);
  let root: string;

  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-changes-"));
    // The bright half says which side a face looks to.
    const rows = Array.from({ length: 120 }, (_, i) => ({ i, side: i % 2, level: 120 + (i % 60) }));
    const lines = rows.map(
      ({ i, side }) => `${i}.png,${["left", "right"][side]},${i % 4 === 3 || i % 8 === 2 ? "test" : "train"}`,
    );
    await writeFile(join(root, "labels.csv"), ["file,looks,split", ...lines, ""].join("\n"));
    for (const { i, side, level } of rows) {
      const pixels = Uint8Array.from({ length: 32 * 32 * 3 }, (_, at) => {
        const right = Math.floor(at / 3) % 32 >= 16;
        return right === (side === 1) ? level : 40;
      });
      await sharp(pixels, { raw: { width: 32, height: 32, channels: 3 } })
        .png()
        .toFile(join(root, `${i}.png`));
    }
  });
  after(() => rm(root, { recursive: true, force: true }));

  it("labels that say left and right are learnt without mirroring, and cannot be with it", async () => {
    const accuracies: number[] = [];
    for (const [name, mirror] of [
      ["plain", false],
      ["mirrored", true],
    ] as const) {
      const result = await train({
        arch: "mobilenet-v1",
        task: "binary",
        label: "looks",
        data: root,
        out: join(root, "runs", name),
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
      accuracies.push(result.trained.accuracy);
    }
    expect(accuracies[0]).to.be.greaterThan(0.9);
    expect(accuracies[1]).to.be.lessThan(0.8);
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
