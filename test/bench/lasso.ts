/**
 * LASSO paths of 100 lambdas against scikit-learn's at the same duality gap: with a precomputed Gram matrix for one
 * output, from the responses for several (scikit-learn has no Gram there). Ours from the moments on, theirs from the Gram
 * matrix on; making these is not counted on either side.
 *
 *     npx tsx test/bench/lasso.ts drawn [P 64,256,512,2048] [gap 1e-6]
 *     npx tsx test/bench/responses.ts DATA TASK OUT && npx tsx test/bench/lasso.ts OUT [P 64,128,256,512,2048] [gap 1e-6]
 *
 * OUT holds what face-resnet's filters respond to the pictures of a data set: the columns are those of the last tap that
 * has P filters, else of its last taps side by side (512: two of 256, 2048: eight). `drawn` are correlated random numbers.
 * Medians; CPU seconds beside wall seconds, because machines are shared. PYTHON=python3 by default; needs scikit-learn.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LassoPath, Moments } from "../../lib/core/artifacts.ts";
import { nowMs } from "../../lib/core/clock.ts";
import { createMomentsAccumulator } from "../../lib/math/moments.ts";
import { lassoPathFromMoments } from "../../lib/lasso/path.ts";
import { readFloats, readResponses, type Responses } from "./responses.ts";
import { median, report, round, startPeer } from "./support.ts";

const [
  data = "drawn",
  sizes = data === "drawn" ? "64,256,512,2048" : "64,128,256,512,2048",
  gapText = "1e-6",
] = process.argv.slice(2);
const gap = Number(gapText);
const drawnRows = 3750;

interface Theirs {
  readonly wall: number;
  readonly cpu: number;
  readonly gap: number;
}

/** The responses of one size and their targets, in a folder where both sides read them: float32, row-major. */
async function writeCase(folder: string, p: number, pooled: Responses | undefined): Promise<void> {
  if (pooled === undefined) {
    const peer = await startPeer("lasso.py", ["make", folder, `${drawnRows}`, `${p}`]);
    await peer.end();
    return;
  }
  const { n, q, y } = pooled;
  await writeFile(join(folder, "x.bin"), pooled.columns(p));
  await writeFile(join(folder, "y.bin"), y);
  await writeFile(join(folder, "data.json"), JSON.stringify({ n, p, q }));
}

async function readCase(folder: string): Promise<{ moments: Moments; n: number; q: number }> {
  const { n, p, q } = JSON.parse(await readFile(join(folder, "data.json"), "utf8")) as Moments;
  const [x, y] = await Promise.all(["x.bin", "y.bin"].map((name) => readFloats(join(folder, name))));
  const accumulator = createMomentsAccumulator(p, q);
  accumulator.add(x, y, n);
  return { moments: accumulator.moments(), n, q };
}

async function compare(p: number, pooled: Responses | undefined): Promise<Record<string, string | number>> {
  const folder = await mkdtemp(join(tmpdir(), "etl-bench-"));
  try {
    await writeCase(folder, p, pooled);
    const { moments, n, q } = await readCase(folder);
    const peer = await startPeer("lasso.py", ["solve", folder, `${gap}`]);
    const { version, tol } = peer.hello as { version: string; tol: number };
    const repeats = q === 1 ? 5 : p > 500 ? 1 : 3; // several outputs take minutes on the other side
    const ours: { wall: number; cpu: number }[] = [];
    const theirs: Theirs[] = [];
    let path: LassoPath | undefined;
    for (let i = 0; i < repeats; i++) {
      const [start, before] = [nowMs(), process.cpuUsage()];
      path = lassoPathFromMoments(moments, { tol: gap });
      const used = process.cpuUsage(before);
      ours.push({ wall: (nowMs() - start) / 1000, cpu: (used.user + used.system) / 1e6 });
      theirs.push((await peer.ask("1")) as Theirs);
    }
    await peer.end();
    const variance = moments.yy.reduce((sum, v, i) => sum + (i % (q + 1) === 0 ? v : 0), 0) / n;
    const mean = moments.sumY.reduce((sum, v) => sum + (v / n) ** 2, 0);
    const ourGap = Math.max(...(path?.points ?? []).map((point) => point.gap)) / (variance - mean);
    const seconds = (list: readonly { wall: number; cpu: number }[], what: "wall" | "cpu"): number =>
      round(median(list.map((each) => each[what])));
    return {
      ...{
        data: pooled === undefined ? "drawn" : `${pooled.name}, ${pooled.task}`,
        n,
        p,
        q,
        repeats,
        sklearn: version,
      },
      ...{ etlSeconds: seconds(ours, "wall"), sklearnSeconds: seconds(theirs, "wall") },
      ratio: round(median(ours.map(({ wall }, i) => wall / theirs[i].wall))),
      ...{ etlCpuSeconds: seconds(ours, "cpu"), sklearnCpuSeconds: seconds(theirs, "cpu") },
      cpuRatio: round(median(ours.map(({ cpu }, i) => cpu / theirs[i].cpu))),
      ...{
        etlGap: ourGap.toExponential(1),
        sklearnGap: theirs[0].gap.toExponential(1),
        sklearnTol: tol.toExponential(0),
      },
    };
  } finally {
    await rm(folder, { recursive: true });
  }
}

const pooled = data === "drawn" ? undefined : await readResponses(data);
const rows: Record<string, string | number>[] = [];
for (const p of sizes.split(",")) {
  rows.push(await compare(Number(p), pooled));
  await report("lasso", rows, `lasso-${pooled?.task ?? "drawn"}`); // the larger sizes take long: what is there, is kept
}
