/**
 * Pooled responses of face-resnet's filters to the training pictures of a data set, picture by picture: what a harvest
 * sums up, kept for test/bench/lasso.ts.
 *
 *     npx tsx test/bench/responses.ts DATA TASK OUT [LIMIT]
 *
 * LIMIT: pictures drawn by seed, all parts together. Writes x.bin [n, filters of all taps side by side], y.bin
 * [n, outputs] (float32, row-major) and data.json.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { loadBackbone } from "../../lib/backbones/catalogue.ts";
import { makeFolder } from "../../lib/core/files.ts";
import { batches } from "../../lib/data/images/batches.ts";
import { openDataset } from "../../lib/data/open.ts";
import { prepareImages, rowsOf } from "../../lib/data/images/store.ts";
import { openEngine } from "../../lib/engine/open.ts";
import { findTaps, withPooledTaps } from "../../lib/network/taps.ts";

interface Header {
  /** Of the data set. */
  readonly name: string;
  readonly task: string;
  readonly n: number;
  /** Outputs of the task. */
  readonly q: number;
  /** Filters of every tap, in the order of the columns. */
  readonly widths: readonly number[];
}

export interface Responses extends Header {
  /** Targets, [n, q]. */
  readonly y: Float32Array;
  /** Responses of the last tap of `p` filters, else of the last taps that have `p` together: [n, p]. */
  columns(p: number): Float32Array;
}

/** Reads what this script wrote. */
export async function readResponses(folder: string): Promise<Responses> {
  const header = JSON.parse(await readFile(join(folder, "data.json"), "utf8")) as Header;
  const [x, y] = await Promise.all(["x.bin", "y.bin"].map((name) => readFloats(join(folder, name))));
  const { n, widths } = header;
  const total = widths.reduce((sum, width) => sum + width, 0);
  const columns = (p: number): Float32Array => {
    const first = firstColumn(widths, p);
    const some = new Float32Array(n * p);
    for (let i = 0; i < n; i++) some.set(x.subarray(i * total + first, i * total + first + p), i * p);
    return some;
  };
  return { ...header, y, columns };
}

export async function readFloats(path: string): Promise<Float32Array> {
  const { buffer, byteOffset, byteLength } = await readFile(path);
  return new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
}

/** Where the last tap of `p` filters begins, else the last taps that have `p` together. */
function firstColumn(widths: readonly number[], p: number): number {
  const before = (tap: number): number => widths.slice(0, tap).reduce((sum, width) => sum + width, 0);
  const one = widths.lastIndexOf(p);
  if (one >= 0) return before(one);
  const first = before(widths.length) - p;
  if (first >= 0 && widths.some((_, tap) => before(tap) === first)) return first;
  throw new Error(`${p}: the last of ${widths.join(", ")} filters do not add up to it`);
}

/** Runs the training part of a data set (of `limit` pictures of it) through face-resnet. */
async function writeResponses(data: string, task: string, out: string, limit?: number): Promise<void> {
  const { network, preprocessing } = await loadBackbone("face-resnet");
  const taps = findTaps(network);
  const pooled = withPooledTaps(network, taps);
  const widths = taps.map(({ channels }) => channels);
  const total = widths.reduce((sum, width) => sum + width, 0);
  const dataset = await openDataset({ data, task, seed: 0, ...(limit && { limit }) });
  const store = await prepareImages(dataset, preprocessing);
  const engine = await openEngine({ engine: "ort", threads: 1 });
  try {
    const outputs = taps.map(({ tap }) => pooled.outputs.get(tap) ?? tap);
    const program = await engine.compile(pooled.network, { outputs });
    const rows = rowsOf(store, "train");
    const q = store.dataset.task.outputs;
    const [x, y] = [new Float32Array(rows.length * total), new Float32Array(rows.length * q)];
    let n = 0;
    for await (const batch of batches(store, rows, { batchSize: 32, preprocessing })) {
      const results = await program.run({ [network.inputs[0].name]: batch.x }, { give: true });
      y.set(batch.y.data, n * q);
      for (let i = 0; i < batch.rows.length; i++, n++) {
        let at = n * total;
        outputs.forEach((output, t) => {
          x.set(results[output].data.subarray(i * widths[t], (i + 1) * widths[t]), at);
          at += widths[t];
        });
      }
    }
    await makeFolder(out);
    await writeFile(join(out, "x.bin"), x);
    await writeFile(join(out, "y.bin"), y);
    const header: Header = { name: dataset.name, task, n, q, widths };
    await writeFile(join(out, "data.json"), JSON.stringify(header));
  } finally {
    await engine.dispose();
    await store.close();
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const [data, task, out, limit] = process.argv.slice(2);
  await writeResponses(data, task, out, limit ? Number(limit) : undefined);
}
