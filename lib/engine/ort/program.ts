/** Inference inside the worker. */
import { nowMs } from "../../core/clock.ts";
import type { Tensor } from "../../network/network.ts";
import type { Tensors } from "../engine.ts";
import type { RunningProgram } from "../worker/serve.ts";
import type { Compilation } from "./messages.ts";
import { createSession, fromOrt, runSession, toOrt } from "./session.ts";

/** Compiles ONNX bytes; `outputs` are the values that a run gives. */
export async function createProgram(
  model: Uint8Array,
  outputs: readonly string[],
  { plain = false, ...settings }: Compilation["settings"],
): Promise<RunningProgram> {
  const optimization = plain ? "disabled" : "all";
  const session = await createSession(model, { ...settings, optimization, fixedShapes: true });
  const run = async (inputs: Tensors): Promise<Record<string, Tensor>> => {
    const results = await runSession(session, toOrt(inputs), outputs);
    return Object.fromEntries(outputs.map((name) => [name, fromOrt(name, results[name])]));
  };
  return {
    run,
    time: async (inputs, warmup, runs) => {
      const feeds = toOrt(inputs);
      for (let i = 0; i < warmup; i++) await runSession(session, feeds, outputs);
      const times: number[] = [];
      for (let i = 0; i < runs; i++) {
        const start = nowMs();
        await runSession(session, feeds, outputs);
        times.push(nowMs() - start);
      }
      return times;
    },
    dispose: () => session.release(),
  };
}
