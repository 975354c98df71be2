/** One engine for one piece of work: opened, used, disposed. */
import type { OptionNames } from "../core/options.ts";
import { type Progress } from "../core/progress.ts";
import type { Device, Engine, EngineName } from "./engine.ts";

export interface ServiceOptions {
  readonly engine?: "auto" | EngineName | undefined;
  readonly device?: Device | undefined;
  /** Compute threads; default: all cores, and one to time networks. */
  readonly threads?: number | undefined;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
}

export const serviceNames: OptionNames<ServiceOptions> = {
  ...{ engine: true, device: true, threads: true, progress: true, signal: true },
};

/** Opens an engine for `work` and disposes it after. */
export async function withEngine<T>(
  options: ServiceOptions,
  work: (engine: Engine) => Promise<T>,
): Promise<T> {
  // The names above are read to make the help, which opens no engine.
  const { openEngine } = await import("./open.ts");
  const engine = await openEngine({
    engine: options.engine,
    device: options.device,
    threads: options.threads,
  });
  try {
    return await work(engine);
  } finally {
    await engine.dispose();
  }
}
