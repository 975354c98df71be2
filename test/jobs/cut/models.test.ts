import { expect } from "chai";
import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readModel } from "../../../lib/backbones/read-model.ts";
import { readJson } from "../../../lib/core/files.ts";
import { cutModel } from "../../../lib/jobs/cut/cut.ts";
import { maskByPlan, type PlanEntry } from "../../support/file-mask.ts";
import { requireOrSkip } from "../../support/require.ts";
import { randomInputs, relativeDifference, run } from "../../support/run.ts";

const folder = process.env["ETL_MODELS"] ?? "";
const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".onnx")) : [];

/** Exports of torchvision, say: see fixtures/make/torchvision-models.py. */
describe("cut: real architectures (ETL_MODELS names a folder of ONNX files)", function () {
  this.timeout(600_000);
  let scratch: string;

  before(async () => {
    scratch = await mkdtemp(join(tmpdir(), "etl-models-"));
  });
  after(() => rm(scratch, { recursive: true, force: true }));

  it("there are models to cut", function () {
    requireOrSkip(this, "models", files.length > 0);
  });

  for (const file of files) {
    it(`${file}: three random halves compute what the masked file computes, and are smaller`, async () => {
      const model = join(folder, file);
      const original = await readModel(model);
      const inputs = randomInputs(original, { batch: 2, seed: 1 });
      for (const seed of [0, 1, 2]) {
        const [out, planOut] = [join(scratch, "cut.onnx"), join(scratch, "plan.json")];
        const how = { criterion: "random", keep: 0.5, check: false } as const;
        const { before, after } = await cutModel({ model, out, planOut, seed, ...how });
        const { layers } = (await readJson(planOut)) as { layers: PlanEntry[] };
        const expected = await run(maskByPlan(original, layers), inputs);
        expect(relativeDifference(await run(await readModel(out), inputs), expected)).to.be.at.most(1e-4);
        expect(after.macs).to.be.below(0.6 * before.macs);
        expect(after.fileBytes).to.be.below(0.6 * before.fileBytes);
        const silent = layers.filter(
          ({ keptOutputs, totalOutputs, reason }) => keptOutputs.length === totalOutputs && !reason,
        );
        expect(silent.map(({ name }) => name)).to.deep.equal([]);
      }
    });
  }
});
