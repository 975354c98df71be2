/** `etl doctor`: what this machine computes with, and why not with more. */
import { availableParallelism, cpus } from "node:os";
import { version } from "../../core/version.ts";
import { defaultCacheDir } from "../../data/images/cache.ts";
import { slowDecoder } from "../../data/images/decode.ts";
import { onnxruntime, type EngineName } from "../../engine/engine.ts";
import { openEngine, probeCuda, probeEngines, type CudaProbe, type EngineProbe } from "../../engine/open.ts";

/** What this machine offers. */
export interface DoctorJson {
  readonly etl: string;
  readonly node: string;
  readonly cpu: string;
  readonly cores: number;
  readonly threads: number;
  readonly cacheDir: string;
  /** What decodes pictures. */
  readonly pictures: string;
  readonly engines: readonly EngineProbe[];
  readonly cuda: CudaProbe;
  /** The engine that would be used; null where none loads. */
  readonly uses: EngineName | null;
  /** Channels that the kernels compute at a time. */
  readonly block?: number;
}

/**
 * Opens every engine once and says what a job would compute with.
 *
 * @param threads that a job would be given; default: all cores
 */
export async function examineMachine(threads?: number): Promise<DoctorJson> {
  const engines = await probeEngines();
  const cuda = await probeCuda();
  const used = engines.find(({ available }) => available);
  const block = used?.name === onnxruntime ? await blockOf(used.name) : undefined;
  return {
    etl: version,
    node: process.version,
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    threads: threads ?? availableParallelism(),
    cacheDir: defaultCacheDir(),
    pictures: slowDecoder() ?? "libvips, native",
    engines,
    cuda,
    uses: used?.name ?? null,
    ...(block !== undefined && { block }),
  };
}

async function blockOf(name: EngineName): Promise<number> {
  const engine = await openEngine({ engine: name, threads: 1 });
  await engine.dispose();
  return engine.channelBlock;
}
