/**
 * One training step against PyTorch eager, or against this project's own TensorFlow.js engine, interleaved in one run.
 *
 *   npx tsx test/bench/train-step.ts [face-resnet|vgg16|mobilenet-v2] [batch 32] [threads 2] [rounds 5] [steps 3]
 *       [--against torch|tfjs] [--layouts nchw,nhwc] [--apart]
 *
 * PyTorch runs in both memory layouts, unless one is named, and is credited with the faster one. Prints medians in
 * milliseconds per image and the ratio ours / other as one JSON line, and keeps them in
 * results/train-step-NETWORK[-tfjs][-one-thread].json; `cpuRatio` is that of the processor time, which other work on the machine disturbs less. `--apart`: each side is started anew in every round and has
 * the memory to itself, for networks of which two do not fit.
 */
import { parseArgs } from "node:util";
import { withHead } from "../../lib/backbones/head.ts";
import { loadBackbone } from "../../lib/backbones/catalogue.ts";
import { buildVgg16 } from "../../lib/backbones/nets/vggface.ts";
import { initialise } from "../../lib/backbones/initialise.ts";
import { nowMs } from "../../lib/core/clock.ts";
import { createRandom } from "../../lib/core/random.ts";
import { openEngine } from "../../lib/engine/open.ts";
import type { Network } from "../../lib/network/network.ts";
import { median, report, round, startPeer } from "./support.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    against: { type: "string", default: "torch" },
    layouts: { type: "string", default: "nchw,nhwc" },
    apart: { type: "boolean", default: false },
  },
});
const [name = "face-resnet", ...numbers] = positionals;
const [batch = 32, threads = 2, rounds = 5, steps = 3] = numbers.map(Number);

async function networkFor(): Promise<{ network: Network; features: string; side: number }> {
  if (name === "vgg16")
    return { network: initialise(buildVgg16({ classes: 2 }), 1), features: "fc7/relu", side: 224 };
  const { network, features, preprocessing } = await loadBackbone(
    name,
    name === "face-resnet" ? {} : { weights: "random" },
  );
  return { network, features, side: preprocessing.width };
}

const { network, features, side } = await networkFor();
const trained = withHead(network, features, { outputs: 2 });
const output = trained.outputs[0].name;
const random = createRandom(1);
const image = {
  shape: [batch, 3, side, side],
  data: Float32Array.from({ length: batch * 3 * side * side }, () => random.normal()),
};
const target = {
  shape: [batch, 2],
  data: Float32Array.from({ length: 2 * batch }, (_, i) => ((i >> 1) % 2 === i % 2 ? 1 : 0)),
};
const inputs = { [trained.inputs[0].name]: image, target };

/** Milliseconds of a step, and of processor time in it. */
type Times = readonly [wall: number, cpu: number];

/** What is compared: a process or engine with everything in place for further steps. */
interface Side {
  run(steps: number): Promise<Times[]>;
  end(): Promise<void>;
}

async function openOurs(name: "ort" | "tfjs"): Promise<Side> {
  const engine = await openEngine({ engine: name, threads });
  engines.set(name, engine.description);
  const trainer = await engine.compileTraining(trained, {
    losses: [{ kind: "softmax-cross-entropy", output, target: "target", weight: 1 }],
    optimizer: { kind: "adamw" },
    seed: 1,
  });
  return {
    run: async (n) => {
      const times: Times[] = [];
      for (let i = 0; i < n; i++) {
        const [start, before] = [nowMs(), process.cpuUsage()];
        await trainer.step(inputs, { learningRate: 1e-4 });
        const { user, system } = process.cpuUsage(before);
        times.push([nowMs() - start, (user + system) / 1e3]);
      }
      return times;
    },
    end: async () => {
      await trainer.dispose();
      await engine.dispose();
    },
  };
}

/** What each side calls itself. */
const engines = new Map<string, string>();
let torch = "";
async function openTorch(layout: string): Promise<Side> {
  const peer = await startPeer("train_step.py", [name, `${batch}`, `${threads}`, layout]);
  ({ torch } = peer.hello as { torch: string });
  return { run: async (n) => (await peer.ask(`${n}`)) as Times[], end: () => peer.end() };
}

const columns: Readonly<Partial<Record<string, string>>> = { nchw: "torchNchwMs", nhwc: "torchNhwcMs" };
const layouts = values.layouts.split(",");
const sides: Record<string, () => Promise<Side>> = {
  ours: () => openOurs("ort"),
  ...(values.against === "tfjs"
    ? { tfjs: () => openOurs("tfjs") }
    : Object.fromEntries(layouts.map((layout) => [layout, () => openTorch(layout)]))),
};
const names = Object.keys(sides);
const times = new Map(names.map((side) => [side, [] as Times[]]));
const warm = async (side: string): Promise<Side> => {
  const opened = await sides[side]();
  await opened.run(2);
  return opened;
};
const opened = new Map<string, Side>();
if (!values.apart) for (const side of names) opened.set(side, await warm(side));
for (let round = 0; round < rounds; round++) {
  for (const side of names) {
    const kept = opened.get(side);
    const running = kept ?? (await warm(side));
    times.get(side)?.push(...(await running.run(steps)));
    if (kept === undefined) await running.end();
  }
}
for (const side of opened.values()) await side.end();

const perImage = (side: string, kind: 0 | 1): number =>
  round(median((times.get(side) ?? []).map((time) => time[kind])) / batch);
const [oursMs, ...otherMs] = names.map((side) => perImage(side, 0));
const [oursCpuMs, ...otherCpuMs] = names.map((side) => perImage(side, 1));
const measured = { network: name, batch, threads, rounds, steps };
const ratio = round(oursMs / Math.min(...otherMs));
const torchCpuMs = Math.min(...otherCpuMs);
const row =
  values.against === "tfjs"
    ? { ...measured, other: engines.get("tfjs") ?? "", oursMs, tfjsMs: otherMs[0], ratio }
    : {
        ...{ ...measured, torch, oursMs },
        ...Object.fromEntries(layouts.map((layout, i) => [columns[layout] ?? layout, otherMs[i]])),
        ratio,
        ...{ oursCpuMs, torchCpuMs, cpuRatio: round(oursCpuMs / torchCpuMs) },
      };
const kind = `${values.against === "tfjs" ? "-tfjs" : ""}${threads === 1 ? "-one-thread" : ""}`;
await report("train-step", [row], `train-step-${name}${kind}`);
