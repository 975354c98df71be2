/**
 * One training step against PyTorch eager, interleaved in one run.
 *
 *   npx tsx test/bench/train-step.ts [face-resnet|vgg16|mobilenet-v2] [batch 32] [threads 2] [rounds 5] [steps 3]
 *
 * PyTorch runs in both memory layouts and is credited with the faster one. Prints medians in milliseconds per image and
 * the ratio ours / PyTorch as one JSON line, and keeps them in results/train-step-NETWORK.json; `cpuRatio` is that of the
 * processor time, which other work on the machine disturbs less.
 */
import { withHead } from "../../lib/backbones/head.ts";
import { loadBackbone } from "../../lib/backbones/catalogue.ts";
import { buildVgg16 } from "../../lib/backbones/vggface.ts";
import { initialise } from "../../lib/backbones/initialise.ts";
import { nowMs } from "../../lib/core/clock.ts";
import { createRandom } from "../../lib/core/random.ts";
import { openEngine } from "../../lib/engine/open.ts";
import type { Network } from "../../lib/network/network.ts";
import { median, report, round, startPeer } from "./support.ts";

const [name = "face-resnet", ...numbers] = process.argv.slice(2);
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

const engine = await openEngine({ engine: "ort", threads });
const trainer = await engine.compileTraining(trained, {
  losses: [{ kind: "softmax-cross-entropy", output, target: "target", weight: 1 }],
  optimizer: { kind: "adamw" },
  seed: 1,
});
/** Milliseconds of a step, and of processor time in it. */
type Times = readonly [wall: number, cpu: number];
const ours: Times[] = [];
const run = async (n: number): Promise<Times[]> => {
  const times: Times[] = [];
  for (let i = 0; i < n; i++) {
    const [start, before] = [nowMs(), process.cpuUsage()];
    await trainer.step(inputs, { learningRate: 1e-4 });
    const { user, system } = process.cpuUsage(before);
    times.push([nowMs() - start, (user + system) / 1e3]);
  }
  return times;
};
const open = (layout: string) => startPeer("train_step.py", [name, `${batch}`, `${threads}`, layout]);
const peers = { nchw: await open("nchw"), nhwc: await open("nhwc") };
const { torch } = peers.nchw.hello as { torch: string };
const theirs: Record<"nchw" | "nhwc", Times[]> = { nchw: [], nhwc: [] };
for (const layout of ["nchw", "nhwc"] as const) await peers[layout].ask("2");
await run(2);
for (let round = 0; round < rounds; round++) {
  ours.push(...(await run(steps)));
  for (const layout of ["nchw", "nhwc"] as const)
    theirs[layout].push(...((await peers[layout].ask(`${steps}`)) as Times[]));
}
for (const peer of Object.values(peers)) peer.end();
await trainer.dispose();
await engine.dispose();

const perImage = (times: readonly Times[], kind: 0 | 1): number =>
  round(median(times.map((time) => time[kind])) / batch);
const [nchw, nhwc] = [perImage(theirs.nchw, 0), perImage(theirs.nhwc, 0)];
const torchCpuMs = Math.min(perImage(theirs.nchw, 1), perImage(theirs.nhwc, 1));
await report(
  "train-step",
  [
    {
      ...{ network: name, batch, threads, rounds, steps, torch },
      ...{ oursMs: perImage(ours, 0), torchNchwMs: nchw, torchNhwcMs: nhwc },
      ratio: round(perImage(ours, 0) / Math.min(nchw, nhwc)),
      ...{ oursCpuMs: perImage(ours, 1), torchCpuMs, cpuRatio: round(perImage(ours, 1) / torchCpuMs) },
    },
  ],
  `train-step-${name}`,
);
