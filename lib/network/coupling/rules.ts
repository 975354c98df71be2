/** Operator -> how it passes channels on. What is not here freezes the channels it reads. */
import type { Rule } from "./coupler.ts";
import { elementwise, unary } from "./elementwise.ts";
import { conv, convTranspose, gemm, matMul } from "./layers.ts";
import {
  acrossChannels,
  alongAxis,
  layerNorm,
  meanVariance,
  perChannel,
  pool,
  reduce,
  softmax,
} from "./normalize.ts";
import { expand, reshape, sameWidth, shapeReader, squeeze, tile, transpose } from "./reshape.ts";
import { concat, gather, pad, slice, split } from "./select.ts";

const unaryOps =
  "Abs Acos Acosh Asin Asinh Atan Atanh Cast Ceil Celu Clip Cos Cosh Dropout Elu Erf Exp Floor Gelu HardSigmoid " +
  "HardSwish Identity IsInf IsNaN LeakyRelu Log Mish Neg Not Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh " +
  "Softplus Softsign Sqrt Swish Tan Tanh ThresholdedRelu";
const elementwiseOps =
  "Add And Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mod Mul Or PRelu Pow Sub Sum Where Xor";
const poolOps = "AveragePool GlobalAveragePool GlobalLpPool GlobalMaxPool LpPool MaxPool";
const reduceOps =
  "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare";

const all = (ops: string, rule: Rule): [string, Rule][] => ops.split(" ").map((op) => [op, rule]);

/** The operators of ai.onnx whose channels can be followed. */
export const rules: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ...all(unaryOps, unary),
  ...all(elementwiseOps, elementwise),
  ...all(poolOps, pool),
  ...all(reduceOps, reduce),
  ...all("BatchNormalization InstanceNormalization", perChannel),
  ...all("Softmax LogSoftmax Hardmax", softmax),
  ...all("LayerNormalization RMSNormalization", layerNorm),
  ...all("LpNormalization", alongAxis),
  ...all("LRN GroupNormalization", acrossChannels),
  ...all("MeanVarianceNormalization", meanVariance),
  ...all("Reshape Flatten", reshape),
  ...all("Squeeze Unsqueeze", squeeze),
  ...all("Resize Upsample", sameWidth),
  ...all("Shape Size", shapeReader),
  ["Conv", conv],
  ["ConvTranspose", convTranspose],
  ["Gemm", gemm],
  ["MatMul", matMul],
  ["Concat", concat],
  ["Split", split],
  ["Slice", slice],
  ["Gather", gather],
  ["Pad", pad],
  ["Transpose", transpose],
  ["Expand", expand],
  ["Tile", tile],
]);
