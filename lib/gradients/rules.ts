/** Operator -> how it is differentiated. */
import { activations } from "./activations.ts";
import { convolutions } from "./convolution.ts";
import { elementwiseGradients } from "./elementwise.ts";
import { normalization } from "./normalization.ts";
import { pooling } from "./pooling.ts";
import { products } from "./products.ts";
import { reductions } from "./reductions.ts";
import { shaping } from "./shaping.ts";
import type { Rules } from "./site.ts";

export const gradientRules: Rules = {
  ...activations,
  ...convolutions,
  ...elementwiseGradients,
  ...normalization,
  ...pooling,
  ...products,
  ...reductions,
  ...shaping,
};

/** Names of the operators that can be trained through, sorted. */
export const differentiableOperators: readonly string[] = Object.keys(gradientRules).sort();
