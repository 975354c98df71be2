/** The compute thread of the ort engine. */
import { serve } from "../worker/serve.ts";
import type { Compilation } from "./messages.ts";
import { createProgram } from "./program.ts";
import { chooseDevice } from "./session.ts";
import { createTrainer } from "./trainer.ts";

serve<Compilation, null>({
  engine: "ort",
  hello: (device) => {
    chooseDevice(device ?? "cpu");
    return Promise.resolve(null);
  },
  createProgram: ({ model, outputs, settings }) => createProgram(model, outputs, settings),
  createTrainer,
});
