/**
 * How should onnxruntime's threads wait for each other: asleep, spinning within a run, or spinning after it, too (onnxruntime's own
 * setting)? One network and two in turns, on idle cores and beside threads that compute something else.
 *
 *     npx tsx test/bench/spinning.ts [threads 2] [rounds 15] [busy 0,1]
 */
import { setTimeout as pause } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { loadBackbone } from "../../lib/backbones/catalogue.ts";
import { withHead } from "../../lib/backbones/head.ts";
import { nowMs } from "../../lib/core/clock.ts";
import { noiseFor } from "../../lib/evaluate/profile.ts";
import { writeOnnx } from "../../lib/formats/onnx/write.ts";
import { median, report, round } from "./support.ts";

const threads = Number(process.argv[2] ?? 2);
const rounds = Number(process.argv[3] ?? 15);
const busyThreads = (process.argv[4] ?? "0,1").split(",").map(Number);
const backbone = await loadBackbone("face-resnet");
const network = withHead(backbone.network, backbone.features, { outputs: 1 });
const model = writeOnnx(network);
const settings = {
  waiting: { intra_op: { allow_spinning: "0" } },
  within: { intra_op: { allow_spinning: "1" }, force_spinning_stop: "1" },
  always: { intra_op: { allow_spinning: "1" } },
};
type Setting = keyof typeof settings;
const names = Object.keys(settings) as Setting[];
const cases = [
  { batch: 1, sessions: 1, repeats: 20 },
  { batch: 1, sessions: 2, repeats: 20 },
  { batch: 32, sessions: 1, repeats: 1 },
  { batch: 32, sessions: 2, repeats: 1 },
];
/** Milliseconds until the threads of the setting before have stopped. */
const settledMs = 150;

const open = (setting: Setting): Promise<InferenceSession> =>
  InferenceSession.create(model, {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: "all",
    extra: { session: { set_denormal_as_zero: "1", ...settings[setting] } },
  });

/** A thread that computes until it is told to end. */
const computing = (): Worker => new Worker("for (let x = 0; ; ) x = Math.sin(x + 1);", { eval: true });

const rows: Record<string, string | number>[] = [];
for (const busy of busyThreads) {
  const others = Array.from({ length: busy }, computing);
  for (const { batch, sessions, repeats } of cases) {
    const [input] = Object.entries(noiseFor(network, batch));
    const feeds = { [input[0]]: new Tensor("float32", input[1].data, input[1].shape) };
    const opened = new Map<Setting, InferenceSession[]>();
    for (const name of names)
      opened.set(name, await Promise.all(Array.from({ length: sessions }, () => open(name))));
    const times: Record<Setting, number[]> = { waiting: [], within: [], always: [] };
    const turn = async (name: Setting): Promise<number> => {
      const start = nowMs();
      for (let k = 0; k < repeats; k++)
        for (const session of opened.get(name) ?? []) await session.run(feeds);
      return (nowMs() - start) / (batch * sessions * repeats);
    };
    for (let i = 0; i < rounds; i++)
      for (const name of i % 2 === 0 ? names : names.toReversed()) {
        await pause(settledMs);
        await turn(name);
        times[name].push(await turn(name));
      }
    for (const session of [...opened.values()].flat()) await session.release();
    const [waiting, within, always] = names.map((name) => median(times[name]));
    rows.push({
      ...{ busy, sessions, batch, threads, rounds },
      ...{ waitingMs: round(waiting), withinMs: round(within), alwaysMs: round(always) },
      ...{ "within/waiting": round(within / waiting), "within/always": round(within / always) },
    });
  }
  await Promise.all(others.map((other) => other.terminate()));
}
await report("spinning", rows);
