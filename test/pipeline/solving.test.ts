import { expect } from "chai";
import { createMomentsAccumulator } from "../../lib/core/moments.ts";
import type { TapMoments } from "../../lib/core/artifacts.ts";
import { silent } from "../../lib/core/progress.ts";
import { createRandom } from "../../lib/core/random.ts";
import { solveCurves } from "../../lib/pipeline/solving.ts";

const [p, q, rows] = [120, 4, 300];

/** Moments of random responses, large enough that threads are started. */
function tap(name: string): TapMoments {
  const random = createRandom(7).fork(name);
  const folds = [0, 1, 2].map(() => {
    const sums = createMomentsAccumulator(p, q);
    const x = Float32Array.from({ length: rows * p }, () => random.normal());
    const y = Float32Array.from(
      { length: rows * q },
      (_, i) => x[Math.floor(i / q) * p + (i % q)] + random.normal(),
    );
    sums.add(x, y, rows);
    return sums.moments();
  });
  return { tap: name, folds };
}

describe("characteristic curves on several threads", function () {
  this.timeout(60_000);
  it("are those of one thread, in the order of the taps", async () => {
    const moments = Array.from({ length: 20 }, (_, i) => tap(`tap ${i}`));
    const progress = silent;
    const [one, two] = [
      await solveCurves(moments, { threads: 1, progress }),
      await solveCurves(moments, { threads: 2, progress }),
    ];
    expect(two.map((curve) => curve.tap)).to.deep.equal(one.map((curve) => curve.tap));
    expect(two).to.deep.equal(one);
  });
});
