import { expect } from "chai";
import { backboneNames } from "../../lib/backbones/catalogue.ts";
import { buildDmmCnn } from "../../lib/backbones/nets/dmm-cnn.ts";
import { buildEfficientnetB0 } from "../../lib/backbones/nets/efficientnet.ts";
import { loadFaceResnet } from "../../lib/backbones/nets/face-resnet.ts";
import { withHead } from "../../lib/backbones/head.ts";
import { initialise } from "../../lib/backbones/initialise.ts";
import { buildLeviHassner } from "../../lib/backbones/nets/levi-hassner.ts";
import { buildLmtcnn } from "../../lib/backbones/nets/lmtcnn.ts";
import { buildMobilenetV1 } from "../../lib/backbones/nets/mobilenet-v1.ts";
import { buildMobilenetV2 } from "../../lib/backbones/nets/mobilenet-v2.ts";
import { buildResnet18, buildResnet18Mlp, buildResnet50 } from "../../lib/backbones/nets/resnet.ts";
import { buildShufflenetV2 } from "../../lib/backbones/nets/shufflenet-v2.ts";
import { buildVgg16 } from "../../lib/backbones/nets/vggface.ts";
import type { Tensors, TrainingOptions } from "../../lib/engine/engine.ts";
import { foldBatchNorm } from "../../lib/network/fold-batch-norm.ts";
import type { Network } from "../../lib/network/network.ts";
import { inferShapes } from "../../lib/network/shapes/infer.ts";
import { bothEngines, compareGradients, compareOutputs, randomTensor } from "./conformance-check.ts";

const pictures = 2;
/** Side of the pictures where the architecture leaves it open; the last maps are 2 x 2 or a little larger. */
const side = 64;
const small = { classes: 2, side };

/** The architecture of every backbone that can be named, for small pictures and with few answers. */
const architectures: Readonly<Record<string, () => Network | Promise<Network>>> = {
  "face-resnet": async () => withHead(await loadFaceResnet(), "features", { outputs: 2 }),
  vggface: () =>
    buildVgg16({ ...small, side: 32, widths: { filters: [64, 128, 256, 512, 512], linear: 64 } }),
  resnet18: () => buildResnet18(small),
  resnet50: () => buildResnet50(small),
  ...Object.fromEntries(
    [1, 0.75, 0.5, 0.25].map((width) => [
      width === 1 ? "mobilenet-v1" : `mobilenet-v1-${width}`,
      () => buildMobilenetV1({ ...small, width }),
    ]),
  ),
  "mobilenet-v2": () => buildMobilenetV2(small),
  "shufflenet-v2": () => buildShufflenetV2(small),
  "efficientnet-b0": () => buildEfficientnetB0(small),
  "resnet18-mlp": () => buildResnet18Mlp(small),
  "lmtcnn-1-1": () => buildLmtcnn({ ...small, widths: [1, 1] }),
  "lmtcnn-2-1": () => buildLmtcnn({ ...small, widths: [2, 1] }),
  "levi-hassner": () => buildLeviHassner(small),
  // Its trunk is that of resnet50; on resnet18's the heads are a quarter as large.
  "dmm-cnn": () => buildDmmCnn({ classes: 4, subjective: [1, 3], points: 3, depth: 18, side: 65 }),
};

/** Every output is trained towards numbers of its own. */
function training(network: Network): TrainingOptions {
  return {
    losses: network.outputs.map(({ name }) => ({
      ...{ kind: "squared", output: name, target: `target of ${name}`, weight: 1 },
    })),
    optimizer: { kind: "sgd" },
    seed: 5,
  };
}

function inputsOf(network: Network): { images: Tensors; targets: Tensors } {
  const [image] = network.inputs;
  const shapes = inferShapes(network, { batch: pictures });
  const tensor = (name: string): ReturnType<typeof randomTensor> =>
    randomTensor(shapes.get(name) ?? [], name);
  return {
    images: { [image.name]: tensor(image.name) },
    targets: Object.fromEntries(network.outputs.map(({ name }) => [`target of ${name}`, tensor(name)])),
  };
}

describe("engines ort and tfjs agree on every backbone", function () {
  this.timeout(180_000);
  const engines = bothEngines();

  it("every backbone has a case", () => {
    expect(Object.keys(architectures)).to.have.members(backboneNames());
  });

  for (const [name, build] of Object.entries(architectures)) {
    it(`${name}: outputs to 1e-5, gradients to 1e-4`, async () => {
      const architecture = await build();
      const { images, targets } = inputsOf(architecture);
      await compareOutputs(engines(), initialise(architecture, 1), images);
      // As weights are loaded: statistics of two small pictures would make the gradients those of rounding errors.
      const network = initialise(foldBatchNorm(architecture), 1);
      await compareGradients(engines(), network, training(network), { ...images, ...targets });
    });
  }
});
