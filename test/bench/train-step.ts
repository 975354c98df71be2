/**
 * One training step against PyTorch eager, interleaved in one run.
 *
 *   npx tsx test/bench/train-step.ts [face-resnet|vgg16|mobilenet-v2] [batch 32] [threads 2] [rounds 5] [steps 3]
 *
 * PyTorch runs in both memory layouts and is credited with the faster one. Prints medians in milliseconds per image and
 * the ratio ours / PyTorch as one JSON line.
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { withHead } from "../../lib/backbones/head.ts";
import { loadBackbone } from "../../lib/backbones/catalogue.ts";
import { buildVgg16 } from "../../lib/backbones/vggface.ts";
import { initialise } from "../../lib/backbones/initialise.ts";
import { nowMs } from "../../lib/core/clock.ts";
import { createRandom } from "../../lib/core/random.ts";
import { openEngine } from "../../lib/engine/open.ts";
import type { Network } from "../../lib/network/network.ts";

const [name = "face-resnet", ...numbers] = process.argv.slice(2);
const [batch = 32, threads = 2, rounds = 5, steps = 3] = numbers.map(Number);

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1];

async function networkFor(): Promise<{ network: Network; features: string; side: number }> {
  if (name === "vgg16")
    return { network: initialise(buildVgg16({ classes: 2 }), 1), features: "fc7/relu", side: 224 };
  const { network, features, preprocessing } = await loadBackbone(
    name,
    name === "face-resnet" ? {} : { weights: "random" },
  );
  return { network, features, side: preprocessing.width };
}

/** PyTorch in a process of its own: `run(n)` gives the milliseconds of n steps. */
async function peer(
  layout: "nchw" | "nhwc",
): Promise<{ run: (n: number) => Promise<number[]>; end: () => void }> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => !key.startsWith("OPENBLAS_")));
  const script = fileURLToPath(new URL("./peers/train_step.py", import.meta.url));
  const child = spawn(process.env.PYTHON ?? "python3", [script, name, `${batch}`, `${threads}`, layout], {
    env,
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  await lines.next();
  return {
    run: async (n) => {
      child.stdin.write(`${n}\n`);
      const { value } = (await lines.next()) as { value: string };
      return JSON.parse(value) as number[];
    },
    end: () => child.stdin.end(),
  };
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
const ours: number[] = [];
const run = async (n: number): Promise<number[]> => {
  const times: number[] = [];
  for (let i = 0; i < n; i++) {
    const start = nowMs();
    await trainer.step(inputs, { learningRate: 1e-4 });
    times.push(nowMs() - start);
  }
  return times;
};
const peers = { nchw: await peer("nchw"), nhwc: await peer("nhwc") };
const theirs: Record<"nchw" | "nhwc", number[]> = { nchw: [], nhwc: [] };
for (const layout of ["nchw", "nhwc"] as const) await peers[layout].run(2);
await run(2);
for (let round = 0; round < rounds; round++) {
  ours.push(...(await run(steps)));
  for (const layout of ["nchw", "nhwc"] as const) theirs[layout].push(...(await peers[layout].run(steps)));
}
for (const { end } of Object.values(peers)) end();
await trainer.dispose();
await engine.dispose();

const perImage = (times: readonly number[]): number => Number((median(times) / batch).toFixed(3));
const best = Math.min(perImage(theirs.nchw), perImage(theirs.nhwc));
console.log(
  JSON.stringify({
    network: name,
    batch,
    threads,
    oursMs: perImage(ours),
    torchNchwMs: perImage(theirs.nchw),
    torchNhwcMs: perImage(theirs.nhwc),
    ratio: Number((perImage(ours) / best).toFixed(3)),
  }),
);
