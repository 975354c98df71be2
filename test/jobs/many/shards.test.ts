import { expect } from "chai";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TapMoments } from "../../../lib/core/artifacts.ts";
import { decodeMoments } from "../../../lib/math/moments-file.ts";
import { silent, type Progress } from "../../../lib/core/progress.ts";
import type { PruneOptions } from "../../../lib/jobs/prune/options.ts";
import { runPipeline } from "../../../lib/jobs/prune/prune.ts";
import { fingerprint } from "../../../lib/core/fingerprint.ts";
import { parseShard, shardOf } from "../../../lib/jobs/run/shard.ts";
import { harvestShard, mergeShards, type ShardRecord } from "../../../lib/jobs/many/shards.ts";
import { refusal } from "../../support/refusal.ts";

const shards = 8;

describe("harvest in shards", function () {
  this.timeout(120_000);
  let root: string;
  let options: PruneOptions;
  const folders: string[] = [];

  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-shards-"));
    options = {
      ...{ task: "gender", data: "synthetic:90", seed: 3 },
      ...{ out: join(root, "whole"), cacheDir: join(root, "cache") },
    };
    for (let index = 1; index <= shards; index++) {
      const out = join(root, `shard-${index}`);
      folders.push(out);
      await harvestShard({ ...options, out }, { index, of: shards });
    }
  });
  after(() => rm(root, { recursive: true, force: true }));

  it("eight shards merged equal one pass to 1e-12, features and folds too", async () => {
    await runPipeline(options, "harvest");
    const out = join(root, "merged");
    const merged = await mergeShards([...folders].reverse(), out);
    const [one, eight] = await Promise.all([momentsOf(options.out), momentsOf(out)]);
    expect(merged.taps).to.equal(one.length - 1);
    expect(eight.map(({ tap }) => tap)).to.deep.equal(one.map(({ tap }) => tap));
    expect(merged.n).to.equal(one[0].folds.reduce((sum, { n }) => sum + n, 0));
    expect(largestDifference(one, eight)).to.be.lessThan(1e-12);
  });

  it("the pipeline goes on from a merged run without harvesting", async () => {
    const labels: string[] = [];
    const progress: Progress = { ...silent, start: (label) => void labels.push(label) };
    const out = join(root, "goes-on");
    await mergeShards(folders, out);
    const { curves } = await runPipeline({ ...options, out, progress }, "curves");
    expect(curves).to.not.equal(undefined);
    expect(labels.filter((label) => label.includes("harvest"))).to.deep.equal([]);
  });

  it("a shard is decoded and harvested once, and only its own pictures", async () => {
    const labels: string[] = [];
    const progress: Progress = {
      ...silent,
      start: (label, total) => void labels.push(`${label} ${total ?? ""}`),
    };
    const again = await harvestShard({ ...options, out: folders[1], progress }, { index: 2, of: shards });
    expect(labels).to.deep.equal([]);
    await harvestShard(
      { ...options, out: join(root, "fresh"), cacheDir: join(root, "fresh-cache"), progress },
      { index: 2, of: shards },
    );
    expect(labels[0]).to.equal(`decode pictures ${again.rows}`);
    expect(again.rows).to.be.lessThan(12);
  });

  it("names what is missing and what is there twice", async () => {
    const out = join(root, "incomplete");
    expect(await refusal(mergeShards([folders[0], folders[3]], out))).to.match(
      /shards 2, 3, 5, 6, 7, 8 of 8: not there/,
    );
    const twice = await refusal(mergeShards([...folders, join(folders[2], "moments/shard-3-of-8.bin")], out));
    expect(twice).to.match(/shard 3\/8: in .*shard-3-of-8\.json and in .*shard-3-of-8\.json/);
  });

  it("refuses shards of another harvest, with both values", async () => {
    const other = join(root, "other");
    const change = async (edit: (record: ShardRecord) => unknown): Promise<string> => {
      await rm(other, { recursive: true, force: true });
      await cp(folders[7], other, { recursive: true });
      const path = join(other, "moments/shard-8-of-8.json");
      const { check, ...record } = JSON.parse(await readFile(path, "utf8")) as ShardRecord & {
        check: string;
      };
      expect(check).to.equal(fingerprint(record));
      const edited = edit(record) as object;
      await writeFile(path, JSON.stringify({ ...edited, check: fingerprint(edited) }));
      return refusal(mergeShards([...folders.slice(0, 7), other], join(root, "refused")));
    };
    const inputs = (more: object) => (record: ShardRecord) => ({
      ...record,
      inputs: { ...record.inputs, ...more },
    });
    expect(await change(inputs({ seed: 4 }))).to.match(
      /other.*: seed 4, 3 as in .*shard-1-of-8\.json was needed/,
    );
    expect(await change(inputs({ backbone: "abc" }))).to.match(/backbone "abc", "[0-9a-f]+" as in/);
    expect(await change(inputs({ data: "abc" }))).to.match(/data "abc", "[0-9a-f]+" as in/);
    expect(await change((record) => ({ ...record, of: 9 }))).to.match(/number of shards 9, 8 as in/);
    expect(await change((record) => ({ ...record, etlVersion: "0.0.1" }))).to.match(/made by etl 0\.0\.1/);
    expect(await change((record) => ({ ...record, rows: 5 }))).to.match(/pictures, the 5 of its record/);
    const bin = join(other, "moments/shard-8-of-8.bin");
    await rm(other, { recursive: true, force: true });
    await cp(folders[7], other, { recursive: true });
    await writeFile(bin, (await readFile(bin)).fill(1, 900, 901));
    expect(await refusal(mergeShards([...folders.slice(0, 7), other], join(root, "refused")))).to.match(
      /shard-8-of-8\.bin: holds other bytes than were written/,
    );
    const json = bin.replace(".bin", ".json");
    await writeFile(json, (await readFile(json, "utf8")).replace('"rows"', '"rowz"'));
    expect(await refusal(mergeShards([other], join(root, "refused")))).to.match(/shard-8-of-8\.json: not/);
    const foreign = join(root, "foreign");
    await harvestShard({ ...options, out: foreign, seed: 4 }, { index: 8, of: shards });
    expect(await refusal(mergeShards([...folders.slice(0, 7), foreign], join(root, "refused")))).to.match(
      / as in /,
    );
  });
});

describe("shards of the training part", () => {
  const dataset = (n: number): Parameters<typeof shardOf>[0] => ({
    name: "some",
    items: Array.from({ length: n }, (_, i) => ({
      ...{ file: `${i}.jpg`, split: i % 3 === 0 ? "test" : "train" },
      ...{ target: Float32Array.of(0), bytes: 1, modifiedMs: 0 },
    })),
  });

  it("cover every training picture once, in order, with sizes that differ by one at most", () => {
    for (const of of [1, 2, 7, 20]) {
      const parts = Array.from({ length: of }, (_, i) => shardOf(dataset(61), { index: i + 1, of }));
      expect(parts.flat().map(({ file }) => file)).to.deep.equal(
        dataset(61).items.flatMap(({ file, split }) => (split === "train" ? [file] : [])),
      );
      const sizes = parts.map(({ length }) => length);
      expect(Math.max(...sizes) - Math.min(...sizes)).to.be.at.most(1);
    }
  });

  it("an empty shard and a wrong --shard are refused", () => {
    expect(() => shardOf(dataset(4), { index: 1, of: 3 })).to.throw(/1\/3 holds none of the 2 training/);
    expect(parseShard("3/8")).to.deep.equal({ index: 3, of: 8 });
    for (const text of ["0/8", "9/8", "3", "a/b", "3/8/2", ""]) {
      expect(() => parseShard(text), text).to.throw(/--shard: .*1 <= i <= n was needed/);
    }
  });
});

async function momentsOf(folder: string): Promise<TapMoments[]> {
  return decodeMoments(await readFile(join(folder, "moments/taps.bin")));
}

/** Largest difference of an entry, relative to the largest entry of its array. */
function largestDifference(a: readonly TapMoments[], b: readonly TapMoments[]): number {
  let worst = 0;
  a.forEach(({ folds }, t) => {
    folds.forEach((fold, k) => {
      const other = b[t].folds[k];
      expect(other.n).to.equal(fold.n);
      for (const key of ["sumX", "sumY", "xx", "xy", "yy"] as const) {
        const scale = fold[key].reduce((most, value) => Math.max(most, Math.abs(value)), 1e-300);
        fold[key].forEach((value, i) => (worst = Math.max(worst, Math.abs(value - other[key][i]) / scale)));
      }
    });
  });
  return worst;
}
