import { expect } from "chai";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isEtlError } from "../../../lib/core/errors.ts";
import {
  architectureOf,
  architectures,
  checkSide,
  smallestSide,
} from "../../../lib/backbones/architecture.ts";
import { costOf } from "../../../lib/network/cost.ts";
import { resolveTrainOptions } from "../../../lib/jobs/train/config.ts";
import type { TrainOptions } from "../../../lib/jobs/train/options.ts";
import { root } from "../../docs/markdown.ts";

const plain: TrainOptions = { arch: "mobilenet-v1", task: "gender", data: "synthetic:40", out: "run" };

describe("jobs/train: options that would change nothing, and pictures too small", () => {
  for (const [what, wrong, text] of [
    ["one layer for all", { arch: "lmtcnn-1-1", heads: "forty" }, "--heads forty: lmtcnn-1-1 ignores it"],
    ["no dropout", { arch: "dmm-cnn", dropout: 0.4 }, "--dropout 0.4: dmm-cnn ignores it, one of resnet18"],
    ["no groups", { groups: false }, "--no-groups: mobilenet-v1 ignores it, dmm-cnn was needed"],
    ["no landmarks", { landmarks: false }, "--no-landmarks: mobilenet-v1 ignores it, dmm-cnn was needed"],
    ["thresholds that stay", { thresholdRate: 0.2 }, "--threshold-rate 0.2: --thresholds fixed ignores it"],
    ["changes of none", { augment: false, zoom: 0.1 }, "--zoom 0.1: --no-augment ignores it"],
    [
      "an interval of nothing",
      { updateEvery: 5 },
      "--update-every 5: --thresholds fixed with --loss-weights equal ignores it",
    ],
    ["48 for lmtcnn", { arch: "lmtcnn-1-1", size: 48 }, "--size: 48 with lmtcnn-1-1, at least 51 was needed"],
    ["64 for dmm-cnn", { arch: "dmm-cnn", size: 64 }, "--size: 64 with dmm-cnn, at least 65 was needed"],
  ] as const) {
    it(`${what}: ${text}`, () => {
      let error: unknown;
      try {
        resolveTrainOptions({ ...plain, ...wrong }, "train");
      } catch (thrown) {
        error = thrown;
      }
      expect(isEtlError(error, "usage"), String(error)).to.equal(true);
      expect((error as Error).message).to.contain(text);
    });
  }

  it("`arch` is the older name of `backbone`: the same run; two that differ, none and a trained one are refused", () => {
    const { arch, ...rest } = plain;
    const named = { ...rest, backbone: "mobilenet-v1" };
    expect(resolveTrainOptions(named, "train").config).to.deep.equal(
      resolveTrainOptions(plain, "train").config,
    );
    for (const [wrong, text] of [
      [{ ...named, arch: "resnet18" }, "--backbone: mobilenet-v1, and as arch resnet18"],
      [rest, "--backbone: nothing"],
      [{ ...rest, backbone: "face-resnet" }, '--backbone: found "face-resnet"'],
      [{ ...rest, backbone: "resnet19" }, '--backbone: found "resnet19"'],
    ] as const)
      expect(() => resolveTrainOptions(wrong, "train")).to.throw(text);
    expect(arch).to.equal("mobilenet-v1");
  });

  it("what a run keeps of its options passes again", () => {
    for (const { name } of architectures) {
      const { config } = resolveTrainOptions({ ...plain, arch: name }, "train");
      const { command, ...kept } = config;
      expect(resolveTrainOptions(kept, command).config).to.deep.equal(config);
    }
  });

  it("LMTCNN for age group and gender has the paper's two softmax layers: 2,178,666 parameters", () => {
    const { build, side, softmax } = architectureOf("lmtcnn-1-1");
    expect(softmax).to.equal(true);
    const heads = [8, 2].map((outputs, k) => ({ name: ["age-group", "gender"][k], outputs }));
    expect(costOf(build({ heads, side, dropout: 0.5 })).total.params).to.equal(2_178_666);
  });

  it("the seven variants of DMM-CNN's Table 1 are seven calls, each of its own", () => {
    const page = readFileSync(join(root, "docs/light-networks.md"), "utf8");
    const calls = [...page.matchAll(/^\| (Baseline|DMM-[A-Z-]+) +\| `([^`]+)` +\|$/gm)];
    const names = ["Baseline", "DMM-FAC", "DMM-EQ-FIX", "DMM-EQ-AT", "DMM-DW-FIX", "DMM-SPP", "DMM-CNN"];
    expect(calls.map(([, name]) => name)).to.deep.equal(names);
    const resolved = calls.map(([, , call]) => {
      const words = call.split(" ");
      const after = (flag: string): string | undefined =>
        words.includes(flag) ? words[words.indexOf(flag) + 1] : undefined;
      const given = {
        backbone: after("--backbone"),
        landmarks: words.includes("--no-landmarks") ? false : undefined,
        groups: words.includes("--no-groups") ? false : undefined,
        lossWeights: after("--loss-weights"),
        thresholds: after("--thresholds"),
      };
      const asked = { ...plain, arch: undefined, task: "attributes", ...given } as unknown as TrainOptions;
      const { config } = resolveTrainOptions(asked, "train");
      const { backbone, landmarks, groups, lossWeights, thresholds, epochs, learningRate, batchSize } =
        config;
      expect([epochs, learningRate, batchSize]).to.deep.equal([15, 0.001, 64]);
      return [backbone, landmarks, groups, lossWeights, thresholds].join(" ");
    });
    expect(resolved).to.deep.equal([
      "resnet50 true true equal fixed",
      "dmm-cnn false true dynamic adaptive",
      "dmm-cnn true true equal fixed",
      "dmm-cnn true true equal adaptive",
      "dmm-cnn true true dynamic fixed",
      "dmm-cnn true false dynamic adaptive",
      "dmm-cnn true true dynamic adaptive",
    ]);
  });

  it("the smallest side of each network is one that it takes, and the next smaller is not", () => {
    for (const architecture of architectures) {
      const least = smallestSide(architecture);
      expect(() => {
        checkSide(architecture, least);
      }, architecture.name).not.to.throw();
      if (least > 1)
        expect(() => {
          checkSide(architecture, least - 1);
        }).to.throw(`at least ${least}`);
    }
  });
});
