import { expect } from "chai";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Batch } from "../../../lib/data/images/batches.ts";
import { float32, type Network, type Tensor } from "../../../lib/network/network.ts";
import { silent } from "../../../lib/core/progress.ts";
import { createRandom } from "../../../lib/core/random.ts";
import { closeWorld } from "../../../lib/jobs/run/world.ts";
import { openParts, pictures, type RunParts } from "../../../lib/jobs/prune/context.ts";
import { distillation } from "../../../lib/jobs/prune/distil.ts";
import { headed } from "../../../lib/jobs/prune/head.ts";
import { resolveOptions } from "../../../lib/jobs/prune/config.ts";
import type { Units } from "../../../lib/jobs/run/units.ts";

describe("jobs/prune/distil", function () {
  this.timeout(120_000);
  let root: string;
  let context: RunParts;
  let whole: Network;
  let batch: Batch;
  let truth: Readonly<Record<string, Tensor>>;

  const kept = Uint32Array.of(1, 7, 250);
  const units: Units = { mean: Float64Array.of(30), std: Float64Array.of(5) };

  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-distilling-"));
    const config = resolveOptions({
      ...{ task: "age", data: "synthetic:40", out: join(root, "run"), cacheDir: join(root, "cache") },
      ...{ distill: 2, distillOutputs: 3, batchSize: 8 },
    });
    context = await openParts(config, { progress: silent });
    const { backbone, tasks, engine, rows } = context;
    const random = createRandom(5);
    const weight = Float32Array.from({ length: 256 }, () => random.normal());
    whole = headed(backbone.network, backbone.features, [{ weight, bias: Float32Array.of(31) }], tasks);
    const options = { shuffle: true, epoch: 1, augment: { mirror: true } };
    for await (const each of pictures(context, rows.train, options)) {
      batch = each;
      break;
    }
    const program = await engine.compile(whole, { outputs: [backbone.features, "prediction"] });
    truth = await program.run({ [whole.inputs[0].name]: batch.x });
    await program.dispose();
  });
  after(async () => {
    await closeWorld(context);
    await rm(root, { recursive: true, force: true });
  });

  const lesson = (network: Network) => ({
    ...{ teacher: context.backbone.network, kept, student: "student" },
    answers: { network, units: [units], key: "" },
  });

  function close(found: Tensor["data"], needed: number[]): void {
    expect(found.length).to.equal(needed.length);
    needed.forEach((value, i) => expect(found[i]).to.be.closeTo(value, 1e-4 * (1 + Math.abs(value))));
  }

  const features = (): number[] =>
    Array.from(batch.rows.keys()).flatMap((i) =>
      Array.from(kept, (c) => truth[context.backbone.features].data[i * 256 + c]),
    );
  const answers = (): number[] =>
    Array.from(truth["prediction"].data, (years) => (years - units.mean[0]) / units.std[0]);

  it("feeds what the unpruned network says of the pictures as they are fed, mirrored ones too, in training units", async () => {
    expect(new Set(batch.mirrored).size, "some mirrored, some not").to.equal(2);
    const opened = await distillation(context, lesson(whole));
    expect(opened.terms.map(({ output, weight }) => [output, weight])).to.deep.equal([
      ["student", 2],
      ["prediction", 3],
    ]);
    const fed = await opened.targets(batch);
    await opened.dispose();
    const [first, second] = opened.terms;
    close(fed[first.target].data, features());
    close(fed[second.target].data, answers());
    for (const { target, mask = "" } of opened.terms) {
      const [n, width] = fed[target].shape;
      expect(fed[mask].shape).to.deep.equal([n, width]);
      const weights = fed[mask].data;
      expect(weights.every((value, i) => value > 0 && value === weights[i % width])).to.equal(true);
    }
  });

  it("weighs every feature and output by one over its variance among the training pictures", async () => {
    const opened = await distillation(context, lesson(whole));
    let [sum, squares, n] = [0, 0, 0];
    let weight = 0;
    for await (const each of pictures(context, context.rows.train)) {
      const fed = await opened.targets(each);
      weight = fed[opened.terms[1].mask ?? ""].data[0];
      for (const value of fed[opened.terms[1].target].data) {
        sum += value;
        squares += value * value;
        n += 1;
      }
    }
    await opened.dispose();
    const variance = squares / n - (sum / n) ** 2;
    expect(weight * variance * 1.001).to.be.closeTo(1, 1e-3);
  });

  it("takes the features from the teacher and the answers from the full network where these differ", async () => {
    const name = "conv32_1/conv1.weight";
    const { shape, data } = whole.parameters.get(name) ?? float32([0], new Float32Array());
    const changed = float32(
      shape,
      (data as Float32Array).map((value) => 1.5 * value),
    );
    const other = { ...whole, parameters: new Map([...whole.parameters, [name, changed]]) };
    const opened = await distillation(context, lesson(other));
    const fed = await opened.targets(batch);
    await opened.dispose();
    close(fed[opened.terms[0].target].data, features());
    const moved = fed[opened.terms[1].target].data;
    expect(answers().some((value, i) => Math.abs(value - moved[i]) > 1e-2)).to.equal(true);
  });

  it("leaves out what weighs nothing", async () => {
    const without = { ...context, config: { ...context.config, distill: 0 } };
    const opened = await distillation(without, lesson(whole));
    const fed = await opened.targets(batch);
    await opened.dispose();
    expect(opened.terms.map(({ output }) => output)).to.deep.equal(["prediction"]);
    close(fed[opened.terms[0].target].data, answers());
  });
});
