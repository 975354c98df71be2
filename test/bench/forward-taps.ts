/**
 * Forward with pooled taps (what a harvest computes) against PyTorch eager with hooks, interleaved in one run. Random
 * weights, a head of one output on both sides.
 *
 *     npx tsx test/bench/forward-taps.ts [NETWORKS face-resnet,vgg16,resnet50] [batch 32] [threads 2] [rounds 7]
 *
 * PyTorch runs in both memory layouts and is credited with the faster one. Ours is timed on the calling thread, with
 * the copies to and from the worker. Medians in milliseconds per image; needs torch and torchvision.
 */
import { loadBackbone } from "../../lib/backbones/catalogue.ts";
import { withHead } from "../../lib/backbones/head.ts";
import { nowMs } from "../../lib/core/clock.ts";
import { openEngine } from "../../lib/engine/open.ts";
import { noiseFor } from "../../lib/evaluate/profile.ts";
import { findTaps, withPooledTaps } from "../../lib/network/taps.ts";
import { median, report, round, startPeer } from "./support.ts";

const [names = "face-resnet,vgg16,resnet50", ...numbers] = process.argv.slice(2);
const [batch = 32, threads = 2, rounds = 7] = numbers.map(Number);
const layouts = ["nchw", "nhwc"] as const;

async function compare(name: string): Promise<Record<string, string | number>> {
  const backbone = await loadBackbone(name === "vgg16" ? "vggface" : name, { weights: "random" });
  const network = withHead(backbone.network, backbone.features, { outputs: 1 });
  const taps = findTaps(network);
  const engine = await openEngine({ engine: "ort", threads });
  const bare = await engine.compile(network);
  const tapped = await engine.compile(withPooledTaps(network, taps).network);
  const inputs = noiseFor(network, batch);
  const peers = await Promise.all(
    layouts.map((layout) => startPeer("forward_taps.py", [name, `${batch}`, `${threads}`, layout])),
  );
  const hello = peers[0].hello as { torch: string; taps: number };
  if (hello.taps !== taps.length)
    throw new Error(`${name}: ${taps.length} taps here, ${hello.taps} hooks there`);
  const once = async (program: typeof bare): Promise<number> => {
    const start = nowMs();
    await program.run(inputs);
    return nowMs() - start;
  };
  const ours: { bare: number[]; taps: number[] } = { bare: [], taps: [] };
  const theirs: number[][] = layouts.map(() => []);
  for (let i = 0; i <= rounds; i++) {
    const times = { bare: await once(bare), taps: await once(tapped) };
    const answers: number[] = [];
    for (const peer of peers) answers.push(...((await peer.ask("1")) as number[]));
    if (i === 0) continue;
    ours.bare.push(times.bare);
    ours.taps.push(times.taps);
    answers.forEach((ms, k) => theirs[k].push(ms));
  }
  await Promise.all(peers.map((peer) => peer.end()));
  await engine.dispose();
  const perImage = (times: readonly number[]): number => round(median(times) / batch);
  const [nchw, nhwc] = theirs.map(perImage);
  return {
    ...{ network: name, batch, threads, rounds, taps: taps.length, torch: hello.torch },
    ...{
      forwardMs: perImage(ours.bare),
      forwardTapsMs: perImage(ours.taps),
      torchNchwMs: nchw,
      torchNhwcMs: nhwc,
    },
    tapsOverForward: round(perImage(ours.taps) / perImage(ours.bare)),
    ratio: round(perImage(ours.taps) / Math.min(nchw, nhwc)),
  };
}

const rows: Record<string, string | number>[] = [];
for (const name of names.split(",")) rows.push(await compare(name));
await report("forward-taps", rows);
