/**
 * How much a file may ask for. Files come from strangers, and a few bytes can claim a network of a billion channels: what a file
 * declares is held against these numbers before anything is allocated or looped over. They let pass whatever is real (VGGFace has
 * 580 MB of weights, label files ten million rows); `ETL_BUDGET=10` raises all of them tenfold.
 */
import { EtlError } from "./errors.ts";

/** What is counted, and how much of it is allowed. */
const budgets = {
  nodes: { most: 200_000, unit: "nodes" },
  rank: { most: 32, unit: "dimensions" },
  /** Channels, features and rows that are followed one by one, over all values of a network. */
  channels: { most: 2 ** 25, unit: "channels to follow" },
  /** Numbers of one picture: 9,000 x 9,000 pixels of three colours. Whoever runs a network makes at least one. */
  picture: { most: 2 ** 28, unit: "numbers of a picture" },
  /** Elements of one value of a network, per picture. */
  elements: { most: 2 ** 32, unit: "elements in one value" },
  /** Paddings, strides, dilations, kernels, groups. */
  window: { most: 2 ** 20, unit: "as a size of a window" },
  /** Bytes of weights that lie in files beside the model. */
  outside: { most: 64e9, unit: "bytes of weights" },
  /** Bytes of weights whose place in a file is that of others, too. */
  shared: { most: 64e6, unit: "bytes of weights, more than twice of what lies beside it" },
  columns: { most: 20_000, unit: "columns" },
  classes: { most: 20_000, unit: "different labels" },
  /** Numbers of the labels of all pictures. */
  targets: { most: 4e8, unit: "numbers of labels" },
  /** Numbers of the moments of all taps: squares of channels and outputs. */
  moments: { most: 1e9, unit: "numbers of moments" },
  /** Bytes of one unpacked file of matrices. */
  unpacked: { most: 64e6, unit: "bytes unpacked" },
  /** The same for a file that tells of one picture: those of 300W-LP have 20 kB. */
  beside: { most: 1e6, unit: "bytes of a file beside a picture" },
  /** And for all of those of a data set: 300W-LP has 122,450. */
  allBeside: { most: 16e9, unit: "bytes of the files beside pictures" },
  /** Folders of a data set, links to folders as often as they are there. */
  folders: { most: 300_000, unit: "folders" },
  /** Lists and objects inside each other in a JSON file. */
  nesting: { most: 500, unit: "lists and objects inside each other" },
} as const;

/** By what all budgets are multiplied. @throws EtlError `usage` for what is no number of at least 1 */
function raised(): number {
  // a page in a browser has no environment
  const { process: here } = globalThis as { readonly process?: { readonly env: NodeJS.ProcessEnv } };
  const text = here?.env["ETL_BUDGET"];
  if (text === undefined || text === "") return 1;
  const factor = Number(text);
  if (factor >= 1) return factor;
  throw new EtlError("usage", `ETL_BUDGET: ${JSON.stringify(text)}, a number of at least 1 was needed`);
}

/** How much is allowed: for what has to know before it begins. */
export function allowedOf(what: keyof typeof budgets): number {
  return budgets[what].most * raised();
}

const howToRaise = "if you trust the file and have the memory, raise what is allowed: ETL_BUDGET=10 etl ...";

/** Whether an error is of {@link needWithin}: where a node without a shape is left out, one that is too large is not. */
export function isOverBudget(error: unknown): boolean {
  return error instanceof EtlError && error.hint === howToRaise;
}

/**
 * @param where what asks, for the message: the file and the place in it
 * @throws EtlError `unsupported` where it is more than is allowed (or no number at all)
 */
export function needWithin(where: string, what: keyof typeof budgets, found: number): void {
  if (found <= budgets[what].most) return;
  const [allowed, { unit }] = [allowedOf(what), budgets[what]];
  if (found <= allowed) return;
  throw new EtlError("unsupported", `${where}: ${found} ${unit}, at most ${allowed} were needed`, {
    hint: howToRaise,
  });
}
