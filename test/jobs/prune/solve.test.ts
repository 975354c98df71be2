import { expect } from "chai";
import { createMomentsAccumulator } from "../../../lib/math/moments.ts";
import type { TapMoments } from "../../../lib/core/artifacts.ts";
import { silent, type Progress } from "../../../lib/core/progress.ts";
import { createRandom } from "../../../lib/core/random.ts";
import { characteristicCurve } from "../../../lib/lasso/curve.ts";
import { solveCurves } from "../../../lib/jobs/prune/solve.ts";

const rows = 300;

/** Moments of random responses, p filters, q outputs. */
function tap(name: string, [p, q]: readonly [number, number]): TapMoments {
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

describe("characteristic curves on threads", function () {
  this.timeout(60_000);
  const progress = silent;

  it("are those solved in place, in the order of the taps, on one thread or several", async () => {
    const moments = Array.from({ length: 2 }, (_, i) => tap(`tap ${i}`, [60, 30]));
    const here = moments.map((each) => characteristicCurve(each));
    expect(await solveCurves(moments, { threads: 1, progress })).to.deep.equal(here);
    expect(await solveCurves(moments, { threads: 2, progress })).to.deep.equal(here);
  });

  it("are given up in the middle of a tap when the run is stopped", async () => {
    const stop = new AbortController();
    let solved = 0;
    const counting: Progress = {
      ...silent,
      update: (count) => {
        solved = count;
      },
    };
    setTimeout(() => {
      stop.abort(new Error("stopped"));
    }, 200);
    const options = { threads: 1, progress: counting, signal: stop.signal };
    const error = await solveCurves([tap("many outputs", [240, 40])], options).catch((e: unknown) => e);
    expect(error).to.have.property("message", "stopped");
    expect(solved).to.equal(0);
  });
});
