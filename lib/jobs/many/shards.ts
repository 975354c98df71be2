/** A harvest on several machines: every shard by itself, then the sums of all as if it had been one pass. */
import { plural } from "../../core/printable.ts";
import { existsSync, statSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { TapMoments } from "../../core/artifacts.ts";
import { EtlError } from "../../core/errors.ts";
import { readBytes, readJson, writeJson, writeWhole } from "../../core/files.ts";
import { decodeMoments, encodeMoments } from "../../math/moments-file.ts";
import { fingerprint } from "../../core/fingerprint.ts";
import { silent, type Progress } from "../../core/progress.ts";
import { damageOf, isSeal, sealOf, type Seal } from "../../core/seal.ts";
import { SCHEMA } from "../../record/record.ts";
import { openContext } from "../prune/context.ts";
import {
  addTaps,
  brokenTraining,
  harvestAll,
  harvestInputs,
  keyOfHarvest,
  momentsFile,
  partFiles,
  type HarvestInputs,
} from "../prune/harvest.ts";
import { resolveOptions, type Config } from "../prune/config.ts";
import { type PruneOptions } from "../prune/options.ts";
import { closeWorld } from "../run/world.ts";
import { inRunFolder } from "../run/folder.ts";
import { shardName, type Shard } from "../run/shard.ts";
import { version } from "../../core/version.ts";

/** `moments/shard-i-of-n.json`: what the moments beside it are. */
export interface ShardRecord {
  readonly schema: number;
  readonly etlVersion: string;
  readonly shard: number;
  readonly of: number;
  /** Pictures harvested. */
  readonly rows: number;
  /** Training pictures of this shard that could not be decoded. */
  readonly broken: readonly string[];
  readonly inputs: HarvestInputs;
  /** The options of the run, without `out`: a merged run continues with them. */
  readonly config: Omit<Config, "out">;
  /** What the moments beside it were when they were written. */
  readonly seal: Seal;
}

/** Harvests one shard of the training part into `options.out`; returns its record. Done before: kept. */
export async function harvestShard(
  options: PruneOptions,
  shard: Shard,
): Promise<ShardRecord & { readonly file: string }> {
  const config = resolveOptions(options);
  const name = shardName(shard);
  const files = [`moments/${name}.bin`, `moments/${name}.json`] as const;
  const { signal, progress, replace } = options;
  const how = {
    config,
    signal,
    progress,
    replace,

    hint: "go on with the same command",
  };
  return inRunFolder(config.out, how, async (folder) => {
    const context = await openContext(config, folder, { ...options, shard });
    try {
      const inputs = harvestInputs(context);
      const broken = brokenTraining(context);
      const ran = await folder.stage(name, {
        costly: true,
        inputs: { ...inputs, broken, shard },
        files,
        scratch: partFiles(context, name),
        produce: async () => {
          const moments = await harvestAll(context, name);
          await writeWhole(folder.file(files[0]), encodeMoments(moments));
          const record: ShardRecord = {
            ...{ schema: SCHEMA, etlVersion: version, shard: shard.index, of: shard.of },
            ...{ rows: context.rows.train.length, broken, inputs, config: withoutOut(config) },
            seal: await sealOf(folder.file(files[0])),
          };
          await writeJson(folder.file(files[1]), { ...record, check: fingerprint(record) });
        },
      });
      if (!ran) context.progress.note(`${name}: done before, kept`);
    } finally {
      await closeWorld(context);
    }
    return { ...(await readShard(folder.file(files[1]))), file: folder.file(files[0]) };
  });
}

/** What a merge gave. */
export interface Merged {
  readonly folder: string;
  readonly shards: number;
  /** Pictures of all shards. */
  readonly n: number;
  readonly taps: number;
}

/**
 * Adds up all shards of a harvest into the run folder `out`; the pipeline finds its harvest done there.
 *
 * @param sources run folders with shards, or the shards' .bin or .json files
 * @throws EtlError `usage` where a shard is missing or there twice, or shards do not belong together
 */
export async function mergeShards(
  sources: readonly string[],
  out: string,
  options: { readonly progress?: Progress; readonly replace?: boolean | undefined } = {},
): Promise<Merged> {
  const { progress = silent, replace } = options;
  const paths = (await Promise.all(sources.map(recordsIn))).flat();
  const shards = await Promise.all(paths.map(async (path) => ({ path, record: await readShard(path) })));
  checkTogether(shards);
  const ordered = shards.toSorted((a, b) => a.record.shard - b.record.shard);
  const [{ record: first }] = ordered;
  const n = ordered.reduce((sum, { record }) => sum + record.rows, 0);
  return inRunFolder(out, { config: { ...first.config, out }, progress, replace }, async (folder) => {
    await folder.stage("harvest", {
      costly: true,
      inputs: keyOfHarvest(
        first.inputs,
        ordered.flatMap(({ record }) => record.broken),
      ),
      files: [momentsFile],
      produce: async () => {
        progress.start("merge", ordered.length);
        let sum: TapMoments[] | undefined;
        for (const [i, { path, record }] of ordered.entries()) {
          sum = addTaps(sum, await readMoments(path, record));
          progress.update(i + 1);
        }
        await writeWhole(folder.file(momentsFile), encodeMoments(sum ?? []));
        progress.finish(`${plural(ordered.length, "shard")}, ${plural(n, "picture")}`);
      },
    });
    const taps = decodeMoments(await readBytes(folder.file(momentsFile)), momentsFile).length - 1;
    return { folder: folder.path, shards: ordered.length, n, taps };
  });
}

function withoutOut(config: Config): Omit<Config, "out"> {
  return Object.fromEntries(Object.entries(config).filter(([key]) => key !== "out")) as Omit<Config, "out">;
}

/** The records that a run folder, a .json or a .bin names. */
async function recordsIn(source: string): Promise<string[]> {
  if (!existsSync(source)) {
    throw new EtlError(
      "usage",
      `${source}: there is no such file or folder, a shard of a harvest was needed`,
    );
  }
  if (!statSync(source).isDirectory()) return [source.replace(/\.bin$/, ".json")];
  const folder = join(source, "moments");
  const names = existsSync(folder) ? await readdir(folder) : [];
  const found = names.filter((name) => /^shard-\d+-of-\d+\.json$/.test(name)).sort();
  if (found.length > 0) return found.map((name) => join(folder, name));
  throw new EtlError("usage", `${source}: no moments/shard-*-of-*.json, at least one shard was needed`, {
    hint: "make one with: etl harvest --shard i/n",
  });
}

async function readShard(path: string): Promise<ShardRecord> {
  const value = (await readJson(path)) as Partial<ShardRecord> | null;
  const counts = [value?.shard, value?.of, value?.rows].every((each) => Number.isSafeInteger(each));
  if (
    !counts ||
    typeof value?.inputs !== "object" ||
    typeof value.config !== "object" ||
    !Array.isArray(value.broken)
  ) {
    throw new EtlError(
      "format",
      `${path}: not the record of a shard, what etl harvest --shard wrote was needed`,
    );
  }
  if (value.schema !== SCHEMA || value.etlVersion !== version) {
    throw new EtlError(
      "format",
      `${path}: made by etl ${value.etlVersion ?? "?"} (schema ${value.schema ?? "?"}), etl ${version} (schema ${SCHEMA}) was needed`,
      { hint: "harvest and merge with one version of etl" },
    );
  }
  const { check, ...record } = value as ShardRecord & { readonly check?: unknown };
  if (check !== fingerprint(record) || !isSeal(record.seal)) {
    throw new EtlError("format", `${path}: not what was written, the whole record of a shard was needed`, {
      hint: "copy the shard again, or remove its folder and make it again",
    });
  }
  return record;
}

async function readMoments(path: string, { rows, seal }: ShardRecord): Promise<TapMoments[]> {
  const file = path.replace(/\.json$/, ".bin");
  const damage = await damageOf(file, seal);
  if (damage !== undefined) {
    throw new EtlError("format", `${file}: ${damage}, the moments of ${path} were needed`, {
      hint: "copy .bin and .json of a shard together, or remove its folder and make it again",
    });
  }
  const moments = decodeMoments(await readBytes(file), file);
  const found = moments[0]?.folds.reduce((sum, { n }) => sum + n, 0);
  if (found === rows) return moments;
  throw new EtlError("format", `${file}: ${found ?? 0} pictures, the ${rows} of its record were needed`, {
    hint: "copy .bin and .json of a shard together",
  });
}

interface FoundShard {
  readonly path: string;
  readonly record: ShardRecord;
}

/** All shards of one harvest, each once. */
function checkTogether(shards: readonly FoundShard[]): void {
  const [first, ...others] = shards;
  const facts = ({ record }: FoundShard): [string, unknown][] => [
    ["number of shards", record.of],
    ...Object.entries(record.inputs),
  ];
  const expected = new Map(facts(first));
  for (const other of others) {
    for (const [what, value] of facts(other)) {
      const [found, needed] = [JSON.stringify(value), JSON.stringify(expected.get(what))];
      if (found === needed) continue;
      throw new EtlError(
        "usage",
        `${other.path}: ${what} ${found}, ${needed} as in ${first.path} was needed`,
        {
          hint: "shards of one harvest share data, backbone, folds and seed",
        },
      );
    }
  }
  const pathOf = new Map<number, string>();
  for (const { path, record } of shards) {
    const twice = pathOf.get(record.shard);
    if (twice !== undefined) {
      throw new EtlError(
        "usage",
        `shard ${record.shard}/${record.of}: in ${twice} and in ${path}, one was needed`,
      );
    }
    pathOf.set(record.shard, path);
  }
  const { of } = first.record;
  const missing = Array.from({ length: of }, (_, i) => i + 1).filter((index) => !pathOf.has(index));
  if (missing.length === 0) return;
  const some = `${missing.slice(0, 10).join(", ")}${missing.length > 10 ? ", ..." : ""}`;
  throw new EtlError("usage", `shards ${some} of ${of}: not there, all ${of} were needed`, {
    hint: `make them with the same options and --shard ${missing[0]}/${of}`,
  });
}
