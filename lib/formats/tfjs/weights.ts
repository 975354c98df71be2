/** Files of weights as TensorFlow.js stores them. */
import { readBeside, readJson } from "../../core/files.ts";
import type { Parameter } from "../../network/network.ts";
import { damaged, decodeTfjsWeights, parseTfjsManifest, type TfjsWeightGroup } from "./manifest.ts";

/**
 * Reads a manifest file and the binary files it names (beside it, never elsewhere).
 *
 * @returns name -> parameter, dequantised to float32 (int32 and bool stay)
 */
export async function readTfjsWeights(path: string): Promise<Map<string, Parameter>> {
  const groups = parseTfjsManifest(await readJson(path), path);
  const read = (name: string): Promise<Uint8Array> => Promise.resolve(readBeside(path, name));
  return readTfjsGroups(groups, read, path);
}

/**
 * Decodes the groups of a manifest.
 *
 * @param read gives the bytes of one of the manifest's files
 */
export async function readTfjsGroups(
  groups: readonly TfjsWeightGroup[],
  read: (name: string) => Promise<Uint8Array>,
  where: string,
): Promise<Map<string, Parameter>> {
  const result = new Map<string, Parameter>();
  const seen = new Set<string>();
  for (const path of groups.flatMap(({ paths }) => paths)) {
    if (seen.has(path)) throw damaged(where, `"${path}" twice`, "every file of weights once");
    seen.add(path);
  }
  for (const group of groups) {
    const shards = await Promise.all(group.paths.map(read));
    for (const [name, parameter] of decodeTfjsWeights(group.weights, Buffer.concat(shards), where)) {
      if (result.has(name)) throw damaged(where, `"${name}" twice`, "every weight once");
      result.set(name, parameter);
    }
  }
  return result;
}
