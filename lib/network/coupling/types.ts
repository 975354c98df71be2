/**
 * Coupling: which channels must be kept or removed together.
 *
 * Every channel that a layer makes is an *atom*. Operators pass atoms on, permute them, repeat them (Flatten), or tie
 * two of them together (Add). Tied atoms form a *class*: a class is kept or removed as a whole.
 */

/** The channels of a value: the axis they lie on, and one atom for each position along it. */
export interface Layout {
  readonly axis: number;
  /** [shape[axis]] atom ids; an atom may stand at several positions (Flatten repeats it for each pixel). */
  readonly atoms: Int32Array;
}

/**
 * Channels factorised over several axes, between the two Reshapes of a channel shuffle or inside attention. Where there is an
 * `origin`, the value holds the same numbers as that, whose channel axis `axis` stands at `positions`.
 */
export interface Spread {
  /** Axes that carry the channels, ascending. */
  readonly axes: readonly number[];
  /** Their sizes. */
  readonly dims: readonly number[];
  /** Row-major over `dims`. */
  readonly atoms: Int32Array;
  readonly origin?: Origin;
}

/** A value made of the channels `positions` of another value, nothing else changed. */
export interface Origin {
  readonly value: string;
  readonly axis: number;
  /** For each channel, in order, its position along the origin's channel axis. */
  readonly positions: Int32Array;
}

/** An axis of a parameter that is cut along with atoms. */
export interface ParameterAxis {
  readonly axis: number;
  readonly atoms: Int32Array;
}

/** One node's reading of a parameter, and how the parameter is cut for it. */
export interface ParameterUse {
  /** Name of the node. */
  readonly node: string;
  /** Position among the node's inputs. */
  readonly input: number;
  readonly parameter: string;
  readonly axes: readonly ParameterAxis[];
}

/** Conv, ConvTranspose, Gemm or MatMul with a parameter as its weight. */
export interface CoupledLayer {
  /** Name of its node. */
  readonly name: string;
  readonly op: string;
  readonly input: string;
  readonly output: string;
  /** Axis of the input value along which the layer sums. */
  readonly inputAxis: number;
  /** One atom per input channel (all groups). */
  readonly inputs: Int32Array;
  /** One atom per output channel. */
  readonly outputs: Int32Array;
  readonly weight: string;
  /** Axis of the weight that runs over inputs (of one group for Conv, of all groups for ConvTranspose). */
  readonly weightInputAxis: number;
  /** Axis of the weight that runs over outputs (of all groups for Conv, of one group for ConvTranspose). */
  readonly weightOutputAxis: number;
  readonly groups: number;
  /** Name of the bias parameter, where the node has one. */
  readonly bias?: string;
}

/** An edge of the forest that holds a class together: `why` is an index into `Coupling.reasons`. */
export interface Tie {
  readonly a: number;
  readonly b: number;
  readonly why: number;
}

/** Layers whose output channels share classes. */
export interface CoupledGroup {
  /** Layer names in topological order. */
  readonly layers: readonly string[];
  /** Number of classes among their outputs. */
  readonly classes: number;
  /** Number of those that are frozen. */
  readonly frozen: number;
}

/** What `analyseCoupling` found. Values that are missing in `layouts` keep every position. */
export interface Coupling {
  /** Atom -> class, [atoms]. */
  readonly classOf: Int32Array;
  /** Number of classes. */
  readonly classes: number;
  /** Class -> why it cannot be removed; absent = it can. */
  readonly frozen: ReadonlyMap<number, string>;
  readonly layouts: ReadonlyMap<string, Layout>;
  /** Values whose channels stand on several axes to the end. */
  readonly spreads: ReadonlyMap<string, Spread>;
  /** Node that ends a channel shuffle -> what its output is made of. */
  readonly shuffles: ReadonlyMap<string, Origin>;
  /** Readings of parameters that are cut along; a parameter may be read, and cut, in several ways. */
  readonly uses: readonly ParameterUse[];
  /** In topological order. */
  readonly layers: readonly CoupledLayer[];
  readonly groups: readonly CoupledGroup[];
  readonly ties: readonly Tie[];
  readonly reasons: readonly string[];
  /** Shapes of all values at the batch size of the analysis. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
}
