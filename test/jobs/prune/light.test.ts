import { expect } from "chai";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { initialise } from "../../../lib/backbones/initialise.ts";
import { buildMobilenetV1 } from "../../../lib/backbones/nets/mobilenet-v1.ts";
import { buildShufflenetV2 } from "../../../lib/backbones/nets/shufflenet-v2.ts";
import { readBytes } from "../../../lib/core/files.ts";
import type { RunMetrics } from "../../../lib/record/record.ts";
import { readOnnx } from "../../../lib/formats/onnx/read.ts";
import { writeOnnx } from "../../../lib/formats/onnx/write.ts";
import { costOf } from "../../../lib/network/cost.ts";
import { intAttribute, type Network } from "../../../lib/network/network.ts";
import { prune } from "../../../lib/jobs/prune/prune.ts";
import { evaluateModel } from "../../../lib/jobs/use/evaluate.ts";

/** Both kinds of light network on pictures of 32x32: depthwise convolutions, and channel shuffles beside them. */
const networks: Readonly<Record<string, () => Network>> = {
  "mobilenet-v1": () => buildMobilenetV1({ width: 0.25, side: 32, classes: 2 }),
  "shufflenet-v2": () => buildShufflenetV2({ width: 0.5, side: 32, classes: 2 }),
};

describe("prune, light networks from nothing, on drawn faces", function () {
  this.timeout(240_000);
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-prune-light-"));
  });
  after(() => rm(root, { recursive: true, force: true }));

  for (const [name, build] of Object.entries(networks)) {
    it(`${name}: cut, trained and measured; depthwise convolutions stay depthwise`, async () => {
      const [out, cacheDir, data] = [join(root, name), join(root, "cache"), "synthetic:60"];
      const backbone = join(root, `${name}.onnx`);
      await writeFile(backbone, writeOnnx(initialise(build(), 1)));
      const record = await prune({
        ...{ backbone, task: "gender", data, out, cacheDir },
        ...{
          gamma: 0.5,
          epochs: 1,
          baselineEpochs: 0,
          learningRates: [1e-4],
          batchSize: 8,
          runs: 2,
          seed: 3,
        },
      });
      const metrics = JSON.parse(await readFile(join(out, "metrics.json"), "utf8")) as RunMetrics;
      const [before, after] = await Promise.all(
        ["baseline", "pruned"].map(async (model): Promise<Network> => {
          const file = join(out, `${model}.onnx`);
          return readOnnx(await readBytes(file), { name: file });
        }),
      );
      expect(costOf(after).total.macs).to.equal(metrics.pruned.macs);
      expect(metrics.pruned.macs).to.be.below(0.9 * metrics.baseline.macs);
      expect(metrics.pruned.params).to.be.below(0.9 * metrics.baseline.params);
      const [whole, cut] = [depthwiseFilters(before), depthwiseFilters(after)];
      expect([...cut.keys()]).to.deep.equal([...whole.keys()]);
      expect(cut.size).to.be.greaterThan(10);
      expect([...cut].some(([node, filters]) => filters < (whole.get(node) ?? 0))).to.equal(true);
      const history = record.models.find((model) => model.name === "pruned")?.history ?? [];
      expect(history.map(({ epoch }) => epoch)).to.deep.equal([0, 1]);
      const again = await evaluateModel(out, { data, split: "test", cacheDir });
      expect(again.accuracy).to.equal(metrics.pruned.accuracy);
    });
  }
});

/** Filters of every depthwise convolution: as many as it has inputs. */
function depthwiseFilters({ nodes, parameters }: Network): Map<string, number> {
  const grouped = nodes.filter((node) => node.op === "Conv" && intAttribute(node, "group", 1) > 1);
  return new Map(
    grouped.map((node) => {
      const [filters, inputs] = parameters.get(node.inputs[1])?.shape ?? [];
      expect([filters, inputs], node.name).to.deep.equal([intAttribute(node, "group", 1), 1]);
      return [node.name, filters];
    }),
  );
}
