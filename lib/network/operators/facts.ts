/**
 * What an operator of ai.onnx is, said once for everybody: how channels pass through it, what it does to shapes, whether
 * it treats the pictures of a batch apart. Coupling, shapes, taps, surgery, cost and training read this table; the rules
 * themselves (how a Reshape passes channels on, how a Conv is differentiated) stand with their stage.
 */

/** How channels pass through. Each kind has one rule in `network/coupling`. */
export type ChannelKind =
  | "each"
  | "operands"
  | "pool"
  | "reduce"
  | "affine"
  | "softmax"
  | "layer-norm"
  | "along-axis"
  | "across"
  | "mean-variance"
  | "reshape"
  | "squeeze"
  | "same-width"
  | "shape-reader"
  | "own";

/**
 * How an operator computes on bytes between DequantizeLinear and QuantizeLinear: a `layer` with weights; a `sum` or product of two maps; one
 * that hands numbers on, with its input's scale (`same`) or with one of its own (`own`); or `fused` into what stands before it. `write` and `read` are the two operators themselves.
 */
export type ByteKind = "layer" | "sum" | "same" | "own" | "fused" | "write" | "read";

export interface OperatorFacts {
  /** How channels pass through; `own` has a rule of its own name. Absent: what it touches is frozen. */
  readonly channels?: ChannelKind;
  /** Shape of the results: that of the first input, or that to which the inputs broadcast. Absent: a rule of its own. */
  readonly shape?: "same" | "broadcast";
  /** Maps every number by itself with one function: what lies between a layer and its tap. */
  readonly activation?: true;
  /** Hands channels on one by one, linearly or nearly so: a mean over places predicts what the next layer reads. */
  readonly linear?: true;
  /** Maps all numbers into a small range: a last one turns outputs into probabilities. */
  readonly squashes?: true;
  /** f(s x) = s f(x) for s > 0, channel by channel. */
  readonly homogeneous?: true;
  /** Cannot mix the rows of a batch as long as the first dimension of its results is the batch. */
  readonly rows?: true;
  /** Multiplies channels by a weight: what is pruned. */
  readonly layer?: true;
  /** Two operands, number by number: with a constant for one of them it is a scaling. */
  readonly arithmetic?: true;
  /** Its result is yes or no. */
  readonly yesOrNo?: true;
  /** May lie on the way of a gate (squeeze-and-excitation) from a tensor to its product with it. */
  readonly gate?: true;
  /** May stand behind the last layer, whose numbers are the answer without it. */
  readonly answer?: true;
  /** May stand between features and the layer that answers: what it hands on are the features. */
  readonly features?: true;
  /** Hands on the numbers of a shape as they are. */
  readonly handsOn?: true;
  /** Finite where its operands are 0: what a weight of 0 reads may be of any value, but not endless. */
  readonly finiteAtZero?: true;
  /** Never negative where its operands are not. */
  readonly keepsSign?: true;
  /** Its parameters are learned, even one that is a single number. */
  readonly learned?: true;
  /** How it computes on bytes. Absent: in floats only. */
  readonly bytes?: ByteKind;
  /** Inputs that are settings, not weights. */
  readonly settings?: readonly number[];
  /** Inputs that hold running statistics: stored, but not learned by the gradient. */
  readonly statistics?: readonly number[];
}

/** Every number by one function. */
const each = { channels: "each", shape: "same", rows: true } as const satisfies OperatorFacts;
const activation = { ...each, activation: true } as const satisfies OperatorFacts;
const finite = { ...activation, finiteAtZero: true } as const satisfies OperatorFacts;
/** Every number by one function drawn anew for every batch: halves of a batch would draw twice. */
const drawn = {
  channels: "each",
  shape: "same",
  activation: true,
  finiteAtZero: true,
} as const satisfies OperatorFacts;
const operands = { channels: "operands", shape: "broadcast", rows: true } as const satisfies OperatorFacts;
const sum = { ...operands, homogeneous: true, finiteAtZero: true } as const satisfies OperatorFacts;
const pool = {
  channels: "pool",
  homogeneous: true,
  finiteAtZero: true,
  linear: true,
  rows: true,
} as const satisfies OperatorFacts;
const powerPool = {
  channels: "pool",
  homogeneous: true,
  finiteAtZero: true,
} as const satisfies OperatorFacts;
const reduce = { channels: "reduce" } as const satisfies OperatorFacts;
const moved = { homogeneous: true, rows: true } as const satisfies OperatorFacts;
const bitwise = { shape: "broadcast" } as const satisfies OperatorFacts;
const softmax = { channels: "softmax" } as const satisfies OperatorFacts;
const layer = { channels: "own", layer: true, learned: true, rows: true } as const satisfies OperatorFacts;
const byteLayer = { ...layer, bytes: "layer" } as const satisfies OperatorFacts;

const table: Readonly<Record<string, OperatorFacts>> = {
  // Layers with weights.
  Conv: { ...byteLayer, gate: true },
  ConvTranspose: layer,
  Gemm: { ...byteLayer, gate: true },
  MatMul: { ...layer, gate: true },

  // Every number by itself.
  Abs: { ...finite, homogeneous: true },
  Cast: { ...activation, handsOn: true },
  Celu: finite,
  Clip: { ...finite, settings: [1, 2], bytes: "fused" },
  Dropout: { ...drawn, homogeneous: true, linear: true, settings: [1, 2], features: true, keepsSign: true },
  Elu: finite,
  Erf: finite,
  Exp: finite,
  Gelu: finite,
  HardSigmoid: { ...finite, squashes: true },
  HardSwish: finite,
  Identity: {
    ...finite,
    homogeneous: true,
    linear: true,
    answer: true,
    features: true,
    handsOn: true,
    keepsSign: true,
  },
  LeakyRelu: { ...finite, homogeneous: true, bytes: "own" },
  Mish: finite,
  Neg: { ...finite, homogeneous: true },
  Reciprocal: activation,
  Relu: { ...finite, homogeneous: true, bytes: "fused" },
  Selu: finite,
  Sigmoid: { ...finite, squashes: true, answer: true, bytes: "own" },
  Softplus: finite,
  Softsign: finite,
  Sqrt: finite,
  Swish: finite,
  Tanh: finite,
  ThresholdedRelu: finite,
  Acos: each,
  Acosh: each,
  Asin: each,
  Asinh: each,
  Atan: each,
  Atanh: each,
  Ceil: each,
  Cos: each,
  Cosh: each,
  Floor: each,
  IsInf: each,
  IsNaN: each,
  Log: each,
  Not: { ...each, yesOrNo: true },
  Round: each,
  Shrink: each,
  Sign: each,
  Sin: each,
  Sinh: each,
  Tan: each,
  // Of the shape of their input, but not number by number.
  Bernoulli: { shape: "same" },
  CastLike: { shape: "same" },
  CumSum: { shape: "same" },
  DequantizeLinear: { shape: "same", bytes: "read" },
  QuantizeLinear: { shape: "same", bytes: "write" },
  Trilu: { shape: "same" },

  // Operands that broadcast.
  Add: { ...sum, bytes: "sum", arithmetic: true, keepsSign: true },
  Max: { ...sum, arithmetic: true },
  Mean: sum,
  Min: { ...sum, arithmetic: true },
  Sub: { ...sum, arithmetic: true },
  Sum: sum,
  And: { ...operands, yesOrNo: true },
  Div: { ...operands, arithmetic: true },
  Equal: { ...operands, yesOrNo: true },
  Greater: { ...operands, yesOrNo: true },
  GreaterOrEqual: { ...operands, yesOrNo: true },
  Less: { ...operands, yesOrNo: true },
  LessOrEqual: { ...operands, yesOrNo: true },
  Mod: operands,
  Mul: { ...operands, finiteAtZero: true, arithmetic: true, keepsSign: true, bytes: "sum" },
  Or: { ...operands, yesOrNo: true },
  Pow: { ...operands, arithmetic: true },
  Where: operands,
  Xor: operands,
  PRelu: {
    ...{ channels: "operands", activation: true, homogeneous: true },
    ...{ finiteAtZero: true, learned: true, rows: true },
  },
  BitShift: bitwise,
  BitwiseAnd: bitwise,
  BitwiseOr: bitwise,
  BitwiseXor: bitwise,

  // Windows and means over places.
  AveragePool: { ...pool, bytes: "own", gate: true, keepsSign: true },
  GlobalAveragePool: { ...pool, bytes: "own", gate: true, keepsSign: true },
  GlobalMaxPool: pool,
  MaxPool: { ...pool, bytes: "same", keepsSign: true },
  GlobalLpPool: powerPool,
  LpPool: powerPool,
  ReduceL1: { ...reduce, homogeneous: true },
  ReduceL2: { ...reduce, homogeneous: true },
  ReduceLogSum: reduce,
  ReduceLogSumExp: reduce,
  ReduceMax: { ...reduce, homogeneous: true },
  ReduceMean: { ...reduce, homogeneous: true, linear: true, gate: true },
  ReduceMin: { ...reduce, homogeneous: true },
  ReduceProd: reduce,
  ReduceSum: { ...reduce, homogeneous: true },
  ReduceSumSquare: reduce,

  // Normalisations. Batch normalisation is taken to use its running statistics.
  BatchNormalization: { channels: "affine", activation: true, learned: true, rows: true, statistics: [3, 4] },
  InstanceNormalization: { channels: "affine" },
  GroupNormalization: { channels: "own" },
  LRN: { channels: "across", shape: "same", rows: true },
  LayerNormalization: { channels: "layer-norm" },
  RMSNormalization: { channels: "layer-norm" },
  LpNormalization: { channels: "along-axis" },
  MeanVarianceNormalization: { channels: "mean-variance", shape: "same" },
  Hardmax: softmax,
  LogSoftmax: { ...softmax, answer: true },
  Softmax: { ...softmax, squashes: true, answer: true },

  // Numbers that move.
  Concat: { channels: "own", ...moved, bytes: "own", keepsSign: true },
  DepthToSpace: { channels: "own" },
  SpaceToDepth: { channels: "own" },
  Expand: { channels: "own", homogeneous: true },
  Flatten: { channels: "reshape", ...moved, linear: true, bytes: "same", gate: true, features: true },
  Gather: { channels: "own", homogeneous: true },
  GridSample: { channels: "own" },
  Einsum: { channels: "own" },
  Pad: { channels: "own", ...moved, linear: true, settings: [1, 2, 3], bytes: "same" },
  Reshape: { channels: "reshape", ...moved, linear: true, bytes: "same", gate: true },
  Resize: { channels: "same-width", homogeneous: true, linear: true, settings: [1, 2, 3] },
  Slice: { channels: "own", homogeneous: true, bytes: "same" },
  Split: { channels: "own", homogeneous: true, bytes: "same" },
  Squeeze: {
    channels: "squeeze",
    ...moved,
    linear: true,
    bytes: "same",
    gate: true,
    features: true,
    handsOn: true,
  },
  Tile: { channels: "own", homogeneous: true },
  Transpose: { channels: "own", ...moved, linear: true, bytes: "same" },
  Unsqueeze: { channels: "squeeze", ...moved, linear: true, bytes: "same", gate: true, handsOn: true },
  Range: { settings: [0, 1, 2] },
  // onnxruntime's own.
  "com.microsoft:Gelu": each,
  "com.microsoft:QuickGelu": each,
  "com.microsoft:FastGelu": operands,
  "com.microsoft:BiasGelu": operands,

  Shape: { channels: "shape-reader" },
  Size: { channels: "shape-reader" },
};

const facts: ReadonlyMap<string, OperatorFacts> = new Map(Object.entries(table));
const none: OperatorFacts = {};

/** What is known of an operator of ai.onnx; nothing is assumed of one that is not in the table. */
export function factsOf(op: string): OperatorFacts {
  return facts.get(op) ?? none;
}

/** Names of the operators for which `holds`. */
export function operatorsWhere(holds: (facts: OperatorFacts) => boolean): readonly string[] {
  return [...facts].filter(([, one]) => holds(one)).map(([op]) => op);
}
