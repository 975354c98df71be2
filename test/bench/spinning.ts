/**
 * Does it pay that onnxruntime's threads spin while they wait? Two sessions in turns (as teacher and student do), one
 * session alone, and one picture at a time; both settings in turns within one run.
 *
 *     npx tsx test/bench/spinning.ts [threads 2] [rounds 15]
 */
import { InferenceSession, Tensor } from "onnxruntime-node";
import { loadBackbone } from "../../lib/backbones/catalogue.ts";
import { withHead } from "../../lib/backbones/head.ts";
import { nowMs } from "../../lib/core/clock.ts";
import { noiseFor } from "../../lib/evaluate/profile.ts";
import { writeOnnx } from "../../lib/formats/onnx/write.ts";
import { median, report, round } from "./support.ts";

const [threads = 2, rounds = 15] = process.argv.slice(2).map(Number);
const backbone = await loadBackbone("face-resnet");
const network = withHead(backbone.network, backbone.features, { outputs: 1 });
const model = writeOnnx(network);
const settings = ["0", "1"] as const;
const cases = [
  { name: "two sessions in turns, batch 32", batch: 32, sessions: 2, repeats: 1 },
  { name: "one session, batch 32", batch: 32, sessions: 1, repeats: 1 },
  { name: "one session, batch 1", batch: 1, sessions: 1, repeats: 10 },
];

const open = (spin: string): Promise<InferenceSession> =>
  InferenceSession.create(model, {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: "all",
    extra: { session: { set_denormal_as_zero: "1", intra_op: { allow_spinning: spin } } },
  });

const rows: Record<string, string | number>[] = [];
for (const { name, batch, sessions, repeats } of cases) {
  const [input] = Object.entries(noiseFor(network, batch));
  const feeds = { [input[0]]: new Tensor("float32", input[1].data, input[1].shape) };
  const opened = new Map<string, InferenceSession[]>();
  for (const spin of settings)
    opened.set(spin, await Promise.all(Array.from({ length: sessions }, () => open(spin))));
  const times: Record<string, number[]> = { "0": [], "1": [] };
  for (let i = 0; i <= rounds; i++) {
    for (const spin of i % 2 === 0 ? settings : settings.toReversed()) {
      const start = nowMs();
      for (let k = 0; k < repeats; k++)
        for (const session of opened.get(spin) ?? []) await session.run(feeds);
      if (i > 0) times[spin].push((nowMs() - start) / (batch * sessions * repeats));
    }
  }
  for (const session of [...opened.values()].flat()) await session.release();
  const [off, on] = settings.map((spin) => median(times[spin]));
  rows.push({
    ...{ case: name, threads, rounds, waitingMs: round(off), spinningMs: round(on) },
    ratio: round(off / on),
  });
}
await report("spinning", rows);
