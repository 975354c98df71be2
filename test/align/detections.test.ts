import { expect } from "chai";
import { areaOf, detectionsOf, overlapOf, type Candidates } from "../../lib/align/detections.ts";

/** Candidates whose boxes are their anchors. Boxes as top, left, bottom, right. */
function candidates(scores: number[], boxes: number[][]): Candidates {
  return {
    scores: Float32Array.from(scores),
    encoded: new Float32Array(4 * boxes.length),
    anchors: Float32Array.from(boxes.flat()),
  };
}

describe("align/detections", () => {
  it("an encoding of zeros is the anchor; others shift and stretch it", () => {
    const one = candidates([0.9], [[0.25, 0.125, 0.75, 0.375]]);
    expect(detectionsOf(one, { minScore: 0.5 })[0].box).to.deep.equal([0.125, 0.25, 0.375, 0.75]);
    // centre down by a tenth of the height, width doubled
    one.encoded.set([1, 0, 0, 5 * Math.log(2)]);
    const [{ box }] = detectionsOf(one, { minScore: 0.5 });
    [0, 0.3, 0.5, 0.8].forEach((value, i) => expect(box[i]).to.be.closeTo(value, 1e-6));
  });

  it("of boxes that cover one another the surest stays, in order of score", () => {
    const many = candidates(
      [0.6, 0.9, 0.7, 0.2],
      [
        [0, 0, 0.5, 0.5],
        [0.01, 0, 0.51, 0.5],
        [0.5, 0.5, 1, 1],
        [0.2, 0.7, 0.3, 0.8],
      ],
    );
    const found = detectionsOf(many, { minScore: 0.5 });
    expect(found.map(({ score }) => score.toFixed(1))).to.deep.equal(["0.9", "0.7"]);
    expect(detectionsOf(many, { minScore: 0.5, overlap: 0.99 })).to.have.length(3);
    expect(detectionsOf(many, { minScore: 0.95 })).to.deep.equal([]);
  });

  it("cuts boxes at the edge", () => {
    const [{ box }] = detectionsOf(candidates([0.9], [[-0.5, 0.5, 0.5, 1.5]]), { minScore: 0.5 });
    expect(box).to.deep.equal([0.5, 0, 1, 0.5]);
    expect(detectionsOf(candidates([0.9], [[-0.5, 0, -0.1, 1]]), { minScore: 0.5 })).to.deep.equal([]);
  });

  it("overlap is the intersection over the union", () => {
    expect(overlapOf([0, 0, 2, 2], [1, 1, 3, 3])).to.be.closeTo(1 / 7, 1e-12);
    expect(overlapOf([0, 0, 1, 1], [2, 2, 3, 3])).to.equal(0);
    expect(overlapOf([0, 0, 0, 0], [0, 0, 0, 0])).to.equal(0);
    expect(areaOf([0, 0, 2, 3])).to.equal(6);
  });
});
