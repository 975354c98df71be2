/** Run folders of early builds of 0.1.0: read by what reads runs, refused by what would go on with them. */
import { expect } from "chai";
import { cp, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isEtlError } from "../../../lib/core/errors.ts";
import { version } from "../../../lib/core/version.ts";
import { comparedNetworks } from "../../../lib/jobs/many/compare.ts";
import { readRecord, readRecords } from "../../../lib/jobs/many/records.ts";
import { evaluateModel } from "../../../lib/jobs/use/evaluate.ts";
import { predictImages } from "../../../lib/jobs/use/predict.ts";
import { drawFaces } from "../../../lib/jobs/use/draw.ts";
import { packReportAssets } from "../../../lib/report/pack.ts";
import { renderReport } from "../../../lib/report/report.ts";
import { resume } from "../../../lib/resume.ts";
import { root } from "../../docs/markdown.ts";
import { empty, visible } from "../../report/extras.ts";

const made = join(root, "fixtures/early/0.1.0");

/** Name and content of every file of a folder. */
async function contents(folder: string): Promise<[string, string][]> {
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((file) =>
    file.isFile(),
  );
  const paths = files.map(({ parentPath, name }) => join(parentPath, name)).sort();
  return Promise.all(
    paths.map(async (path): Promise<[string, string]> => [path, (await readFile(path)).toString("base64")]),
  );
}

describe("a run of an early build of 0.1.0", function () {
  this.timeout(300_000);
  let folder = "";
  let run = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "etl-early-"));
    run = join(folder, "run");
    await cp(made, run, { recursive: true });
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it("is reported and compared", async () => {
    const record = await readRecord(run);
    const page = visible(renderReport(record, await packReportAssets("var Plotly = {};")));
    expect(page).to.contain("on 15 test faces");
    expect(page).not.to.match(empty);
    const networks = comparedNetworks(await readRecords([run, run]));
    expect(networks.map(({ name }) => name)).to.deep.equal([
      ...["baseline", "probe", "pruned"],
      ...["baseline", "probe", "pruned"],
    ]);
  });

  it("predicts and is evaluated on the pictures it was tested on", async () => {
    const out = join(folder, "drawn");
    await drawFaces(1, out);
    const [answer] = await predictImages(run, [join(out, "face-000000.png")], { threads: 1 });
    expect(answer.label).to.be.oneOf(["female", "male"]);
    const { test } = (await readRecord(run)).models.find(({ name }) => name === "pruned")!;
    const found = await evaluateModel(run, { data: "synthetic:60", threads: 1 });
    expect(found).to.include({ n: test.n, accuracy: test.accuracy, split: "test" });
  });

  it("is not gone on with, and loses nothing", async () => {
    const before = await contents(run);
    const found = await resume(run).catch((error: unknown) => error);
    expect(isEtlError(found, "usage"), String(found)).to.equal(true);
    const { message, hint } = found as { message: string; hint: string };
    expect(message).to.contain("a run of etl 0.1.0").and.to.contain(`(this is ${version})`);
    expect(message.split(run), "the folder is named once").to.have.length(2);
    // Such a folder has no config.json, and resume no --replace: neither is a way out.
    expect(hint).to.match(/^report, compare, predict and evaluate read it; to make it again: begin anew/);
    expect(hint).not.to.match(/config\.json|--replace/);
    expect(await contents(run)).to.deep.equal(before);
  });
});
