/** Which engines there are. Nothing native loads before it is asked for. */
import { refuseUnknown } from "../core/options.ts";
import { EtlError, isEtlError, messageOf } from "../core/errors.ts";
import type { Engine, EngineName, EngineOptions } from "./engine.ts";

interface Entry {
  readonly name: EngineName;
  readonly description: string;
  readonly open: (options: EngineOptions) => Promise<Engine>;
}

/** In order of preference. A GPU that can be used comes before them. */
const registry: readonly Entry[] = [
  {
    name: "ort",
    description: "onnxruntime-node, native CPU kernels",
    open: async (options) => (await import("./ort/open.ts")).openOrt(options),
  },
  {
    name: "tfjs",
    description: "TensorFlow.js: its GPU or CPU build where installed, else WebAssembly",
    open: async (options) => (await import("./tfjs/open.ts")).openTfjs(options),
  },
];

/** The tfjs engine, where its GPU build is installed and finds a GPU. */
async function openGpu(options: EngineOptions): Promise<Engine | undefined> {
  try {
    const { isGpuBuildInstalled, openTfjs } = await import("./tfjs/open.ts");
    if (!isGpuBuildInstalled()) return undefined;
    const engine = await openTfjs(options);
    if (engine.isGpu) return engine;
    await engine.dispose();
  } catch (error) {
    if (isEtlError(error, "usage")) throw error;
  }
  return undefined;
}

export interface OpenEngineOptions extends EngineOptions {
  /**
   * `auto` (default) takes a GPU that can be used (tfjs), else the first engine that loads; with a device, the first
   * engine that computes on it.
   */
  readonly engine?: EngineName | "auto" | undefined;
}

/**
 * Opens an engine.
 *
 * @throws EtlError kind `engine` where the engine asked for does not load, or none does
 */
export async function openEngine({ engine = "auto", ...options }: OpenEngineOptions = {}): Promise<Engine> {
  refuseUnknown("openEngine", options, { threads: true, device: true });
  const gpu = engine === "auto" && options.device === undefined ? await openGpu(options) : undefined;
  if (gpu !== undefined) return gpu;
  const reasons: string[] = [];
  for (const entry of registry) {
    if (engine !== "auto" && engine !== entry.name) continue;
    try {
      return await entry.open(options);
    } catch (error) {
      if (engine !== "auto" || isEtlError(error, "usage")) throw error;
      reasons.push(`${entry.name} (${messageOf(error)})`);
    }
  }
  const where = options.device === undefined ? "engine" : `--device ${options.device}`;
  throw new EtlError("engine", `${where}: none loads: ${reasons.join("; ")}, one that loads was needed`, {
    hint:
      options.device === "cuda"
        ? "--engine ort --device cuda says what onnxruntime lacks; `etl doctor` says more"
        : "reinstall onnxruntime-node for this platform; `etl doctor` says more",
  });
}

/** What `etl doctor` says about one engine. */
export interface EngineProbe {
  readonly name: EngineName;
  readonly available: boolean;
  readonly description: string;
  /** Why it does not load. */
  readonly reason?: string;
}

/** What `etl doctor` says about a GPU under `ort`. */
export interface CudaProbe {
  readonly available: boolean;
  /** Why `--engine ort --device cuda` would be refused. */
  readonly reason?: string;
}

/** Whether `ort` computes on a GPU here. */
export async function probeCuda(): Promise<CudaProbe> {
  try {
    const engine = await openEngine({ engine: "ort", device: "cuda", threads: 1 });
    await engine.dispose();
    return { available: true };
  } catch (error) {
    return { available: false, reason: messageOf(error) };
  }
}

/** Opens every engine once, to see which load; in the order in which `auto` would take them. */
export async function probeEngines(): Promise<EngineProbe[]> {
  const probes: EngineProbe[] = [];
  for (const { name, description, open } of registry) {
    try {
      const engine = await open({ threads: 1 });
      const probe: EngineProbe = { name, available: true, description: engine.description };
      if ("isGpu" in engine && engine.isGpu === true) probes.unshift(probe);
      else probes.push(probe);
      await engine.dispose();
    } catch (error) {
      probes.push({ name, available: false, description, reason: messageOf(error) });
    }
  }
  return probes;
}
