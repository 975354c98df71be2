/** What several commands that use a model take. */

export const modelPositional = {
  model: { describe: "Run folder, model file or backbone", type: "string" },
} as const;

/** Of files that a command writes beside runs. */
export const replaceOption = {
  type: "boolean",
  default: false,
  describe: "Write over what is at --out already",
} as const;

/** For what a file leaves open. */
export const openOptions = {
  size: {
    type: "string",
    describe: "HEIGHTxWIDTH of pictures where the file leaves them open: 360x640",
    defaultDescription: "as in the file",
  },
  bind: {
    type: "string",
    describe: "NAME=NUMBER for dimensions that the file leaves open: height=128,width=96",
    defaultDescription: "as in the file",
  },
} as const;
