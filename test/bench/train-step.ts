/**
 * One training step against PyTorch eager, interleaved in one run.
 *
 *   npx tsx test/bench/train-step.ts [face-resnet|vgg16|mobilenet-v2] [batch 32] [threads 2] [rounds 5] [steps 3] [--apart]
 *
 * PyTorch runs in both memory layouts and is credited with the faster one. Prints medians in milliseconds per image and
 * the ratio ours / PyTorch as one JSON line, and keeps them in results/train-step-NETWORK.json; `cpuRatio` is that of the
 * processor time, which other work on the machine disturbs less. `--apart`: each side is started anew in every round and has
 * the memory to itself, for networks of which two do not fit.
 */
import { parseArgs } from "node:util";
import { withHead } from "../../lib/backbones/head.ts";
import { loadBackbone } from "../../lib/backbones/catalogue.ts";
import { buildVgg16 } from "../../lib/backbones/vggface.ts";
import { initialise } from "../../lib/backbones/initialise.ts";
import { nowMs } from "../../lib/core/clock.ts";
import { createRandom } from "../../lib/core/random.ts";
import { openEngine } from "../../lib/engine/open.ts";
import type { Network } from "../../lib/network/network.ts";
import { median, report, round, startPeer } from "./support.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { apart: { type: "boolean", default: false } },
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

async function openOurs(): Promise<Side> {
  const engine = await openEngine({ engine: "ort", threads });
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

let torch = "";
async function openTorch(layout: string): Promise<Side> {
  const peer = await startPeer("train_step.py", [name, `${batch}`, `${threads}`, layout]);
  ({ torch } = peer.hello as { torch: string });
  return { run: async (n) => (await peer.ask(`${n}`)) as Times[], end: () => peer.end() };
}

const sides = { ours: openOurs, nchw: () => openTorch("nchw"), nhwc: () => openTorch("nhwc") };
type Name = keyof typeof sides;
const names = Object.keys(sides) as Name[];
const times: Record<Name, Times[]> = { ours: [], nchw: [], nhwc: [] };
const warm = async (side: Name): Promise<Side> => {
  const opened = await sides[side]();
  await opened.run(2);
  return opened;
};
if (values.apart) {
  for (let round = 0; round < rounds; round++) {
    for (const side of names) {
      const opened = await warm(side);
      times[side].push(...(await opened.run(steps)));
      await opened.end();
    }
  }
} else {
  const opened = { ours: await warm("ours"), nchw: await warm("nchw"), nhwc: await warm("nhwc") };
  for (let round = 0; round < rounds; round++) {
    for (const side of names) times[side].push(...(await opened[side].run(steps)));
  }
  for (const side of names) await opened[side].end();
}

const perImage = (side: Name, kind: 0 | 1): number =>
  round(median(times[side].map((time) => time[kind])) / batch);
const [oursMs, nchw, nhwc] = names.map((side) => perImage(side, 0));
const [oursCpuMs, ...cpu] = names.map((side) => perImage(side, 1));
const torchCpuMs = Math.min(...cpu);
await report(
  "train-step",
  [
    {
      ...{ network: name, batch, threads, rounds, steps, torch },
      ...{ oursMs, torchNchwMs: nchw, torchNhwcMs: nhwc },
      ratio: round(oursMs / Math.min(nchw, nhwc)),
      ...{ oursCpuMs, torchCpuMs, cpuRatio: round(oursCpuMs / torchCpuMs) },
    },
  ],
  `train-step-${name}`,
);
