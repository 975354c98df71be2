import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect } from "chai";
import { cutAt } from "../../lib/backbones/head.ts";
import { preprocessingOf } from "../../lib/backbones/metadata.ts";
import { buildResnet18, buildResnet50, resnetValues } from "../../lib/backbones/nets/resnet.ts";
import { buildVgg16, vggfacePreprocessing, vggfaceValues } from "../../lib/backbones/nets/vggface.ts";
import { assignWeights } from "../../lib/backbones/weights.ts";
import type { Engine } from "../../lib/engine/engine.ts";
import { openEngine } from "../../lib/engine/open.ts";
import { costOf } from "../../lib/network/cost.ts";
import { foldBatchNorm } from "../../lib/network/fold-batch-norm.ts";
import { producersOf, type Network } from "../../lib/network/network.ts";
import { hashedWeights, noise } from "../support/hashed.ts";

const folder = resolve(import.meta.dirname, "../../fixtures/backbones");

interface Fixture {
  readonly network: "resnet18" | "resnet50" | "vggface";
  readonly side: number;
  readonly names: readonly (readonly [name: string, shape: readonly number[]])[];
  readonly shape: readonly number[];
  readonly outputs: readonly number[];
}

describe("backbones/builders", () => {
  const counts: [title: string, build: () => Network, macs: number, params: number][] = [
    ["vggface: 15.48 G MACs, 145.0 M parameters", () => buildVgg16(), 15_476_908_032, 145_002_878],
    ["resnet18: 1.81 G MACs, 11.7 M parameters", () => buildResnet18(), 1_814_073_344, 11_689_512],
    ["resnet50: 4.09 G MACs, 25.6 M parameters", () => buildResnet50(), 4_089_184_256, 25_557_032],
    [
      "resnet50 as in the paper: 3.86 G MACs",
      () => buildResnet50({ strideOn: "1x1" }),
      3_857_973_248,
      25_557_032,
    ],
  ];
  for (const [title, build, macs, params] of counts) {
    it(title, () => {
      const { total } = costOf(build());
      expect([total.macs, total.params]).to.deep.equal([macs, params]);
    });
  }

  it("most of VGGFace sits in its head", () => {
    const { head } = costOf(buildVgg16());
    expect(head.params).to.equal(130_288_190);
  });

  it("names values that exist", () => {
    for (const [network, values] of [
      [buildVgg16({ side: 32, classes: 2 }), vggfaceValues],
      [buildResnet18(), resnetValues],
    ] as const) {
      const made = producersOf(network);
      expect([values.features, values.embedding].every((name) => made.has(name))).to.equal(true);
      expect(network.inputs[0].name).to.equal(values.input);
    }
    expect(preprocessingOf(buildVgg16())).to.deep.equal(vggfacePreprocessing);
  });

  describe("against torchvision", () => {
    let engine: Engine;
    before(async () => {
      engine = await openEngine({ engine: "ort" });
    });
    after(() => engine.dispose());

    for (const file of readdirSync(folder)) {
      it(`${file}: the same outputs from the same weights`, async () => {
        const fixture = JSON.parse(readFileSync(resolve(folder, file), "utf8")) as Fixture;
        const { side, names, shape, outputs } = fixture;
        const weights = hashedWeights(names);
        const build = {
          resnet18: () => buildResnet18({ classes: 10, side }),
          resnet50: () => buildResnet50({ classes: 10, side }),
          vggface: () => cutAt(buildVgg16({ classes: 10, side }), "pool5"),
        };
        const network = assignWeights(build[fixture.network](), weights, file);
        const data = noise("image", 2 * 3 * side * side);
        const folded = fixture.network === "resnet18" ? [foldBatchNorm(network)] : [];
        for (const variant of [network, ...folded]) {
          const program = await engine.compile(variant);
          const result = (await program.run({ image: { shape: [2, 3, side, side], data } }))[
            variant.outputs[0].name
          ];
          await program.dispose();
          const area = result.data.length / outputs.length;
          expect(result.shape.slice(0, 2)).to.deep.equal(shape);
          const scale = Math.max(...outputs.map(Math.abs));
          outputs.forEach((expected, i) => {
            const part = result.data.subarray(i * area, (i + 1) * area);
            const mean = part.reduce((sum, value) => sum + value, 0) / area;
            expect(Math.abs(mean - expected), `output ${i}`).to.be.lessThan(1e-4 * scale);
          });
        }
      });
    }
  });

  it("names the weight that is missing, left over or of another shape", () => {
    const network = buildResnet18({ classes: 10 });
    const weights = new Map(network.parameters);
    weights.delete("layer1.0.conv1.weight");
    expect(() => assignWeights(network, weights, "w.safetensors"))
      .to.throw('w.safetensors: no weight "layer1.0.conv1.weight", all of resnet18 were needed')
      .with.property("hint", 'the nearest name in the file is "layer1.0.conv2.weight"');
    const other = new Map(buildResnet18({ classes: 10 }).parameters).set("aux", weights.get("fc.bias")!);
    expect(() => assignWeights(network, other, "w")).to.throw(
      "w: 1 weights that resnet18 has no place for (aux)",
    );
    expect(() => assignWeights(buildResnet18({ classes: 11 }), network.parameters, "w"))
      .to.throw('w: weight "fc.weight" is float32 [10, 512], float32 [11, 512] was needed')
      .with.property("hint")
      .that.contains("another network than resnet18, or to one of another width");
  });
});
