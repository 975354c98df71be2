import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect } from "chai";
import { isEtlError } from "../../../lib/core/errors.ts";
import { createRandom } from "../../../lib/core/random.ts";
import { readKerasModel } from "../../../lib/formats/keras/h5.ts";
import { readModel } from "../../../lib/backbones/read-model.ts";
import { mutateJson } from "../../faults/fuzz/mutations.ts";
import { zipOf } from "../../support/zip.ts";
import { mutate } from "../mutate.ts";
import { modelOf, tensor, thirdWeights, type Written } from "./written.ts";

/** Number of mutated files, few because each starts a thread; `ETL_FUZZ=10000` for the long run. */
const runs = Number(process.env["ETL_FUZZ"] ?? 6);

const layers: readonly Written[] = [
  {
    kind: "Conv2D",
    config: { filters: 4, kernel_size: [3, 3] },
    weights: { kernel: tensor(3, 3, 1, 4), bias: tensor(4) },
  },
  {
    kind: "BatchNormalization",
    weights: { gamma: tensor(4), beta: tensor(4), mean: tensor(4), variance: tensor(4) },
  },
  { kind: "ReLU" },
  { kind: "GlobalAveragePooling2D" },
  { kind: "Dense", config: { units: 3 }, weights: { kernel: tensor(4, 3), bias: tensor(3) } },
];

describe("formats/keras: fuzz", () => {
  it(`${runs} .keras archives with changed layers or weights are read or refused`, async function () {
    this.timeout(60_000 + runs * 5000);
    const folder = await mkdtemp(join(tmpdir(), "etl-keras-fuzz-"));
    const path = join(folder, "fuzz.keras");
    const config = Buffer.from(JSON.stringify(modelOf(8, 1, layers).config));
    const weights = await thirdWeights(layers);
    const write = (one: Uint8Array, other: Uint8Array): Promise<void> =>
      writeFile(
        path,
        zipOf({
          "metadata.json": Buffer.from(JSON.stringify({ keras_version: "3.15.1" })),
          "config.json": one,
          "model.weights.h5": other,
        }),
      );
    await write(config, weights);
    expect((await readModel(path)).nodes.length).to.be.above(4);
    let [readable, refused] = [0, 0];
    try {
      for (let i = 0; i < runs; i++) {
        const random = createRandom(i).fork("keras archives");
        await (i % 2 === 0
          ? write(mutateJson(config, random), weights)
          : write(config, mutate(weights, random)));
        try {
          const { parameters } = await readModel(path);
          readable++;
          const held = [...parameters.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
          expect(held, `mutation ${i}`).to.be.at.most(64 * weights.length);
        } catch (error) {
          if (!isEtlError(error)) throw new Error(`mutation ${i}: not an EtlError`, { cause: error });
          expect(error.message).to.match(/^[^]+: [^]+/);
          refused++;
        }
      }
    } finally {
      await rm(folder, { recursive: true });
    }
    if (runs > 1000) console.log(`      ${readable} read, ${refused} refused`);
    expect(readable).to.be.above(0);
    expect(refused).to.be.above(0);
  });

  it(`${runs} mutated .h5 files are read or refused`, async function () {
    this.timeout(60_000 + runs * 5000);
    const whole = readFileSync(resolve(import.meta.dirname, "../../../fixtures/keras/model.h5"));
    const folder = await mkdtemp(join(tmpdir(), "etl-h5-fuzz-"));
    const path = join(folder, "fuzz.h5");
    const random = createRandom("keras fuzz");
    let [readable, refused] = [0, 0];
    try {
      for (let i = 0; i < runs; i++) {
        await writeFile(path, mutate(whole, random));
        try {
          const network = await readKerasModel(path, { limit: 10_000 });
          readable++;
          const held = [...network.parameters.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
          expect(held, `mutation ${i}`).to.be.at.most(16 * whole.length);
        } catch (error) {
          if (!isEtlError(error)) throw new Error(`mutation ${i}: not an EtlError`, { cause: error });
          expect(error.message).to.match(/^(fuzz\.h5|small|[^:]*): /);
          refused++;
        }
      }
    } finally {
      await rm(folder, { recursive: true });
    }
    expect(readable).to.be.above(0);
    expect(refused).to.be.above(0);
  });
});
