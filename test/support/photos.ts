import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { createRandom } from "../../lib/core/random.ts";

/** Pictures of noise, 40 x 40, in a new folder `photos`. */
export async function writePhotos(root: string, count: number): Promise<string[]> {
  await mkdir(join(root, "photos"));
  const random = createRandom(3).fork("photos");
  return Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const pixels = Buffer.from(Array.from({ length: 40 * 40 * 3 }, () => random.integer(256)));
      const file = join(root, "photos", `${i}.png`);
      await sharp(pixels, { raw: { width: 40, height: 40, channels: 3 } })
        .png()
        .toFile(file);
      return file;
    }),
  );
}
