/** The options of int8, for every job that makes a network in bytes. */
import { atLeastZero, type Option } from "./option.ts";

/** As in {@link ../../quantize/quantize.ts}. */
export type { Int8For } from "../../quantize/quantize.ts";

export const int8Table = {
  int8For: {
    flag: "int8-for",
    kind: "text",
    group: "Measuring",
    describe:
      "CPUs that int8 is made for; portable: any (7-bit weights), this: as this one; auto: portable if as good",
    choices: ["auto", "portable", "this"],
    default: "auto",
  },
  int8Tolerance: {
    flag: "int8-tolerance",
    kind: "number",
    group: "Measuring",
    describe: "How much worse int8 may be: points of a hundred, or the label's unit",
    otherwise: "0.3 points, 0.05 years, 0.1 degrees, or half a standard error",
    need: atLeastZero,
  },
} as const satisfies Readonly<Record<string, Option>>;
