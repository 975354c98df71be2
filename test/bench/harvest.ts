/**
 * What a harvest adds to the bare forward pass of the same pictures, in turns: the forward pass one batch after the other
 * with all threads, the forward pass as a stream (two copies of the network with half of the threads each), the stream
 * with pooled taps, all on pictures that lie decoded and normalised in memory, and the harvest itself: pictures read from
 * the decoded cache, normalised, run as a stream, pooled, and summed to moments.
 *
 *     npx tsx test/bench/harvest.ts [DATA synthetic:800] [TASK gender] [BACKBONES face-resnet] [pictures 256] [threads 2] [rounds 7]
 *
 * Medians in milliseconds for one picture. `ratio` is the harvest over the forward pass, `streamRatio` over the stream,
 * medians of the ratios of the rounds; `cpu...` columns are CPU time of all threads, `cpuRatio` the harvest's over the
 * stream's.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadBackbone } from "../../lib/backbones/catalogue.ts";
import { nowMs } from "../../lib/core/clock.ts";
import { createRecycler } from "../../lib/core/recycler.ts";
import { batches, type Batch } from "../../lib/data/images/batches.ts";
import { openDataset } from "../../lib/data/open.ts";
import { prepareImages, rowsOf, type ImageStore } from "../../lib/data/images/store.ts";
import type { Program } from "../../lib/engine/engine.ts";
import { runStream } from "../../lib/engine/stream.ts";
import { openEngine } from "../../lib/engine/open.ts";
import { harvest } from "../../lib/harvest/harvest.ts";
import { inferShapes } from "../../lib/network/shapes/infer.ts";
import { findTaps, withPooledTaps } from "../../lib/network/taps.ts";
import { median, report, round } from "./support.ts";

const [data = "synthetic:800", task = "gender", names = "face-resnet", ...numbers] = process.argv.slice(2);
const [pictures = 256, threads = 2, rounds = 7] = numbers.map(Number);
const batchSize = 32;
const foldCount = 5;

/** Wall and CPU milliseconds. */
type Cost = readonly [wall: number, cpu: number];

async function costOf(work: () => Promise<unknown>): Promise<Cost> {
  const [start, before] = [nowMs(), process.cpuUsage()];
  await work();
  const used = process.cpuUsage(before);
  return [nowMs() - start, (used.user + used.system) / 1000];
}

/** Runs one batch after the other; the next ones wait at the engine while it is computed. */
async function runAll(program: Program, input: string, given: readonly Batch[]): Promise<number> {
  let done = 0;
  for await (const { item } of runStream(program, given, ({ x }) => ({ [input]: x })))
    done += item.rows.length;
  return done;
}

async function compare(name: string, store: ImageStore): Promise<Record<string, string | number>> {
  const backbone = await loadBackbone(name, name === "face-resnet" ? {} : { weights: "random" });
  const { network, features, preprocessing } = backbone;
  const found = findTaps(network);
  const pooled = withPooledTaps(network, found);
  const width = (inferShapes(network).get(features) ?? []).slice(1).reduce((a, b) => a * b, 1);
  const taps = [
    ...found.map(({ tap, channels }) => ({ tap, output: pooled.outputs.get(tap) ?? tap, channels })),
    { tap: features, output: features, channels: width },
  ];
  const engine = await openEngine({ engine: "ort", threads });
  const runs = Math.ceil(pictures / batchSize);
  const bare = await engine.compile(network, { outputs: [features] });
  const streamed = await engine.compile(network, { outputs: [features], runs });
  const tapped = await engine.compile(pooled.network, {
    outputs: [...new Set(taps.map(({ output }) => output))],
    runs,
  });
  const rows = rowsOf(store, "train").slice(0, pictures);
  const recycler = createRecycler();
  const read = (): AsyncGenerator<Batch, void, undefined> =>
    batches(store, rows, { batchSize, preprocessing, recycler });
  const held: Batch[] = [];
  for await (const batch of read()) held.push(batch);
  const folds = Uint32Array.from(store.items, (_, row) => row % foldCount);
  const input = network.inputs[0].name;
  const outputs = store.dataset.task.outputs;
  const works = [
    () => runAll(bare, input, held),
    () => runAll(streamed, input, held),
    () => runAll(tapped, input, held),
    () => harvest(tapped, read(), { input, taps, outputs, folds, foldCount, total: rows.length, recycler }),
  ];
  const costs: Cost[][] = works.map(() => []);
  for (let i = 0; i <= rounds; i++) {
    for (const [kind, work] of works.entries()) {
      const cost = await costOf(work);
      if (i > 0) costs[kind].push(cost);
    }
  }
  await engine.dispose();
  const each = (kind: number, what: 0 | 1): number =>
    round(median(costs[kind].map((cost) => cost[what])) / rows.length);
  const over = (kind: number, base: number, what: 0 | 1 = 0): number =>
    round(median(costs[kind].map((cost, i) => cost[what] / costs[base][i][what])));
  return {
    ...{ backbone: name, data: store.dataset.name, pictures: rows.length, taps: found.length },
    ...{
      batch: batchSize,
      threads,
      rounds,
      forwardMs: each(0, 0),
      streamMs: each(1, 0),
      tapsMs: each(2, 0),
      harvestMs: each(3, 0),
    },
    ...{ tapsOverStream: over(2, 1), ratio: over(3, 0), streamRatio: over(3, 1) },
    ...{ cpuForwardMs: each(0, 1), cpuStreamMs: each(1, 1), cpuRatio: over(3, 1, 1) },
  };
}

const cacheDir = await mkdtemp(join(tmpdir(), "etl-harvest-"));
const rows: Record<string, string | number>[] = [];
try {
  for (const name of names.split(",")) {
    const { preprocessing } = await loadBackbone(name, name === "face-resnet" ? {} : { weights: "random" });
    const dataset = await openDataset({ data, task, seed: 0 });
    const store = await prepareImages(dataset, preprocessing, { cacheDir });
    rows.push(await compare(name, store));
    await store.close();
  }
} finally {
  await rm(cacheDir, { recursive: true });
}
await report("harvest", rows);
