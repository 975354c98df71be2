import { expect } from "chai";
import { createRandom } from "../../lib/core/random.ts";
import { calibrateLogits } from "../../lib/finetune/calibrate.ts";
import { lossValue } from "../../lib/finetune/losses.ts";

describe("calibrateLogits", () => {
  const random = createRandom(5);
  const n = 4000;

  it("finds the scale and offset that spoiled yes/no logits", () => {
    const truth = Float32Array.from({ length: n }, () => 2 * random.normal());
    const targets = truth.map((z) => (random.uniform() < 1 / (1 + Math.exp(-z)) ? 1 : 0));
    const logits = truth.map((z) => 20 * (z + 0.5));
    const { scale, offset } = calibrateLogits("binary", { logits, targets }, 1);
    expect(scale[0]).to.be.closeTo(1 / 20, 0.005);
    expect(offset[0]).to.be.closeTo(-0.5, 0.12);
    const before = lossValue("binary", { predictions: logits, targets }, 1);
    const after = lossValue(
      "binary",
      { predictions: logits.map((z) => z * scale[0] + offset[0]), targets },
      1,
    );
    expect(after).to.be.lessThan(0.5 * before);
  });

  it("finds the temperature of classes", () => {
    const truth = Float32Array.from({ length: n * 3 }, () => 1.5 * random.normal());
    const targets = new Float32Array(n * 3);
    for (let i = 0; i < n; i++) {
      const weights = [0, 1, 2].map((k) => Math.exp(truth[3 * i + k]));
      let left = random.uniform() * (weights[0] + weights[1] + weights[2]);
      const chosen = weights.findIndex((weight) => (left -= weight) < 0);
      targets[3 * i + chosen] = 1;
    }
    const { scale } = calibrateLogits("categorical", { logits: truth.map((z) => 8 * z), targets }, 3);
    expect(scale[0]).to.be.closeTo(1 / 8, 0.015);
  });

  it("leaves numbers and one-sided labels alone", () => {
    const logits = Float32Array.from([1, 2, 3]);
    expect(calibrateLogits("regression", { logits, targets: logits }, 1).scale[0]).to.equal(1);
    expect(calibrateLogits("binary", { logits, targets: new Float32Array(3) }, 1).scale[0]).to.equal(1);
  });
});
