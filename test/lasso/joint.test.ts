import { expect } from "chai";
import type { Moments } from "../../lib/core/artifacts.ts";
import { centre, createMomentsAccumulator } from "../../lib/math/moments.ts";
import { createRandom } from "../../lib/core/random.ts";
import { chooseCurveKnee } from "../../lib/knee/knee.ts";
import { jointPath, type JointTap } from "../../lib/lasso/joint.ts";
import { lassoPathFromMoments } from "../../lib/lasso/path.ts";

/** Responses of p filters (the first `useful` of which make y) and one target, 200 rows. */
function moments(seed: string, p: number, useful: readonly number[], size = 1): Moments {
  const random = createRandom(5).fork(seed);
  const target = createRandom(5).fork("y");
  const sums = createMomentsAccumulator(p, 1);
  for (let row = 0; row < 200; row++) {
    const y = target.normal();
    const x = Float64Array.from(
      { length: p },
      (_, j) => size * ((useful.includes(j) ? y : 0) + random.normal()),
    );
    sums.add(x, Float64Array.of(y), 1);
  }
  return sums.moments();
}

const tapOf = (own: Moments, classOf: number[]): JointTap => ({ moments: centre(own), classOf });

describe("one group LASSO over the taps of a coupled group", () => {
  it("is the LASSO where there is one tap and every filter has a class of its own", () => {
    const own = moments("a", 12, [0, 3, 4], 7);
    const single = lassoPathFromMoments(own, { lambdas: 30, ratio: 100 });
    const joint = jointPath(
      [
        tapOf(
          own,
          Array.from({ length: 12 }, (_, j) => j),
        ),
      ],
      12,
      {
        lambdas: 30,
        ratio: 100,
        tol: 1e-10,
      },
    );
    joint.points.forEach((point, i) => {
      expect(Array.from(point.support), `point ${i}`).to.deep.equal(Array.from(single.points[i].support));
      expect(point.rmse).to.be.closeTo(single.points[i].rmse, 1e-6);
      expect(point.gap).to.be.lessThan(1e-8);
    });
  });

  it("lets taps of any size count alike, and chooses what they need together", () => {
    const shared = [0, 1, 2, 3, 4, 5];
    const path = (size: number): number[][] =>
      jointPath([tapOf(moments("a", 6, [0, 1]), shared), tapOf(moments("b", 6, [1, 2], size), shared)], 6, {
        lambdas: 20,
        ratio: 50,
        tol: 1e-8,
      }).points.map(({ support }) => Array.from(support));
    expect(path(1)).to.deep.equal(path(1000));
    const first = path(1).find((support) => support.length > 0);
    expect(first, "both taps need filter 1").to.deep.equal([1]);
    expect(path(1).find((support) => support.length >= 3)).to.include.members([0, 1, 2]);
  });

  it("gives every tap the filters of the classes at the joint knee", () => {
    const own = [moments("a", 6, [0, 1]), moments("b", 4, [1, 2])];
    const classOf = [Int32Array.of(0, 1, 2, 3, 4, 5), Int32Array.of(0, 1, 2, 3)];
    const path = jointPath(
      [0, 1].map((t) => ({ moments: centre(own[t]), classOf: classOf[t] })),
      6,
    );
    const keeps = own.map((each, t) => {
      const curve = {
        tap: `t${t}`,
        total: each.p,
        path: lassoPathFromMoments(each),
        joint: { path, classOf: classOf[t] },
      };
      return Array.from(chooseCurveKnee(curve, 0.3, { rmse: "train" }).keep);
    });
    expect(keeps[0].filter((j) => j < 4)).to.deep.equal(keeps[1]);
    expect(keeps[1]).to.include.members([0, 1, 2]);
  });
});
