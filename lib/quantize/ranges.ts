/**
 * Ranges narrower than from the smallest to the largest value: what lies outside is cut off, what lies inside gets finer steps.
 * Candidates are shares of the whole range; one more pass over the pictures says what each costs. Streamed.
 */
import type { Engine, Tensors } from "../engine/engine.ts";
import { runStream } from "../engine/stream.ts";
import { float32, sizeOf, type Network, type Node, type Parameter } from "../network/network.ts";
import { inferShapes } from "../network/shapes/infer.ts";
import type { Seen } from "./calibrate.ts";
import { freshMark, nodeOf } from "../network/edit.ts";
import { observing, overAll, type Observation } from "./observe.ts";
import { quantizerOf, type Range } from "./scales.ts";

/**
 * How ranges are chosen: from the smallest to the largest value seen, the narrowest that holds 99.99 % of the values, or the one
 * with the least squared error of what is stored.
 */
export type RangeRule = "extremes" | "percentile" | "squares";

/** The plainest first. */
export const rangeRules: readonly RangeRule[] = ["extremes", "percentile", "squares"];

/** Shares of the whole range that are tried. */
const shares = [0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3] as const;
/** Share of the values that a percentile may cut off. */
const OUTSIDE = 1e-4;

/** Value -> its range, by each rule. */
export type RangesByRule = Readonly<Record<RangeRule, ReadonlyMap<string, Range>>>;

/** Ranges by each rule, from the extremes and one more pass over pictures. */
export async function chooseRanges(
  engine: Engine,
  network: Network,
  { ranges: extremes }: Pick<Seen, "ranges">,
  batches: AsyncIterable<Tensors> | Iterable<Tensors>,
): Promise<RangesByRule> {
  const names = freshMark(network, "/range");
  const parameters = new Map(network.parameters);
  const tried = [...extremes].flatMap(([value, whole]) =>
    [1, ...shares].map((share) => tryRange({ value, whole, share, mark: names }, parameters)),
  );
  const observations = tried.flatMap(({ squares, outside }) => [squares, outside]);
  const watched = observing({ ...network, parameters }, observations);
  const program = await engine.compile(watched.network, { outputs: watched.outputs });
  const shapes = inferShapes(network, { batch: 1 });
  const sums = new Map(watched.outputs.map((name) => [name, 0]));
  let pictures = 0;
  try {
    for await (const { item, outputs } of runStream(program, batches, (inputs) => inputs)) {
      pictures += Object.values(item)[0].shape[0];
      for (const [name, sum] of sums) sums.set(name, sum + outputs[name].data[0]);
    }
  } finally {
    await program.dispose();
  }
  const [percentile, squares] = [new Map<string, Range>(), new Map<string, Range>()];
  for (const value of extremes.keys()) {
    const own = tried.filter((one) => one.value === value);
    const sumOf = ({ output }: Observation): number => sums.get(output) ?? Infinity;
    const most = OUTSIDE * pictures * sizeOf(shapes.get(value) ?? []);
    // From wide to narrow: the last that cuts off little enough, and the first of the best.
    percentile.set(value, (own.findLast(({ outside }) => sumOf(outside) <= most) ?? own[0]).range);
    const best = own.reduce((a, b) => (sumOf(b.squares) < sumOf(a.squares) ? b : a));
    squares.set(value, best.range);
  }
  return { extremes, percentile, squares };
}

interface Tried {
  readonly value: string;
  readonly range: Range;
  /** Sum of the squares by which stored values differ. */
  readonly squares: Observation;
  /** How many values lie outside. */
  readonly outside: Observation;
}

function tryRange(
  {
    value,
    whole,
    share,
    mark,
  }: { readonly value: string; readonly whole: Range; readonly share: number; readonly mark: string },
  parameters: Map<string, Parameter>,
): Tried {
  const range = { low: share * Math.min(0, whole.low), high: share * Math.max(0, whole.high) };
  const name = (part: string): string => `${value}${mark}${share}.${part}`;
  const parameter = (part: string, one: Parameter): string => {
    parameters.set(name(part), one);
    return name(part);
  };
  const number = (x: number): Parameter => float32([], Float32Array.of(x));
  const { scale, zero } = quantizerOf(range);
  const steps = [
    parameter("scale", number(scale)),
    parameter("zero", { type: "uint8", shape: [], data: Uint8Array.of(zero) }),
  ];
  const limits = [parameter("low", number(range.low)), parameter("high", number(range.high))];
  const squares: Node[] = [
    nodeOf("QuantizeLinear", [value, ...steps], name("bytes")),
    nodeOf("DequantizeLinear", [name("bytes"), ...steps], name("read")),
    nodeOf("Sub", [value, name("read")], name("off")),
    nodeOf("ReduceSumSquare", [name("off")], name("squares"), overAll),
  ];
  const outside: Node[] = [
    nodeOf("Clip", [value, ...limits], name("inside")),
    nodeOf("Sub", [value, name("inside")], name("beyond")),
    nodeOf("Sign", [name("beyond")], name("sign")),
    nodeOf("ReduceL1", [name("sign")], name("outside"), overAll),
  ];
  return {
    value,
    range,
    squares: { value, nodes: squares, output: name("squares") },
    outside: { value, nodes: outside, output: name("outside") },
  };
}
