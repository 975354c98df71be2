/** The cut that a target asks for: a share of channels as it is, or the largest share that keeps within a limit. */
import { EtlError } from "../../core/errors.ts";
import { writeLike } from "../../formats/onnx/like.ts";
import type { Network } from "../../network/network.ts";
import { cutForTime, type CutClock } from "./clock.ts";
import type { CutCandidate, Cutter } from "./cutter.ts";
import type { CutOptions } from "./options.ts";
import { largestKeep, missedError, type Missed } from "./search.ts";

/** Steps between nothing and all that a share of channels is searched in. */
const fineSteps = 4096;

/** The cut in the first of these multiples that reaches the target; those below the block are said. */
export async function reachInBlocks(
  { blocks, own }: { readonly blocks: readonly number[]; readonly own: number },
  reach: (block: number) => Promise<CutCandidate | Missed>,
  notes: string[],
): Promise<CutCandidate> {
  for (const [i, block] of blocks.entries()) {
    const found = await reach(block);
    if ("plan" in found) {
      if (block < own) notes.push(narrower(own, block));
      return found;
    }
    if (i === blocks.length - 1) throw missedError(found);
  }
  throw new EtlError("usage", "cut: no block to round to, one was needed");
}

function narrower(asked: number, taken: number): string {
  const width = taken === 1 ? "single channels" : `multiples of ${taken}`;
  return `multiples of ${asked} channels, which the kernels compute at a time, are too wide for the target: ${width} were kept`;
}

/** The cut that reaches the target of `options`, or how much is left where nothing does. */
export async function reachTarget(
  cutter: Cutter,
  options: CutOptions,
  clock: () => Promise<CutClock>,
): Promise<CutCandidate | Missed> {
  const { keep, targetFlops, targetSize, targetMs, targetTime } = options;
  if (keep !== undefined) return cutter.cutAt(keep);
  if (targetFlops !== undefined) {
    const limit = targetFlops * cutter.planAt(1).before.macs;
    const found = await largestKeep(fineSteps, (share) => cutter.planAt(share).after.macs, limit);
    if (!found.reached) return { cost: found.cost, limit, unit: "MACs" };
    return cutter.filledAt(found.keep, ({ after }) => after.macs <= limit);
  }
  if (targetSize !== undefined) return cutForSize(cutter, targetSize);
  if (targetMs === undefined && targetTime === undefined)
    throw new EtlError("usage", "cut: no target, one was needed");
  return cutForTime(cutter, options, await clock());
}

/** The file holds more than weights (names, index tables), so the first guess is corrected by the real size. */
async function cutForSize(cutter: Cutter, target: number): Promise<CutCandidate | Missed> {
  const { original } = cutter.model;
  let extra = fileBytes(original) - cutter.planAt(1).before.bytes;
  for (let round = 0; ; round++) {
    const estimate = (share: number): number => cutter.planAt(share).after.bytes + extra;
    const found = await largestKeep(fineSteps, estimate, target);
    if (!found.reached) return { cost: found.cost, limit: target, unit: "bytes" };
    const room = target - extra;
    const cut = cutter.filledAt(found.keep, ({ after }) => after.bytes <= room);
    const size = fileBytes(cut.network);
    if (size <= target) return cut;
    extra += size - target + round * 1024;
  }
}

/** Size of a network as an ONNX file. */
export function fileBytes(network: Network): number {
  return writeLike(network).bytes.length;
}
