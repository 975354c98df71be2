/** A thread that solves the path of one tap after another: moments in, curve out. */
import { parentPort } from "node:worker_threads";
import type { TapMoments } from "../../core/artifacts.ts";
import { characteristicCurve } from "../../lasso/curve.ts";

parentPort?.on("message", (moments: TapMoments) => {
  parentPort?.postMessage(characteristicCurve(moments));
});
