/** Numbers for what a network leaves open, at which it fits together. */
import { own } from "../core/own.ts";
import { EtlError, isEtlError, nearest } from "../core/errors.ts";
import { sizeOf, type Dim, type Network } from "./network.ts";
import { propagate, type Bindings } from "./shapes/infer.ts";

/** Sides that are tried for an open height or width, the usual ones first. */
export const sides = [224, 256, 128, 192, 112, 160, 96, 64, 150, 48, 32, 320, 512, 640, 24, 28];

/** Height and width that the user says. */
export type PictureSize = readonly [height: number, width: number];

/** What the user says of dimensions that a file leaves open. */
export interface SaidSizes {
  /** Height and width of pictures. */
  readonly size?: PictureSize | undefined;
  /** Numbers by the names that the file gives the dimensions of its inputs: `{ height: 128 }`. */
  readonly bind?: Readonly<Record<string, number>> | undefined;
}

/** Numbers for what a file leaves open. */
export interface Assumed {
  readonly batch: number;
  readonly sizes: Readonly<Record<string, number>>;
}

/**
 * Numbers at which the network fits together.
 *
 * @throws EtlError `usage` where it does at none of the usual sizes, or not at the one that was said
 */
export function fit(network: Network, size?: PictureSize): Assumed {
  const open = [...new Set(network.inputs.flatMap(({ shape }) => openSizes(shape)))];
  const choices: readonly PictureSize[] =
    size === undefined ? sides.map((side): PictureSize => [side, side]) : [size];
  let first: unknown;
  let smallest: { readonly assumed: Assumed; readonly numbers: number } | undefined;
  for (const choice of open.length === 0 ? choices.slice(0, 1) : choices) {
    const sizes = openAt(network, choice);
    for (const batch of [2, 1] as const) {
      try {
        const assumed = { batch, sizes };
        const numbers = largestValue(network, assumed);
        if (numbers <= ROOM || choices.length === 1) return assumed;
        if (numbers < (smallest?.numbers ?? Infinity)) smallest = { assumed, numbers };
        break;
      } catch (error) {
        first ??= error;
      }
    }
  }
  if (smallest !== undefined) return smallest.assumed;
  if (open.length === 0 || !isEtlError(first)) throw first;
  throw new EtlError(
    "usage",
    `${first.message}: ${open.join(", ")} are open in the file, sizes at which it fits together were needed`,
    {
      hint:
        size === undefined
          ? "say them with --size HEIGHTxWIDTH, or one by one with --bind NAME=NUMBER"
          : `--size ${size.join("x")} is none; --bind NAME=NUMBER says them one by one`,
      cause: first,
    },
  );
}

/**
 * The network with dimensions of its inputs that have a name bound to the numbers that the user says.
 *
 * @throws EtlError `usage` for a name that no open dimension has, and for what is no size
 */
export function withBound(network: Network, bind: SaidSizes["bind"] = {}): Network {
  const open = new Set(network.inputs.flatMap(({ shape }) => shape.filter((dim) => typeof dim === "string")));
  for (const [name, value] of Object.entries(bind)) {
    if (!Number.isSafeInteger(value) || value < 1)
      throw new EtlError("usage", `--bind ${name}=${value}: a whole number of at least 1 was needed`);
    if (open.has(name)) continue;
    const inputs = network.inputs.map((input) => `${input.name} [${input.shape.join(", ")}]`).join("; ");
    const near = nearest(name, open);
    throw new EtlError(
      "usage",
      open.size === 0
        ? `--bind ${name}=${value}: the file says all sizes itself (${inputs}), a file that leaves some open was needed`
        : `--bind ${name}=${value}: no input has an open dimension of that name (${inputs}), one of ${[...open].join(", ")} was needed`,
      {
        hint: open.size === 0 ? "leave --bind out" : near === undefined ? undefined : `did you mean ${near}?`,
      },
    );
  }
  const bound = <T extends { readonly shape: readonly Dim[] }>(value: T): T => ({
    ...value,
    shape: value.shape.map((dim) => (typeof dim === "string" ? (own(bind, dim) ?? dim) : dim)),
  });
  return { ...network, inputs: network.inputs.map(bound), outputs: network.outputs.map(bound) };
}

/**
 * The network with what the user binds, and numbers for what is open then.
 *
 * @throws EtlError `usage` where it fits together at none of the usual sizes, or not at what was said
 */
export function fitSaid(
  network: Network,
  { size, bind }: SaidSizes,
): { readonly bound: Network; readonly assumed: Assumed } {
  const bound = withBound(network, bind);
  try {
    return { bound, assumed: fit(bound, size) };
  } catch (error) {
    if (!isEtlError(error) || bind === undefined || error.kind === "usage") throw error;
    const said = Object.entries(bind).map(([name, value]) => `${name}=${value}`);
    throw new EtlError(
      "usage",
      `--bind ${said.join(",")}: ${error.message}: sizes at which it fits together were needed`,
      { cause: error },
    );
  }
}

/** Frames that are assumed where a clip may have any number of them. */
const FRAMES = 16;

/**
 * Sizes of the open dimensions of the inputs, batches aside: of each input the last two are height and width, the only one is a
 * height, and what lies in front of two is a number of frames.
 */
export function openAt(
  { inputs }: Network,
  [height, width]: PictureSize,
  frames = FRAMES,
): Readonly<Record<string, number>> {
  return Object.fromEntries(
    inputs.flatMap(({ shape }) => {
      const names = openSizes(shape);
      const sizes = [...new Array<number>(Math.max(0, names.length - 2)).fill(frames), height, width];
      return names.map((name, i) => [name, sizes[i] ?? height] as const);
    }),
  );
}

/**
 * Most numbers that one value should have at a size which nobody asked for: attention between all places of a picture of 224x224
 * takes 10 GB, of 64x64 a fiftieth of that.
 */
export const ROOM = 2 ** 26;

/** How many numbers the largest value of a network has at these sizes. @throws EtlError where it does not fit together there */
export function largestValue(network: Network, assumed: Assumed): number {
  const { shapes } = propagate(network, { bindings: bindingsOf(network, assumed), onError: "unknown" });
  let largest = 0;
  for (const shape of shapes.values()) largest = Math.max(largest, sizeOf(shape));
  return largest;
}

/** {@link Assumed} as sizes of named dimensions. */
function bindingsOf(network: Network, { batch, sizes }: Assumed): Bindings {
  const first = network.inputs[0]?.shape[0];
  return { ...sizes, ...(typeof first === "string" ? { [first]: batch } : {}), batch };
}

/** The network with its open sizes, and its batch, bound to numbers; a batch that is no number stays open unless it has to be 1. */
export function boundTo(network: Network, { batch, sizes }: Assumed): Network {
  const bind = <T extends { readonly shape: readonly Dim[] }>(value: T): T => ({
    ...value,
    shape: value.shape.map((dim, i) =>
      typeof dim === "number" || (i === 0 && batch > 1) ? dim : i === 0 ? 1 : (own(sizes, dim) ?? sides[0]),
    ),
  });
  return { ...network, inputs: network.inputs.map(bind), outputs: network.outputs.map(bind) };
}

/** What {@link fit} had to assume, a sentence each. */
export function assumptions(network: Network, { batch, sizes }: Assumed): string[] {
  const values = [...new Set(Object.values(sizes))];
  const names = Object.keys(sizes);
  // Several in a row say which is which.
  const said =
    values.length > 1 && names.length > 2
      ? names.map((name) => `${name} ${sizes[name]}`).join(", ")
      : values.join(" x ");
  return [
    ...(values.length === 0
      ? []
      : [`${names.join(", ")}: open in the file, ${said} is assumed where costs are counted`]),
    ...(batch === 1 && typeof network.inputs[0]?.shape[0] === "string"
      ? [`${network.name}: the batch is declared open, but inside it is fixed to one picture: taken for one`]
      : []),
  ];
}

/** Names of open dimensions other than the first, which is the batch. */
export function openSizes(shape: readonly Dim[]): string[] {
  return shape.slice(1).filter((dim) => typeof dim === "string");
}
