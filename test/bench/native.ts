/**
 * CPU inference of a network file against onnxruntime's own C API on the same file, in turns: batches and threads.
 *
 *     npx tsx test/bench/native.ts MODEL.onnx [BATCHES 1,8,32] [THREADS 1,2] [rounds 7]
 *
 * The peer is compiled with cc, against the library of the npm package: same version, same kernels. `etlMs` is what
 * `etl profile` reports, timed on the compute thread; `callMs` is what a caller waits for, with the way there and back and
 * the copy of the pictures. `nativeMs` is the faster of two settings of the peer: threads that spin while they wait
 * (onnxruntime's default, and the profile's), and threads that do not (every other program's here, `callMs` too). Medians, milliseconds per picture; `ratio` = etl / native and
 * `callRatio` = call / native are medians over the rounds; `cpuRatio` is the same of CPU time of all threads, `etlMs`
 * against the peer that spins as well.
 */
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { nowMs } from "../../lib/core/clock.ts";
import { openEngine } from "../../lib/engine/open.ts";
import { noiseFor } from "../../lib/evaluate/profile.ts";
import { readOnnx } from "../../lib/formats/onnx/read.ts";
import type { Network } from "../../lib/network/network.ts";
import { inferShapes } from "../../lib/network/shapes/infer.ts";
import { median, report, round, startProcess, type Peer } from "./support.ts";

const [model, batches = "1,8,32", threadCounts = "1,2", roundCount = "7"] = process.argv.slice(2);
const rounds = Number(roundCount);

/** Milliseconds per picture. */
interface Cost {
  readonly wall: number;
  readonly cpu: number;
}

/** Compiles the peer against the library that onnxruntime-node brings. */
function compilePeer(folder: string): string {
  const root = dirname(createRequire(import.meta.url).resolve("onnxruntime-node/package.json"));
  const library = join(root, "bin/napi-v6", process.platform, process.arch);
  const program = join(folder, "native");
  const source = join(import.meta.dirname, "peers/native.c");
  const link = [`-L${library}`, "-l:libonnxruntime.so.1", `-Wl,-rpath,${library}`];
  execFileSync("cc", ["-O2", "-o", program, source, ...link], { stdio: ["ignore", "inherit", "inherit"] });
  return program;
}

async function startNative(
  program: string,
  network: Network,
  setting: { readonly batch: number; readonly threads: number; readonly spin: boolean },
): Promise<Peer> {
  const { batch, threads, spin } = setting;
  const [input] = network.inputs;
  const [output] = network.outputs;
  const sizes = [batch, ...input.shape.slice(1), inferShapes(network).get(output.name)?.[1]];
  const names = [input.name, output.name];
  return startProcess(program, [model, ...sizes, ...names, threads, spin ? 1 : 0].map(String));
}

async function compare(
  program: string,
  network: Network,
  { batch, threads }: { readonly batch: number; readonly threads: number },
): Promise<Record<string, string | number>> {
  const engine = await openEngine({ engine: "ort", threads });
  const [waits, spins] = [await engine.compile(network), await engine.compile(network, { alone: true })];
  const inputs = noiseFor(network, batch);
  const peers = await Promise.all(
    [false, true].map((spin) => startNative(program, network, { batch, threads, spin })),
  );
  /** Runs of one turn: about as many pictures for every batch. */
  const runs = Math.max(2, Math.ceil(32 / batch));
  const cpuOf = async (work: () => Promise<number[]>): Promise<Cost> => {
    const before = process.cpuUsage();
    const walls = await work();
    const used = process.cpuUsage(before);
    return { wall: median(walls) / batch, cpu: (used.user + used.system) / 1000 / runs / batch };
  };
  const own = (): Promise<Cost> => cpuOf(() => spins.time(inputs, { warmup: 0, runs }));
  const called = (): Promise<Cost> =>
    cpuOf(async () => {
      const walls: number[] = [];
      for (let i = 0; i < runs; i++) {
        const start = nowMs();
        await waits.run(inputs);
        walls.push(nowMs() - start);
      }
      return walls;
    });
  const theirs = async (peer: Peer): Promise<Cost> => {
    const { wall, cpu } = (await peer.ask(`${runs}`)) as { wall: number[]; cpu: number };
    return { wall: median(wall) / batch, cpu: cpu / runs / batch };
  };
  const costs: Readonly<Record<"own" | "called" | "waiting" | "spinning", Cost>>[] = [];
  for (let i = 0; i <= rounds; i++) {
    const cost = {
      own: await own(),
      spinning: await theirs(peers[1]),
      called: await called(),
      waiting: await theirs(peers[0]),
    };
    if (i > 0) costs.push(cost);
  }
  await Promise.all(peers.map((peer) => peer.end()));
  await engine.dispose();
  const of = (pick: (cost: (typeof costs)[number]) => number): number => round(median(costs.map(pick)));
  const waitingMs = of(({ waiting }) => waiting.wall);
  const spinningMs = of(({ spinning }) => spinning.wall);
  const faster = waitingMs < spinningMs ? "waiting" : "spinning";
  return {
    ...{ model: basename(model), batch, threads, rounds, runs, etlMs: of(({ own }) => own.wall) },
    ...{ callMs: of(({ called }) => called.wall), nativeMs: Math.min(waitingMs, spinningMs) },
    ...{ ratio: of((cost) => cost.own.wall / cost[faster].wall) },
    ...{ callRatio: of((cost) => cost.called.wall / cost[faster].wall) },
    ...{ etlCpuMs: of(({ own }) => own.cpu), nativeCpuMs: of(({ spinning }) => spinning.cpu) },
    cpuRatio: of(({ own, spinning }) => own.cpu / spinning.cpu),
  };
}

const folder = await mkdtemp(join(tmpdir(), "etl-native-"));
const rows: Record<string, string | number>[] = [];
try {
  const program = compilePeer(folder);
  const network = readOnnx(await readFile(model), { name: basename(model) });
  for (const threads of threadCounts.split(",").map(Number)) {
    for (const batch of batches.split(",").map(Number)) {
      rows.push(await compare(program, network, { batch, threads }));
    }
  }
} finally {
  await rm(folder, { recursive: true });
}
await report("native", rows);
