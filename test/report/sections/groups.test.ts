import { expect } from "chai";
import { groupsPart } from "../../../lib/report/sections/groups.ts";
import { packReportAssets } from "../../../lib/report/pack.ts";
import { renderReport } from "../../../lib/report/report.ts";
import type { Scope } from "../../../lib/report/section.ts";
import { sampleFaces, sampleGroups, withGroups } from "../extras.ts";
import { hostile, sampleRecord } from "../sample.ts";

const tiny = await packReportAssets("var Plotly = {};");
const models = sampleRecord().models.filter(({ name }) => name === "baseline" || name === "pruned");

function scopeOf(groups: ReturnType<typeof sampleGroups>): Scope {
  const record = { ...sampleRecord(), groups };
  return { record, id: "run", level: 2, figures: new Map(), curves: [], seen: new Map() };
}

const plain = (text: string): string => text.replace(/<[^>]*>/g, "").replace(/\s+/g, " ");

describe("report: right answers by group", () => {
  const names = sampleRecord().models.map(({ name }) => name);

  it("names the label whose groups differ by more than chance, with n and a 95 % interval", () => {
    const scope = scopeOf(sampleGroups(names));
    const text = plain(groupsPart(scope, models)?.text ?? "");
    expect(text).to.match(
      /The groups differ most by age \(40 to 90: 9\d\.\d % \(\d+\.\d to \d+\.\d\), n = 370/,
    );
    const ticks = scope.figures.get("run-by-group")?.layout["yaxis"] as { ticktext: string[] };
    expect(ticks.ticktext[0]).to.equal("age: 1 to 19 (240)");
    expect(ticks.ticktext).to.have.length(5);
  });

  it("does not claim a difference that chance gives", () => {
    const groups = sampleGroups(names).filter(({ column }) => column === "glasses");
    const text = plain(groupsPart(scopeOf(groups), models)?.text ?? "");
    expect(text).to.contain("by clearly more than chance gives");
    expect(text).not.to.contain("differ most by");
  });

  it("has no part without other labels, and escapes their names", () => {
    expect(groupsPart(scopeOf([]), models)).to.equal(undefined);
    const groups = sampleGroups(names).map((group) => ({ ...group, column: hostile, label: hostile }));
    expect(renderReport({ ...sampleRecord(), groups }, tiny)).not.to.contain(hostile);
  });
});

describe("report: faces that filters respond to", () => {
  it("are there only when they are given, with a warning, and never from a name", async () => {
    const without = renderReport(withGroups(sampleRecord()), tiny);
    expect(without).not.to.match(/<img|data:image/);
    const faces = (await sampleFaces()).map((filter) => ({
      ...filter,
      layer: hostile,
      highest: filter.highest.map((face) => ({ ...face, label: hostile })),
    }));
    const page = renderReport({ ...sampleRecord(), faces }, tiny);
    expect(page.match(/<img src="data:image\/webp;base64,[\w+/=]+" alt="/g)).to.have.length(24);
    expect(page).to.contain("This file holds pictures of people.");
    expect(page).not.to.contain(hostile);
  });
});
