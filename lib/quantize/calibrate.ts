/** What values a network has on pictures: smallest, largest, and means of channels. Streamed, no map leaves the engine. */
import { EtlError } from "../core/errors.ts";
import type { Engine, Tensors } from "../engine/engine.ts";
import { runStream } from "../engine/stream.ts";
import type { Network } from "../network/network.ts";
import { inferShapes } from "../network/shapes/infer.ts";
import { freshMark, nodeOf } from "../network/edit.ts";
import { observing, overAll, type Observation } from "./observe.ts";
import type { Places } from "./places.ts";
import type { Range } from "./scales.ts";

/** What {@link calibrate} saw. */
export interface Seen {
  readonly ranges: ReadonlyMap<string, Range>;
  /** Inputs of layers: means of their channels. */
  readonly means: ReadonlyMap<string, Float64Array>;
  readonly pictures: number;
}

/**
 * Runs pictures through the float network and keeps minima, maxima and means of all values that are to be stored as bytes.
 *
 * @throws EtlError `data` where there is no picture, or a value is not finite
 */
export async function calibrate(
  engine: Engine,
  network: Network,
  places: Places,
  batches: AsyncIterable<Tensors> | Iterable<Tensors>,
): Promise<Seen> {
  // of all, as what shares a range with another has one of its own once a layer between them stays in floats
  const values = [...places.values.keys()];
  const shapes = inferShapes(network, { batch: 1 });
  const read = [...new Set(places.layers.map((node) => node.inputs[0]))];
  const pooled = read.filter((value) => shapes.get(value)?.length === 4);
  const mark = freshMark(network, "/seen");
  const lowest = (value: string): string => `${value}${mark}.lowest`;
  const highest = (value: string): string => `${value}${mark}.highest`;
  const mean = (value: string): string => `${value}${mark}.mean`;
  const look = (value: string, op: string, output: string, attributes = {}): Observation => ({
    value,
    nodes: [nodeOf(op, [value], output, attributes)],
    output,
  });
  const watched = observing(network, [
    ...values.flatMap((value) => [
      look(value, "ReduceMin", lowest(value), overAll),
      look(value, "ReduceMax", highest(value), overAll),
    ]),
    ...pooled.map((value) => look(value, "GlobalAveragePool", mean(value))),
  ]);
  const program = await engine.compile(watched.network, { outputs: watched.outputs });
  const ranges = new Map(values.map((value) => [value, { low: Infinity, high: -Infinity }]));
  const sums = new Map(pooled.map((value) => [value, new Float64Array(shapes.get(value)?.[1] ?? 0)]));
  let pictures = 0;
  try {
    for await (const { item, outputs } of runStream(program, batches, (inputs) => inputs)) {
      pictures += Object.values(item)[0].shape[0];
      for (const [value, range] of ranges) {
        range.low = Math.min(range.low, outputs[lowest(value)].data[0]);
        range.high = Math.max(range.high, outputs[highest(value)].data[0]);
      }
      for (const [value, sum] of sums)
        outputs[mean(value)].data.forEach((x, i) => {
          sum[i % sum.length] += x;
        });
    }
  } finally {
    await program.dispose();
  }
  if (pictures === 0) throw new EtlError("data", "quantize: no picture, at least one was needed");
  for (const [value, { low, high }] of ranges)
    if (!Number.isFinite(low) || !Number.isFinite(high))
      throw new EtlError(
        "data",
        `${network.name}: "${value}" is not finite on a picture, finite values were needed`,
      );
  return {
    ranges,
    means: new Map([...sums].map(([value, sum]) => [value, sum.map((x) => x / pictures)])),
    pictures,
  };
}
