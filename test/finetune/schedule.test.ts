import { expect } from "chai";
import { bestOf } from "../../lib/finetune/finetune.ts";
import { learningRateAt, plateauRate } from "../../lib/finetune/schedule.ts";

describe("learning rate schedule", () => {
  const schedule = { peak: 0.01, steps: 100, warmup: 10 };

  it("rises to the peak, then falls to zero", () => {
    const rates = Array.from({ length: 101 }, (_, step) => learningRateAt(schedule, step));
    for (let step = 1; step <= 10; step++) expect(rates[step]).to.be.greaterThan(rates[step - 1]);
    for (let step = 11; step <= 100; step++) expect(rates[step]).to.be.lessThan(rates[step - 1]);
    expect(Math.max(...rates)).to.be.closeTo(0.01, 1e-12);
    expect(rates[0]).to.be.greaterThan(0);
    expect(rates[100]).to.be.closeTo(0, 1e-12);
  });
});

describe("bestOf", () => {
  const epoch = (epoch: number, valAccuracy: number, valLoss: number) => ({
    epoch,
    valAccuracy,
    valLoss,
    learningRate: 0,
    seconds: 0,
  });

  it("judges by the loss alone where that is asked for, and never by a loss that is no number", () => {
    const numbers = [
      epoch(0, 0.4, 1.06),
      epoch(1, 0.42, 0.9),
      epoch(2, 0.38, 0.29),
      epoch(3, 0.6, Number.NaN),
    ];
    expect(bestOf(numbers, 100, "loss")).to.equal(2);
    expect(bestOf([epoch(0, 0.9, 0.3), epoch(1, 0.99, Number.NaN)], 500)).to.equal(0);
    expect(bestOf([epoch(0, 0.9, Number.NaN), epoch(1, 0.5, 7)], 500)).to.equal(1);
    expect(bestOf([epoch(0, 0.9, Number.NaN), epoch(1, 0.5, 7)], 500, "loss")).to.equal(1);
  });

  it("keeps the highest accuracy to the letter where a paper says so: of the trained epochs, the first that has it", () => {
    const run = [epoch(0, 0.99, 0.1), epoch(1, 0.9, 0.2), epoch(2, 0.9001, 5), epoch(3, 0.9001, 1)];
    expect(bestOf(run, 100, "highest")).to.equal(2);
    expect(bestOf(run.slice(0, 1), 100, "highest")).to.equal(0);
  });

  it("takes the most accurate epoch; of those within half an error of it, the one with the lowest loss", () => {
    const start = epoch(0, 0.9, 0.3);
    expect(bestOf([start, epoch(1, 0.95, 0.2), epoch(2, 0.95, 0.1), epoch(3, 0.95, 0.1)], 500)).to.equal(2);
    // half an error is 0.0067 with 500 pictures, 0.0007 with 50,000
    const close = [start, epoch(1, 0.955, 0.2), epoch(2, 0.95, 0.1)];
    expect(bestOf(close, 500)).to.equal(2);
    expect(bestOf(close, 50_000)).to.equal(1);
    expect(bestOf([start, epoch(1, 0.8, 0.1)], 500)).to.equal(0);
  });

  it("does not drift to ever lower accuracy with ever lower loss", () => {
    const falling = [epoch(0, 0.8, 0.9), epoch(1, 0.9, 0.5), epoch(2, 0.895, 0.4), epoch(3, 0.889, 0.3)];
    expect(bestOf(falling, 500)).to.equal(2);
  });

  it("keeps epoch 0 where training is ahead by chance only, unless its loss is lower by a fifth", () => {
    const history = [epoch(0, 0.986, 0.05), epoch(1, 0.988, 0.045)];
    expect(bestOf(history, 500)).to.equal(0);
    expect(bestOf(history, 50_000)).to.equal(1);
    expect(bestOf([epoch(0, 0.986, 0.05), epoch(1, 0.986, 0.045)], 50_000)).to.equal(0);
    expect(bestOf([epoch(0, 0.968, 0.11), epoch(1, 0.966, 0.079)], 500)).to.equal(1);
  });
});

describe("finetune/schedule: plateau", () => {
  const rateAfter = (losses: readonly number[]): number =>
    plateauRate({
      peak: 1,
      epoch: losses.length,
      step: 0,
      history: losses.map((valLoss, epoch) => ({
        epoch,
        valLoss,
        valAccuracy: 0,
        learningRate: 1,
        seconds: 0,
      })),
    });

  it("a tenth for every two epochs in a row without a lower validation loss", () => {
    expect(rateAfter([])).to.equal(1);
    expect(rateAfter([3, 2, 2.5])).to.equal(1);
    expect(rateAfter([3, 2, 2.5, 2.1])).to.be.closeTo(0.1, 1e-12);
    expect(rateAfter([3, 2, 2.5, 1.9, 2, 1.8])).to.equal(1);
    expect(rateAfter([3, 2, 2, 2, 2, 2])).to.be.closeTo(0.01, 1e-12);
  });
});
