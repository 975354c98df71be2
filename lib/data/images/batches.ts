/** Batches for the engines: rows in a seeded order, pixels normalised, a few batches read ahead. */
import { refuseUnknown, type OptionNames } from "../../core/options.ts";
import type { Preprocessing } from "../../core/artifacts.ts";
import { EtlError } from "../../core/errors.ts";
import { createRandom, type Random } from "../../core/random.ts";
import type { Recycler } from "../../core/recycler.ts";
import type { Tensor } from "../../network/network.ts";
import { changeTarget, drawChange, sources, type Augment, type Change } from "./augment.ts";
import { channelOrder, channelTables } from "./normalise.ts";
import { columnsOf, widthOf } from "../joint.ts";
import { samePixels, writePixels, type PixelMap } from "./pixels.ts";
import type { ImageStore } from "./store.ts";

export interface BatchOptions {
  readonly batchSize: number;
  /** Width and height must be the store's. */
  readonly preprocessing: Preprocessing;
  /** Seed of order and augmentation; default 0. */
  readonly seed?: number;
  /** Another order in every epoch; default: the order of `rows`. */
  readonly shuffle?: boolean;
  readonly augment?: Augment;
  /** Epoch number: order depends on seed, epoch and rows, augmentation on seed, epoch and file name. Default 0. */
  readonly epoch?: number;
  /** Batches prepared in advance; default 2. */
  readonly readAhead?: number;
  /** Where the pictures' arrays come from; default: each is a new one. */
  readonly recycler?: Recycler;
}

const batchNames: OptionNames<BatchOptions> = {
  batchSize: true,
  preprocessing: true,
  seed: true,
  shuffle: true,
  augment: true,
  epoch: true,
  readAhead: true,
  recycler: true,
};

export interface Batch {
  /** [n, 3, height, width]; an array of the recycler where there is one. */
  readonly x: Tensor;
  /** [n, q], target units */
  readonly y: Tensor;
  /** Rows of the store. */
  readonly rows: Uint32Array;
  /** [n, q], 0 = label missing; only where the data have missing labels. */
  readonly mask?: Tensor;
  /** [n], 1 = mirrored. */
  readonly mirrored: Uint8Array;
}

/** Iterates over some rows of a store. The last batch may be smaller. */
export async function* batches(
  store: ImageStore,
  rows: ArrayLike<number>,
  options: BatchOptions,
): AsyncGenerator<Batch, void, undefined> {
  refuseUnknown("batches", options, batchNames);
  const { batchSize, preprocessing, seed = 0, epoch = 0, readAhead = 2 } = options;
  if (preprocessing.width !== store.width || preprocessing.height !== store.height) {
    throw new EtlError(
      "usage",
      `batches: the store holds ${store.width}x${store.height} pictures, ${preprocessing.width}x${preprocessing.height} was needed`,
    );
  }
  if (!(Number.isInteger(batchSize) && batchSize > 0)) {
    throw new EtlError("usage", `--batch: found ${batchSize}, a whole number above 0 was needed`);
  }
  const random = createRandom(seed).fork(`epoch ${epoch}`);
  const order = options.shuffle === true ? random.fork("order").shuffle(Array.from(rows)) : Array.from(rows);
  const maker = batchMaker(store, options, random);

  const pending: Promise<Batch>[] = [];
  let next = 0;
  for (;;) {
    while (pending.length <= readAhead && next < order.length) {
      const batch = maker(Uint32Array.from(order.slice(next, next + batchSize)));
      batch.catch(() => undefined); // it is thrown where it is awaited; an abandoned one is nobody's concern
      pending.push(batch);
      next += batchSize;
    }
    const batch = pending.shift();
    if (batch === undefined) return;
    yield await batch;
  }
}

function batchMaker(
  store: ImageStore,
  options: BatchOptions,
  random: Random,
): (rows: Uint32Array) => Promise<Batch> {
  const { preprocessing, augment, recycler } = options;
  const { items } = store;
  const columns = columnsOf(store.dataset);
  const q = widthOf(store.dataset);
  const { task: strictest } = columns.find(({ task }) => task.mirror === "forbid") ?? columns[0];
  const { width, height } = preprocessing;
  const masked = items.some((item) => item.mask !== undefined);
  const plain = channelTables(preprocessing);
  const order = channelOrder(preprocessing);
  const same = samePixels(preprocessing);
  const read: Uint8Array[] = []; // to be filled again
  return async (rows) => {
    const n = rows.length;
    const pixels = await store.read(rows, read.pop());
    const slot = 3 * width * height;
    const x = recycler?.take(n * slot) ?? new Float32Array(n * slot);
    const y = new Float32Array(n * q);
    const mask = new Float32Array(masked ? n * q : 0).fill(1);
    const mirrored = new Uint8Array(n);
    for (let i = 0; i < n; i++) {
      const item = items[rows[i]];
      const from = pixels.subarray(i * slot, (i + 1) * slot);
      const into = x.subarray(i * slot, (i + 1) * slot);
      if (item.mask) mask.set(item.mask, i * q);
      if (augment === undefined) {
        writePixels(from, into, { tables: plain, order }, same);
        y.set(item.target, i * q);
        continue;
      }
      const change = drawChange(augment, strictest, preprocessing, random.fork(item.file));
      const tables = change.gain === 1 ? plain : channelTables(preprocessing, change.gain);
      writePixels(from, into, { tables, order }, mapOf(change, preprocessing));
      for (const { task, start } of columns) {
        const [from, to] = [start, start + task.outputs];
        const own = y.subarray(i * q + from, i * q + to);
        changeTarget(item.target.subarray(from, to), own, task, change, preprocessing);
      }
      mirrored[i] = change.mirrored ? 1 : 0;
    }
    read.push(pixels);
    return {
      x: { shape: [n, 3, height, width], data: x },
      y: { shape: [n, q], data: y },
      rows,
      ...(masked && { mask: { shape: [n, q], data: mask } }),
      mirrored,
    };
  };
}

/** Which pixels a changed picture takes. */
function mapOf(change: Change, { width, height }: Preprocessing): PixelMap {
  return { columns: sources(change.x, width, change.mirrored), lines: sources(change.y, height, false) };
}
