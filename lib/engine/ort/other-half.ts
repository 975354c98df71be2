/** The thread that computes the second half of a batch, as the first one sees it. */
import { scriptBeside } from "../../core/worker.ts";
import { sizeOf } from "../../network/network.ts";
import type { Shape } from "../../network/shapes/context.ts";
import type { Tensors } from "../engine.ts";
import { startClient } from "../worker/client.ts";
import { buffersOf } from "../worker/messages.ts";
import type { HalfMethods, HalfRun } from "./half-worker.ts";
import type { SessionSettings } from "./session.ts";

/** Name -> shape. */
export type Shapes = readonly (readonly [name: string, shape: Shape])[];

/** A session in the other thread. */
export interface OtherSession {
  /**
   * Runs once, beside whatever this thread does until it awaits the result. One run at a time.
   *
   * @param feeds are copied before this returns
   * @returns outputs in arrays that the next run fills again
   */
  run(feeds: Tensors): Promise<Tensors>;
}

export interface OtherHalf {
  /** Builds a session from ONNX bytes, which stay the caller's. */
  compile(model: Uint8Array, settings: SessionSettings, outputs: Shapes): Promise<OtherSession>;
  close(): Promise<void>;
}

/** Starts the thread. */
export function startOtherHalf(): OtherHalf {
  const client = startClient<HalfMethods>("ort", scriptBeside(import.meta.url, "half-worker"));
  return {
    compile: async (model, settings, outputs) => {
      const { id } = await client.call("compile", { model, settings });
      // they travel with every run, and come back
      let arrays: HalfRun | undefined;
      return {
        run: async (feeds) => {
          const moved = arrays ?? {
            feeds: blanks(Object.entries(feeds).map(([name, { shape }]) => [name, shape])),
            into: blanks(outputs),
          };
          arrays = undefined;
          for (const [name, { data }] of Object.entries(feeds)) moved.feeds[name].data.set(data);
          const buffers = buffersOf({ ...moved.feeds, ...moved.into });
          arrays = await client.call("run", { id, ...moved }, buffers);
          return arrays.into;
        },
      };
    },
    close: () => client.close(),
  };
}

function blanks(shapes: Shapes): Tensors {
  return Object.fromEntries(
    shapes.map(([name, shape]) => [name, { shape: [...shape], data: new Float32Array(sizeOf(shape)) }]),
  );
}
