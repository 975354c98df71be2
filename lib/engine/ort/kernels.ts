/** What each kernel of a run takes, as onnxruntime's own profiler sees it. Runs inside the worker. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { median } from "../../math/statistics.ts";
import type { KernelTime, Tensors } from "../engine.ts";
import type { Compilation } from "./messages.ts";
import { createSession, runSession, toOrt } from "./session.ts";

/** One line of the profiler's file. */
interface Event {
  readonly cat: string;
  readonly name: string;
  /** Microseconds. */
  readonly dur: number;
  readonly args?: { readonly op_name?: string; readonly node_index?: string };
}

/** Runs that are not counted. */
const WARMUP = 3;

/** Medians over `runs` runs, in the order of a run. */
export async function timeKernels(
  { model, outputs, settings }: Compilation,
  inputs: Tensors,
  runs: number,
): Promise<KernelTime[]> {
  // The profiler only writes to a file.
  const folder = await mkdtemp(join(tmpdir(), "etl-kernels-"));
  try {
    const session = await createSession(model, {
      ...settings,
      optimization: "all",
      fixedShapes: true,
      profile: join(folder, "times"),
    });
    const feeds = toOrt(inputs);
    for (let i = 0; i < WARMUP + runs; i++) await runSession(session, feeds, outputs);
    session.endProfiling();
    await session.release();
    const [file] = await readdir(folder);
    return kernelsOf(JSON.parse(await readFile(join(folder, file), "utf8")) as Event[]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Every kernel has one event a run; kernels are told apart by the number of their node, as names are not unique. */
function kernelsOf(events: readonly Event[]): KernelTime[] {
  const found = new Map<string, { readonly event: Event; readonly times: number[] }>();
  for (const event of events) {
    if (event.cat !== "Node" || !event.name.endsWith(SUFFIX)) continue;
    const key = `${event.args?.node_index ?? ""} ${event.name}`;
    const own = found.get(key) ?? { event, times: [] };
    found.set(key, own);
    own.times.push(event.dur / 1000);
  }
  return Array.from(found.values(), ({ event, times }) => {
    const op = event.args?.op_name ?? "";
    const whole = event.name.slice(0, -SUFFIX.length);
    const isBlocked = whole.endsWith(BLOCKED);
    const form = isBlocked ? "blocked" : onBytes.test(op) ? "bytes" : "plain";
    const name = whole.replace(ADDED, "").replace(BLOCKED, "");
    return { name, op, form, ms: median(times.slice(WARMUP)) ?? 0 };
  });
}

const SUFFIX = "_kernel_time";
const BLOCKED = "_nchwc";
/** Rewritten nodes have a number behind the name. */
const ADDED = /_token_\d+$/;
const onBytes = /^(QLinear|QGemm|QAttention|ConvInteger|MatMulInteger|NhwcMaxPool)/;
