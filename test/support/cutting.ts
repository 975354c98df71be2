/** A network written as a file, cut as the program cuts it, and compared with its masked original at any size. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readModel } from "../../lib/backbones/read-model.ts";
import { silent } from "../../lib/core/progress.ts";
import { writeOnnx } from "../../lib/formats/onnx/write.ts";
import { maskedNetwork } from "../../lib/jobs/cut/check.ts";
import { cutModel, type CutResult } from "../../lib/jobs/cut/cut.ts";
import type { CutOptions } from "../../lib/jobs/cut/options.ts";
import type { Network } from "../../lib/network/network.ts";
import { randomInputs, relativeDifference, run } from "./run.ts";

export interface CutOfNetwork {
  readonly result: CutResult;
  /** As read from its file. */
  readonly original: Network;
  readonly small: Network;
  /** Notes and warnings, a line each. */
  readonly said: string;
}

export async function putModel(folder: string, network: Network, name = "model.onnx"): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, writeOnnx(network));
  return path;
}

export async function cutNetwork(
  folder: string,
  network: Network,
  options: Partial<CutOptions> = {},
): Promise<CutOfNetwork> {
  const model = await putModel(folder, network);
  const out = join(folder, "out.onnx");
  const said: string[] = [];
  const progress = {
    ...silent,
    note: (text: string) => void said.push(text),
    warn: (text: string) => void said.push(text),
  };
  const result = await cutModel({ model, out, keep: 0.5, threads: 1, progress, ...options });
  return { result, original: await readModel(model), small: await readModel(out), said: said.join("\n") };
}

/** Output channels that are gone. */
export const removed = ({ layers }: CutResult): number =>
  layers.reduce((sum, { keptOutputs, totalOutputs }) => sum + totalOutputs - keptOutputs.length, 0);

/** Between the cut and the masked original on noise of one shape, relative to the largest output. */
export async function differenceAt(
  { result, original, small }: Pick<CutOfNetwork, "result" | "original" | "small">,
  shape: readonly number[],
): Promise<number> {
  const sized = { ...original, inputs: [{ ...original.inputs[0], shape }] };
  const inputs = randomInputs(sized, { batch: shape[0], seed: 1 });
  return relativeDifference(
    await run(small, inputs),
    await run(maskedNetwork(original, result.layers), inputs),
  );
}
