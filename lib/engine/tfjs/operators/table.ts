/** Operator -> how tfjs computes it. */
import type { Operators } from "../site.ts";
import { binary } from "./binary.ts";
import { convolution } from "./convolution.ts";
import { normalizationKernels } from "./normalization.ts";
import { poolingKernels } from "./pooling.ts";
import { productKernels } from "./products.ts";
import { reductionKernels } from "./reductions.ts";
import { resizing } from "./resize.ts";
import { shapingKernels } from "./shaping.ts";
import { unaryKernels } from "./unary.ts";

export const operators: Operators = {
  ...binary,
  ...convolution,
  ...normalizationKernels,
  ...poolingKernels,
  ...productKernels,
  ...reductionKernels,
  ...resizing,
  ...shapingKernels,
  ...unaryKernels,
};
