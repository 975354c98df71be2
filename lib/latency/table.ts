/** A latency table: what a machine needs for every kind of work of one network, as a file that another machine can read. */
import { EtlError } from "../core/errors.ts";
import { plural } from "../core/printable.ts";
import {
  aCount,
  aNumberFrom,
  aSwitch,
  aText,
  mapOf,
  objectOf,
  oneOf,
  readShaped,
  someOf,
} from "../core/shape.ts";
import type { Network } from "../network/network.ts";
import { workOf } from "./features.ts";
import { predictMs, type Rates } from "./fit.ts";

/** Times with so many threads, in floats or in bytes. */
export interface TableEntry {
  readonly threads: number;
  readonly int8: boolean;
  /** The unpruned network, milliseconds a picture. */
  readonly wholeMs: number;
  /** Milliseconds of a unit of every kind of work. */
  readonly rates: Rates;
  /** Shares by which networks that were not fitted to were mispredicted. */
  readonly error: { readonly median: number; readonly largest: number };
  /** Networks that were timed. */
  readonly networks: number;
}

export interface LatencyTable {
  readonly schema: 1;
  readonly network: string;
  readonly cpu: string;
  readonly engine: string;
  /** Channels that the kernels compute at a time. */
  readonly block: number;
  /** Pictures in a run. */
  readonly batch: number;
  readonly entries: readonly TableEntry[];
}

/** The times of a table for one choice of threads and numbers. */
export interface Clock {
  readonly block: number;
  readonly wholeMs: number;
  /** Milliseconds a picture of a float network; where bytes are allowed, of the same in bytes if that is quicker. */
  readonly predict: (network: Network) => number;
}

/**
 * @param int8 a network in bytes may be delivered; as it is only where it is quicker, the quicker of both counts
 * @param threads default: the fewest that the table has
 * @throws EtlError `usage` where the table has no such times; when predicting, where it does not know a layer
 */
export function clockOf(
  table: LatencyTable,
  { int8, threads }: { readonly int8: boolean; readonly threads?: number | undefined },
): Clock {
  const own = table.entries.filter((entry) => entry.int8 === int8);
  const fewest = Math.min(...own.map((entry) => entry.threads));
  const entry = own.find((one) => one.threads === (threads ?? fewest));
  // Shares are of the float network's time.
  const float = table.entries.find((one) => !one.int8 && one.threads === entry?.threads);
  if (entry === undefined || float === undefined) {
    const found = table.entries
      .map((one) => `${plural(one.threads, "thread")} ${one.int8 ? "int8" : "float"}`)
      .join(", ");
    const needed = `${threads === undefined ? "" : `${plural(threads, "thread")} `}${int8 ? "int8" : "float"}`;
    throw new EtlError("usage", `--table: has ${found}, ${needed} was needed`, {
      hint: "--threads chooses one; etl bench --table makes a table",
    });
  }
  return {
    block: table.block,
    wholeMs: float.wholeMs,
    predict: (network) => {
      const work = workOf(network, table.block);
      const each = [...new Set([float, entry])].map(({ rates }) => predictMs(work, rates));
      const known = each.filter((ms) => ms !== undefined);
      const ms = known.length < each.length ? undefined : Math.min(...known);
      if (ms !== undefined && !Number.isFinite(ms))
        throw new EtlError(
          "format",
          `--table: ${ms} ms for ${network.name}, rates of a machine were needed`,
          {
            hint: "make it anew: etl bench --table",
          },
        );
      if (ms !== undefined) return ms;
      throw new EtlError(
        "usage",
        `--table: made for ${table.network}, which has other layers; one of this network was needed`,
        {
          hint: "make one with: etl bench --table --backbone MODEL --out FILE",
        },
      );
    },
  };
}

/** What the file of a table must look like. */
const tableShape = objectOf({
  schema: oneOf(1),
  network: aText,
  cpu: aText,
  engine: aText,
  block: aNumberFrom(1),
  batch: aNumberFrom(1),
  entries: someOf(
    objectOf({
      threads: aNumberFrom(1),
      int8: aSwitch,
      wholeMs: aNumberFrom(Number.MIN_VALUE),
      rates: mapOf(aNumberFrom(0)),
      error: objectOf({ median: aNumberFrom(0), largest: aNumberFrom(0) }),
      networks: aCount,
    }),
  ),
});

/** @throws EtlError `format` where the file is no latency table */
export async function readLatencyTable(path: string): Promise<LatencyTable> {
  return readShaped(path, tableShape, { what: "latency table", hint: "etl bench --table makes one" });
}
