/** The compute thread of the tfjs engine. */
import { serve } from "../worker/serve.ts";
import { openBackend } from "./backend.ts";
import type { Compilation, Hello } from "./messages.ts";
import { createProgram } from "./program.ts";
import { createTrainer } from "./trainer.ts";

serve<Compilation, Hello>({
  engine: "tfjs",
  hello: openBackend,
  createProgram: ({ network, outputs }) => Promise.resolve(createProgram(network, outputs)),
  createTrainer: (network, setup) => Promise.resolve(createTrainer(network, setup)),
});
