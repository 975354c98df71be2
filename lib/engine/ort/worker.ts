/** The compute thread of the ort engine. */
import { serve } from "../worker/serve.ts";
import type { Compilation } from "./messages.ts";
import { blockSize } from "./block-size.ts";
import { timeKernels } from "./kernels.ts";
import { createProgram } from "./program.ts";
import { chooseDevice } from "./session.ts";
import { createTrainer } from "./trainer.ts";

serve<Compilation, number>({
  engine: "ort",
  hello: async (device) => {
    chooseDevice(device ?? "cpu");
    return Math.max(1, await blockSize());
  },
  createProgram: ({ model, outputs, settings }) => createProgram(model, outputs, settings),
  createTrainer,
  kernels: timeKernels,
});
