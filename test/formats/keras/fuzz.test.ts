import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect } from "chai";
import { isEtlError } from "../../../lib/core/errors.ts";
import { createRandom } from "../../../lib/core/random.ts";
import { readKerasModel } from "../../../lib/formats/keras/h5.ts";
import { mutate } from "../mutate.ts";

/** Number of mutated files, few because each starts a thread; `ETL_FUZZ=10000` for the long run. */
const runs = Number(process.env["ETL_FUZZ"] ?? 6);

describe("formats/keras: fuzz", () => {
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
