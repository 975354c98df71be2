/**
 * What one picture costs on this machine: decoding, and `etl bench` of some backbones. The cost model of
 * docs/scale-out.md is made of these numbers.
 *
 *     npx tsx test/bench/costs.ts [BACKBONES face-resnet,resnet50,vggface] [batch 32] [rounds 5]
 */
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { nowMs } from "../../lib/core/clock.ts";
import { createRandom } from "../../lib/core/random.ts";
import { decodeImage } from "../../lib/data/images/decode.ts";
import { mapLimit } from "../../lib/core/parallel.ts";
import { benchBackbone } from "../../lib/jobs/use/bench.ts";
import { median, report, round } from "./support.ts";

const [names = "face-resnet,resnet50,vggface", ...numbers] = process.argv.slice(2);
const [batch = 32, rounds = 5] = numbers.map(Number);
const pictures = 64;
/** Width and height of CelebA's aligned pictures. */
const [width, height] = [178, 218];

/** Milliseconds to decode, crop and scale a JPEG of 178x218 to 150x150, as many at once as in a run. */
async function decodeMs(): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "etl-costs-"));
  const random = createRandom(1);
  const files = Array.from({ length: pictures }, (_, i) => join(folder, `${i}.jpg`));
  try {
    for (const file of files) {
      // Smooth noise, neither white noise nor a flat area: near a photograph in the work of decoding.
      const coarse = Uint8Array.from({ length: 3 * 24 * 24 }, () => random.integer(256));
      const image = sharp(coarse, { raw: { width: 24, height: 24, channels: 3 } });
      await image.resize(width, height, { fit: "fill" }).jpeg({ quality: 90 }).toFile(file);
    }
    const times: number[] = [];
    for (let i = 0; i <= rounds; i++) {
      const start = nowMs();
      await mapLimit(files, availableParallelism() + 1, (file) =>
        decodeImage(file, [0.18, 0.35, 0.82, 0.87], { width: 150, height: 150 }),
      );
      if (i > 0) times.push((nowMs() - start) / pictures);
    }
    return median(times);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const decode = round(await decodeMs());
const rows: Record<string, string | number>[] = [];
for (const name of names.split(",")) {
  const bench = await benchBackbone(name, { batch, rounds, engine: "ort" });
  rows.push({
    ...{ backbone: name, batch, rounds, threads: bench.threads, decodeMs: decode },
    ...{
      forwardMs: round(bench.forwardMs),
      forwardTapsMs: round(bench.forwardTapsMs),
      trainMs: round(bench.trainMs),
    },
  });
}
await report("costs", rows);
