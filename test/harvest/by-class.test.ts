import { expect } from "chai";
import { createMomentsAccumulator } from "../../lib/math/moments.ts";
import { createRandom } from "../../lib/core/random.ts";
import { spread } from "../../lib/math/statistics.ts";
import { responsesByClass } from "../../lib/harvest/by-class.ts";

const [n, p] = [300, 3];
const random = createRandom(4);
/** Class of every picture; class 2 of 4 has none. */
const labels = Array.from({ length: n }, () => [0, 0, 1, 3][random.integer(4)]);
const x = Float32Array.from(
  { length: n * p },
  (_, i) => labels[Math.floor(i / p)] * (i % p) + random.normal(),
);

function momentsOf(q: number, target: (label: number, k: number) => number) {
  const y = Float32Array.from({ length: n * q }, (_, i) => target(labels[Math.floor(i / q)], i % q));
  const sums = createMomentsAccumulator(p, q);
  sums.add(x, y, n);
  return sums.moments();
}

/** Means of filter 1, and errors from the spread within all classes. */
function expected(classOf: (label: number) => number, classes: number) {
  const groups = Array.from({ length: classes }, (_, k) =>
    labels.flatMap((label, i) => (classOf(label) === k ? [x[i * p + 1]] : [])),
  );
  const filled = groups.filter(({ length }) => length > 0);
  const within = filled.reduce((sum, own) => sum + spread(own).sd ** 2 * (own.length - 1), 0);
  const variance = within / (n - filled.length);
  return groups.map((own) => ({
    n: own.length,
    mean: own.length === 0 ? 0 : spread(own).mean,
    error: own.length === 0 ? 0 : Math.sqrt(variance / own.length),
  }));
}

describe("harvest/by-class", () => {
  for (const { title, q, target, classOf, classes } of [
    {
      title: "two classes in one column",
      q: 1,
      target: (l: number) => (l > 0 ? 1 : 0),
      classOf: (l: number) => (l > 0 ? 1 : 0),
      classes: 2,
    },
    {
      title: "a column for each class, one empty",
      q: 4,
      target: (l: number, k: number) => (l === k ? 1 : 0),
      classOf: (l: number) => l,
      classes: 4,
    },
  ])
    it(`gives means and errors of ${title} as the responses themselves do`, () => {
      const seen = responsesByClass(momentsOf(q, target), 1);
      const all = spread(labels.map((_, i) => x[i * p + 1]));
      expect(seen.mean).to.be.closeTo(all.mean, 1e-9);
      expect(seen.sd).to.be.closeTo(all.sd, 1e-9);
      expect(seen.classes.map((own) => own.n)).to.deep.equal(expected(classOf, classes).map((own) => own.n));
      for (const [k, own] of expected(classOf, classes).entries()) {
        expect(seen.classes[k].mean).to.be.closeTo(own.mean, 1e-9);
        expect(seen.classes[k].error).to.be.closeTo(own.error, 1e-9);
      }
    });

  it("has no spread for a single picture", () => {
    const sums = createMomentsAccumulator(1, 1);
    sums.add(Float32Array.of(2), Float32Array.of(1), 1);
    expect(responsesByClass(sums.moments(), 0)).to.deep.equal({
      mean: 2,
      sd: 0,
      classes: [
        { mean: 0, error: 0, n: 0 },
        { mean: 2, error: 0, n: 1 },
      ],
    });
  });
});
