/** A value of the network while it runs: one tensor in the layouts that have been asked for. */
import * as tf from "@tensorflow/tfjs-core";
import { sizeOf } from "../../network/network.ts";
import type { Shape } from "../../network/shapes/context.ts";

/** `first`: row-major as ONNX has it (channels on axis 1). `last`: the channel axis moved to the end, as tfjs wants it. */
export type Layout = "first" | "last";

/** Axes of the channels-last layout: [0, 2, ..., 1]. */
const toLast = (rank: number): number[] => [0, ...Array.from({ length: rank - 2 }, (_, i) => i + 2), 1];
const toFirst = (rank: number): number[] => [
  0,
  rank - 1,
  ...Array.from({ length: rank - 2 }, (_, i) => i + 1),
];

/** A shape in the channels-last layout. */
const lastShape = (shape: Shape): number[] => toLast(shape.length).map((axis) => shape[axis]);

/** Where an axis of the channels-first layout lies in `layout`. */
export function axisIn(layout: Layout, axis: number, rank: number): number {
  return layout === "first" ? axis : toLast(rank).indexOf(axis);
}

/** One value for each axis of the channels-first layout, in the order of `layout`. */
export function perAxis<T>(layout: Layout, values: readonly T[]): T[] {
  return layout === "first" ? [...values] : toLast(values.length).map((axis) => values[axis]);
}

/** Holds tensors of one value. What is `kept` outlives the scope in which it was made and must be disposed. */
export class Value {
  /** Shape in the channels-first layout. */
  readonly shape: Shape;
  /** The layout in which the value was made. */
  readonly layout: Layout;
  private readonly forms = new Map<string, tf.Tensor>();
  private readonly kept: boolean;
  private readonly make: () => tf.Tensor;

  /** @param tensor in `layout`, or a function that makes it when it is first needed */
  constructor(
    shape: Shape,
    tensor: tf.Tensor | (() => tf.Tensor),
    { layout = "first", kept = false }: { layout?: Layout; kept?: boolean } = {},
  ) {
    this.shape = shape;
    this.layout = layout;
    this.kept = kept;
    this.make = typeof tensor === "function" ? tensor : () => tensor;
    if (typeof tensor !== "function") this.forms.set(layout, kept ? tf.keep(tensor) : tensor);
  }

  /** The tensor as ONNX has it, of shape `shape`. */
  first(): tf.Tensor {
    return this.form("first", () => {
      if (this.layout === "first") return this.make();
      const last = this.last();
      return this.isFlat()
        ? tf.reshape(last, [...this.shape])
        : tf.transpose(last, toFirst(this.shape.length));
    });
  }

  /** The tensor with its channel axis at the end; rank 3 or more. */
  last(): tf.Tensor {
    return this.form("last", () => {
      if (this.layout === "last") return this.make();
      const first = this.first();
      return this.isFlat()
        ? tf.reshape(first, lastShape(this.shape))
        : tf.transpose(first, toLast(this.shape.length));
    });
  }

  in(layout: Layout): tf.Tensor {
    return layout === "first" ? this.first() : this.last();
  }

  /** Something derived from the value (a turned weight), made once. */
  form(name: string, make: () => tf.Tensor): tf.Tensor {
    let tensor = this.forms.get(name);
    if (tensor === undefined) {
      tensor = make();
      if (this.kept) tf.keep(tensor);
      this.forms.set(name, tensor);
    }
    return tensor;
  }

  /** The same value for the time after this scope. A tensor that somebody else keeps is shared, not taken over. */
  keep(): Value {
    const own = this.in(this.layout);
    return new Value(this.shape, own.kept ? tf.clone(own) : own, { layout: this.layout, kept: true });
  }

  /** Result of a function that works element by element, in the layout the value has. */
  map(make: (x: tf.Tensor) => tf.Tensor): Value {
    return new Value(this.shape, make(this.in(this.layout)), { layout: this.layout });
  }

  dispose(): void {
    for (const tensor of new Set(this.forms.values())) tensor.dispose();
    this.forms.clear();
  }

  /** Whether both layouts hold the elements in the same order: one channel, or one place. */
  private isFlat(): boolean {
    return this.shape[1] === 1 || sizeOf(this.shape.slice(2)) === 1;
  }
}

/** The layout in which a function of several values is computed: channels last where one of full rank comes so. */
export function commonLayout(values: readonly Value[], rank: number): Layout {
  return rank > 2 && values.some((value) => value.shape.length === rank && value.layout === "last")
    ? "last"
    : "first";
}

/** A value as an operand of a function with broadcasting whose result has rank `rank` and layout `layout`. */
export function operand(value: Value, rank: number, layout: Layout): tf.Tensor {
  if (layout === "first" || value.shape.length === 0) return value.first();
  if (value.shape.length === rank) return value.last();
  const wide = [...Array.from({ length: rank - value.shape.length }, () => 1), ...value.shape];
  return value.form(`last of ${rank}`, () => tf.transpose(tf.reshape(value.first(), wide), toLast(rank)));
}

/**
 * The tensor repeated to `shape`, where it has 1 or no axis. Its gradient is the sum over the copies (that of tfjs's own
 * `tile` adds slices one by one).
 */
export function spread(tensor: tf.Tensor, shape: Shape): tf.Tensor {
  if (tensor.shape.length === shape.length && tensor.shape.every((dim, i) => dim === shape[i])) return tensor;
  const lead = shape.length - tensor.shape.length;
  const wide = [...Array.from({ length: lead }, () => 1), ...tensor.shape];
  const repeats = shape.map((dim, i) => (wide[i] === 1 ? dim : 1));
  const axes = repeats.flatMap((count, i) => (count === 1 ? [] : [i]));
  const repeat = tf.customGrad((x) => {
    const from = (x as tf.Tensor).shape;
    return {
      value: tf.tile(tf.reshape(x as tf.Tensor, wide), repeats),
      gradFunc: (dy: tf.Tensor) => tf.reshape(tf.sum(dy, axes, true), from),
    };
  });
  return repeat(tensor);
}
