import { expect } from "chai";
import { responsesSection } from "../../../lib/report/sections/responses.ts";
import type { Scope } from "../../../lib/report/section.ts";
import { sampleResponse } from "../extras.ts";
import { sampleRecord } from "../sample.ts";

const response = {
  ...sampleResponse,
  points: [
    { label: "no", mean: 0, error: 0.4, n: 10 },
    { label: "yes", mean: 6, error: 0.4, n: 20 },
    { label: "never seen", mean: 0, error: 0, n: 0 },
  ],
};

describe("responses of single filters", () => {
  it("are drawn in standard deviations about the mean, classes without faces left out", () => {
    const scope: Scope = {
      record: { ...sampleRecord(), responses: [response] },
      id: "run",
      level: 2,
      figures: new Map(),
      curves: [],
      seen: new Map(),
    };
    expect(responsesSection(scope)?.body.text.replace(/\s+/g, " ")).to.contain("Mean over 30 training faces");
    const [line] = scope.figures.get("run-response")?.data ?? [];
    expect(line?.["x"]).to.deep.equal(["no", "yes"]);
    expect(line?.["y"]).to.deep.equal([-0.5, 1]);
  });

  it("have no section in a run without them", () => {
    const scope: Scope = {
      record: sampleRecord(),
      id: "run",
      level: 2,
      figures: new Map(),
      curves: [],
      seen: new Map(),
    };
    expect(responsesSection(scope)).to.equal(undefined);
  });
});
