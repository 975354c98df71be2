/** Stage table: what networks of other widths would take, measured once in a run or read from another machine's table. */
import { writeJson } from "../../../core/files.ts";
import { shareOfTime } from "../../../evaluate/beside.ts";
import { clockOf, readLatencyTable, type Clock, type LatencyTable } from "../../../latency/table.ts";
import type { Network } from "../../../network/network.ts";
import { bothBytes, measureEntries, tableOf } from "../../run/latency.ts";
import type { RunContext } from "../context.ts";
import { withEmptyHeads } from "../surgery.ts";

export interface RunClock extends Clock {
  /** Milliseconds here, in units of the table's whole network; absent where the table is another machine's. */
  readonly measure?: (cut: Network) => Promise<number>;
}

/** `latency-table.json`: what the clock said is kept, so that the same run stays the same. */
export async function clockStage(context: RunContext): Promise<RunClock> {
  const { folder, backbone, coupling, config, timer, progress, signal } = context;
  const { int8, table: given } = config;
  const file = "latency-table.json";
  const known = given === undefined ? undefined : await readLatencyTable(given);
  const finish = (cut: Network): Network => withEmptyHeads(context, cut);
  const whole = finish(backbone.network);
  await folder.stage("table", {
    inputs: known === undefined ? { measured: backbone.fingerprint, int8 } : { given: known },
    files: [file],
    produce: async () => {
      const { network } = backbone;
      const sizable = { network, coupling, finish };
      const measured = async (): Promise<LatencyTable> =>
        tableOf(timer, backbone.name, await measureEntries(timer, sizable, { int8, progress, signal }));
      await writeJson(folder.file(file), known ?? (await measured()));
    },
  });
  const table = await readLatencyTable(folder.file(file));
  // A table of this run has one choice of threads, and a run may go on with others.
  const clock = clockOf(table, { int8, threads: given === undefined ? undefined : config.threads });
  if (given !== undefined) return clock;
  const share = (cut: Network): Promise<number> => shareOfTime(timer, whole, cut, { batch: 1, signal });
  // Bytes are delivered only where they are quicker: small networks often are not.
  const measure = async (cut: Network): Promise<number> => {
    const shares = [await share(cut)];
    for (const bytes of int8 ? bothBytes(cut) : []) shares.push(await share(bytes));
    return Math.min(...shares) * clock.wholeMs;
  };
  return { ...clock, measure };
}
