/** Calls face-api on pixels in memory. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

const script = resolve(import.meta.dirname, "face-api.ts");

/** What `test/support/face-api.ts` says about pictures given as RGB bytes. */
export async function runFaceApi<T>(
  what: "describe" | "landmarks" | "detect",
  pictures: readonly Uint8Array[],
) {
  const folder = await mkdtemp(join(tmpdir(), "etl-face-"));
  try {
    const files = pictures.map((_, i) => join(folder, `${i}.rgb`));
    await Promise.all(files.map((file, i) => writeFile(file, pictures[i])));
    const { stdout } = await promisify(execFile)(process.execPath, [
      "--import",
      "tsx",
      script,
      what,
      ...files,
    ]);
    return JSON.parse(stdout) as T[];
  } finally {
    await rm(folder, { recursive: true });
  }
}
