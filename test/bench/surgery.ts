/**
 * Cuts every ONNX file of a folder at random and compares with the masked original:
 *
 *     npx tsx test/bench/surgery.ts FOLDER [NAME]
 *
 * One line per file: largest difference of three random plans at half of the channels, relative to the output's scale;
 * of compensated against no scaling; MACs and parameters that are left; time per image (median, interleaved) that is
 * left; layers that stay whole, with the reasons.
 */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import * as ort from "onnxruntime-node";
import type { Knee } from "../../lib/core/artifacts.ts";
import { createRandom } from "../../lib/core/random.ts";
import { readOnnx } from "../../lib/formats/onnx/read.ts";
import { writeOnnx } from "../../lib/formats/onnx/write.ts";
import { analyseCoupling } from "../../lib/network/coupling/analyse.ts";
import type { Network } from "../../lib/network/network.ts";
import { simplify } from "../../lib/network/simplify.ts";
import { findTaps } from "../../lib/network/taps.ts";
import { applySurgery } from "../../lib/surgery/apply.ts";
import { selectByCriterion } from "../../lib/surgery/criteria.ts";
import { planSurgery } from "../../lib/surgery/plan.ts";
import { scaleFilters } from "../../lib/surgery/scaling.ts";
import { maskNetwork } from "../support/mask.ts";
import { randomInputs, relativeDifference, run } from "../support/run.ts";

const [folder = ".", only = ""] = process.argv.slice(2);

for (const file of readdirSync(folder).filter((name) => name.endsWith(".onnx") && name.includes(only))) {
  const network = loud(simplify(readOnnx(readFileSync(join(folder, file)), { name: file })));
  const coupling = analyseCoupling(network);
  const inputs = randomInputs(network, { batch: 2, seed: 1 });
  const masked: number[] = [];
  const compensated: number[] = [];
  let left = "";
  for (const seed of [0, 1, 2]) {
    const selection = selectByCriterion(network, coupling, { criterion: "random", keep: 0.5, seed });
    const plan = planSurgery(network, selection, { coupling });
    const cut = applySurgery(network, plan);
    const result = await run(cut, inputs);
    masked.push(relativeDifference(result, await run(maskNetwork(network, plan), inputs)));
    const scaled = scaleFilters(network, knees(network, seed), { scaling: "compensated", coupling });
    compensated.push(relativeDifference(await run(applySurgery(scaled.network, plan), inputs), result));
    if (seed > 0) continue;
    const whole = plan.layers.filter(({ keptOutputs, totalOutputs }) => keptOutputs.length === totalOutputs);
    const reasons = new Map<string, number>();
    for (const { reason = "NO REASON" } of whole) {
      const kind = reason.replace(/(\S+) \S*\/\S*/, "$1");
      reasons.set(kind, (reasons.get(kind) ?? 0) + 1);
    }
    left =
      `macs ${(plan.after.macs / plan.before.macs).toFixed(3)} params ${(plan.after.params / plan.before.params).toFixed(3)} ` +
      `time ${(await timeRatio(cut, network)).toFixed(2)}, refused scalings ${scaled.refused.length}; ` +
      `whole ${whole.length}/${plan.layers.length}: ${JSON.stringify(Object.fromEntries(reasons))}`;
  }
  const worst = (values: readonly number[]): string => Math.max(...values).toExponential(1);
  console.log(`${file}: masked ${worst(masked)} compensated ${worst(compensated)} ${left}`);
}

/** Layer scales of 1e-6 would hide every error behind them: they are set to 1. */
function loud(network: Network): Network {
  const parameters = new Map(network.parameters);
  for (const [name, parameter] of parameters) {
    if (!(parameter.data instanceof Float32Array) || parameter.data.length < 16) continue;
    if (parameter.data.every((value) => Math.abs(value - 1e-6) < 1e-7)) {
      parameters.set(name, { ...parameter, data: new Float32Array(parameter.data.length).fill(1) });
    }
  }
  return { ...network, parameters };
}

/** Random coefficients at every tap. */
function knees(network: Network, seed: number): Knee[] {
  const random = createRandom(seed);
  return findTaps(network).map(({ tap, channels }) => ({
    tap,
    index: 0,
    keep: Uint32Array.from({ length: channels }, (_, i) => i),
    beta: Float64Array.from({ length: channels }, () => random.normal()),
    q: 1,
  }));
}

/** Median time of `cut` over that of `whole`, batch 1, runs interleaved. */
async function timeRatio(cut: Network, whole: Network): Promise<number> {
  const inputs = randomInputs(whole, { batch: 1, seed: 2 });
  const feeds = Object.fromEntries(
    Object.entries(inputs).map(([name, { data, shape }]) => [name, new ort.Tensor("float32", data, shape)]),
  );
  const sessions = await Promise.all(
    [cut, whole].map((network) => ort.InferenceSession.create(writeOnnx(network), { logSeverityLevel: 3 })),
  );
  const times: number[][] = [[], []];
  for (let i = 0; i < 14; i++) {
    for (const [which, session] of sessions.entries()) {
      const start = performance.now();
      await session.run(feeds);
      if (i >= 4) times[which].push(performance.now() - start);
    }
  }
  for (const session of sessions) await session.release();
  const [a, b] = times.map((list) => list.sort((x, y) => x - y)[list.length >> 1]);
  return a / b;
}
