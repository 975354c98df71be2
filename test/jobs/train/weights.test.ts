import { expect } from "chai";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { initialise } from "../../../lib/backbones/initialise.ts";
import { describe as described } from "../../../lib/backbones/metadata.ts";
import { architectures, smallestSide } from "../../../lib/backbones/architecture.ts";
import type { Task } from "../../../lib/core/artifacts.ts";
import { writeOnnx } from "../../../lib/formats/onnx/write.ts";
import { withWeights } from "../../../lib/jobs/train/weights.ts";
import { subnetwork } from "../../../lib/network/subnetwork.ts";

const classes = ["Bald", "Smiling", "Young"];
const task: Task = {
  name: "attributes",
  kind: "multi-label",
  columns: classes,
  outputs: 3,
  classes,
  scale: 1,
  mirror: "keep",
};

describe("jobs/train: every network starts from a model file of its own", function () {
  this.timeout(120_000);
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-weights-"));
  });
  after(() => rm(root, { recursive: true, force: true }));

  for (const architecture of architectures)
    it(`${architecture.name}: trunk and heads go on where the classes are the same, the trunk alone where they are not`, async () => {
      const { build, name, trunk } = architecture;
      const side = smallestSide(architecture);
      const empty = build({
        heads: [{ name: "prediction", outputs: 3 }],
        side,
        dropout: 0.2,
        names: classes,
      });
      const [trained, fresh] = [1, 2].map((seed) => initialise(empty, seed));
      const file = join(root, `${name}.onnx`);
      await writeFile(file, writeOnnx(described(trained, { task })));
      const inTrunk = new Set(subnetwork(empty, [trunk]).parameters.keys());
      for (const same of [true, false]) {
        const tasks = [same ? task : { ...task, classes: ["Bald", "Smiling", "Chubby"] }];
        const { network, note } = await withWeights(fresh, file, { trunk, tasks });
        expect(note).to.contain(same ? "go on behind it" : "the head is fresh");
        for (const [parameter, { data, shape, type }] of network.parameters) {
          if (type !== "float32" || shape.length === 0) continue;
          const from = same || inTrunk.has(parameter) ? trained : fresh;
          expect(Buffer.from(data.buffer, data.byteOffset, data.byteLength), parameter).to.satisfy(
            (bytes: Buffer) => {
              const own = from.parameters.get(parameter)?.data ?? data;
              return bytes.equals(Buffer.from(own.buffer, own.byteOffset, own.byteLength));
            },
          );
        }
      }
    });
});
