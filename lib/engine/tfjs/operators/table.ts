/** Operator -> how tfjs computes it. */
import type { Operators } from "../site.ts";
import { binary } from "./binary.ts";
import { convolution } from "./convolution.ts";
import { normalization } from "./normalization.ts";
import { pooling } from "./pooling.ts";
import { products } from "./products.ts";
import { reductions } from "./reductions.ts";
import { resizing } from "./resize.ts";
import { shaping } from "./shaping.ts";
import { unary } from "./unary.ts";

export const operators: Operators = {
  ...binary,
  ...convolution,
  ...normalization,
  ...pooling,
  ...products,
  ...reductions,
  ...resizing,
  ...shaping,
  ...unary,
};
