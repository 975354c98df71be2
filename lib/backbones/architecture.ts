/** The networks of the catalogue that can be trained from nothing, and the pictures that they take. */
import { EtlError, isEtlError, nearest } from "../core/errors.ts";
import { inferShapes } from "../network/shapes/infer.ts";
import { nets, trainableNets } from "./entries.ts";
import type { Training } from "./entry.ts";
import { isModelFile } from "./read-model.ts";

/** A network that `etl train` can build. */
export interface Architecture extends Training {
  readonly name: string;
  readonly title: string;
  /** Side of its paper's pictures. */
  readonly side: number;
}

/** All of them, in the order of the catalogue. */
export const architectures: readonly Architecture[] = trainableNets.map(
  ({ name, title, preprocessing, training }) => ({ name, title, side: preprocessing.width, ...training }),
);

/** Whether an architecture can be built for pictures of a side. */
function fits({ build, name }: Architecture, side: number, width: number | undefined): boolean {
  const heads = [{ name: "prediction", outputs: name === "dmm-cnn" ? 40 : 1 }];
  try {
    inferShapes(build({ heads, side, width, dropout: 0 }));
    return true;
  } catch (error) {
    // Negative sizes of layers are range errors: the builders count before they look.
    if (isEtlError(error) || error instanceof RangeError) return false;
    throw error;
  }
}

/** The smallest side of a picture that an architecture takes, at most its paper's. */
export function smallestSide(architecture: Architecture, width?: number): number {
  let [low, high] = [1, architecture.side];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (fits(architecture, middle, width)) high = middle;
    else low = middle + 1;
  }
  return high;
}

/** @throws EtlError `usage` that says the smallest side, where the one given is smaller */
export function checkSide(architecture: Architecture, side: number, width?: number): void {
  if (side >= architecture.side || fits(architecture, side, width)) return;
  const least = smallestSide(architecture, width);
  throw new EtlError("usage", `--size: ${side} with ${architecture.name}, at least ${least} was needed`);
}

/**
 * The architecture of a name.
 *
 * @throws EtlError kind `usage` with the nearest known name, or with what takes a network that cannot begin from nothing
 */
export function architectureOf(name: string): Architecture {
  const found = architectures.find((each) => each.name === name);
  if (found !== undefined) return found;
  const names = architectures.map((each) => each.name);
  const given: unknown = name;
  if (typeof given !== "string")
    throw new EtlError("usage", `--backbone: ${String(given)}, one of ${names.join(", ")} was needed`);
  const near = nearest(name, names);
  const isKnown = nets.some((net) => net.name === name) || isModelFile(name);
  const hint = isKnown
    ? `training begins from nothing; etl prune --backbone ${name} takes trained weights`
    : near === undefined
      ? undefined
      : `did you mean "${near}"?`;
  throw new EtlError("usage", `--backbone: found "${name}", one of ${names.join(", ")} was needed`, { hint });
}
