import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import type { Task } from "../../lib/core/artifacts.ts";
import type { Metrics } from "../../lib/record/record.ts";
import { computeMetrics, cumulativeScore } from "../../lib/evaluate/metrics.ts";

interface Fixture {
  readonly task: Task;
  readonly predictions: number[];
  readonly targets: number[];
  readonly mask?: number[];
  readonly expected: Partial<Metrics>;
}

const folder = resolve(import.meta.dirname, "../../fixtures/metrics");

/** Compares numbers, lists and objects, numbers to 1e-9. */
function expectClose(actual: unknown, expected: unknown, where: string): void {
  if (typeof expected === "number") expect(actual, where).to.be.closeTo(expected, 1e-9);
  else if (typeof expected === "object" && expected !== null) {
    expect(Object.keys(actual ?? {}).length, where).to.be.at.least(Object.keys(expected).length);
    for (const [key, value] of Object.entries(expected)) {
      expectClose((actual as Record<string, unknown>)[key], value, `${where}.${key}`);
    }
  } else expect(actual, where).to.equal(expected);
}

const binary: Task = {
  name: "gender",
  kind: "binary",
  columns: ["male"],
  classes: ["no", "yes"],
  outputs: 1,
  scale: 1,
  mirror: "keep",
};

describe("evaluate/metrics", () => {
  for (const file of readdirSync(folder)) {
    it(`agrees with scikit-learn: ${file}`, () => {
      const fixture = JSON.parse(readFileSync(resolve(folder, file), "utf8")) as Fixture;
      const { task, predictions, targets, mask, expected } = fixture;
      const metrics = computeMetrics(task, predictions, targets, mask ? { mask } : {});
      expectClose(metrics, expected, file);
      if (expected.calibration) expect(metrics.calibration).to.have.length(expected.calibration.length);
    });
  }

  it("does not depend on the order of the rows", () => {
    const row = fc.record({ logit: fc.double({ min: -9, max: 9, noNaN: true }), label: fc.nat({ max: 1 }) });
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 40 }), (rows) => {
        const of = (list: typeof rows): Metrics =>
          computeMetrics(
            binary,
            list.map(({ logit }) => logit),
            list.map(({ label }) => label),
          );
        const [forward, backward] = [of(rows), of(rows.toReversed())];
        expectClose(backward, forward, "metrics");
        const right = rows.filter(({ logit, label }) => Number(logit > 0) === label).length;
        expect(forward.accuracy).to.be.closeTo(right / rows.length, 1e-12);
      }),
    );
  });

  it("takes thresholds other than 0", () => {
    expect(computeMetrics(binary, [0.2, 0.6], [0, 1]).accuracy).to.equal(0.5);
    // Logits of 1 are answers of 73 %; numbers learnt as -1 and 1 are sure there.
    const sure = (task: Task): number[] =>
      (computeMetrics(task, [1, 1], [1, 1]).calibration ?? [])
        .filter(({ n }) => n > 0)
        .map(({ confidence }) => Number(confidence.toFixed(3)));
    expect(sure(binary)).to.deep.equal([0.731]);
    expect(sure({ ...binary, scores: "signed" })).to.deep.equal([1]);
    expect(computeMetrics(binary, [0.2, 0.6], [0, 1], { thresholds: [0.5] }).accuracy).to.equal(1);
  });

  it("drops rows without a label, and refuses to measure nothing", () => {
    const metrics = computeMetrics(binary, [1, 1, -1], [1, 0, 1], { mask: [1, 0, 0] });
    expect([metrics.n, metrics.accuracy]).to.deep.equal([1, 1]);
    expect(() => computeMetrics(binary, [1], [1], { mask: [0] }))
      .to.throw("gender: no labelled rows, at least one was needed to measure quality")
      .with.property("kind", "data");
  });

  it("counts predictions that are not numbers as wrong", () => {
    expect(computeMetrics(binary, [NaN, NaN], [0, 1]).accuracy).to.equal(0);
    const three: Task = { ...binary, kind: "categorical", classes: ["a", "b", "c"], outputs: 3 };
    expect(computeMetrics(three, [NaN, NaN, NaN], [1, 0, 0]).accuracy).to.equal(0);
    const years: Task = { ...binary, kind: "regression", classes: [], tolerance: 5 };
    expect(computeMetrics(years, [NaN], [30]).accuracy).to.equal(0);
  });

  it("counts an error of exactly the tolerance as right, also in float32 radians", () => {
    const scale = Math.PI / 180;
    const yaw: Task = { ...binary, kind: "regression", classes: [], scale, tolerance: 15 };
    for (const degrees of [-75, -15, 0, 30, 45]) {
      const [label, guess] = [Math.fround(degrees * scale), Math.fround((degrees + 15) * scale)];
      expect(computeMetrics(yaw, [guess], [label]).accuracy).to.equal(1);
    }
    expect(computeMetrics(yaw, [15.01 * scale], [0]).accuracy).to.equal(0);
  });

  it("refuses lengths that do not fit", () => {
    expect(() => computeMetrics(binary, [1, 2], [1]))
      .to.throw("gender: 2 predictions, 1 targets, equally many in rows of 1 were needed")
      .with.property("kind", "usage");
  });

  it("cumulative score rises from the exact answers to all", () => {
    const errors = [0, 1, 2, 3];
    expect([0, 1.5, 3].map((t) => cumulativeScore(errors, t))).to.deep.equal([0.25, 0.5, 1]);
  });
});
