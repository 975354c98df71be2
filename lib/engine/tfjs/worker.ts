/** The compute thread of the tfjs engine. */
import { serve } from "../worker/serve.ts";
import { openBackend } from "./backend.ts";
import type { TfjsCompilation, Hello } from "./messages.ts";
import { createTfjsProgram } from "./program.ts";
import { createTfjsTrainer } from "./trainer.ts";

serve<TfjsCompilation, Hello>({
  engine: "tfjs",
  hello: openBackend,
  createProgram: ({ network, outputs }) => Promise.resolve(createTfjsProgram(network, outputs)),
  createTrainer: (network, setup) => Promise.resolve(createTfjsTrainer(network, setup)),
});
