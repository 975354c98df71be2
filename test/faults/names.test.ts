import { expect } from "chai";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { keptEntries } from "../../lib/align/record.ts";
import { outputTasksOf } from "../../lib/backbones/metadata.ts";
import { checkCrop } from "../../lib/core/crop.ts";
import { readSafetensors, writeSafetensors } from "../../lib/formats/safetensors.ts";
import { readRecord } from "../../lib/jobs/many/records.ts";
import { prune } from "../../lib/jobs/prune/prune.ts";
import { predictImages } from "../../lib/jobs/use/predict.ts";
import { float32 } from "../../lib/network/network.ts";
import { renderReport } from "../../lib/report/report.ts";
import { withLinks } from "../../lib/jobs/run/links.ts";
import { readReportAssets } from "../../lib/report/assets.ts";
import { capture } from "../support/program.ts";
import { smallBackbone } from "../support/small-backbone.ts";
import { smallRun } from "./support.ts";

/** Names that every JavaScript object has already. */
const names = ["constructor", "__proto__", "toString"];

describe("labels, columns and tasks with names that objects have", function () {
  this.timeout(120_000);
  let root: string;
  let data: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-names-"));
    data = join(root, "data");
    await mkdir(data);
    const rows = [["file", "constructor", "__proto__", "toString", "valueOf"].join()];
    for (let i = 0; i < 90; i++) {
      const background = { r: 90 * (i % 3), g: (37 * i) % 256, b: 120 };
      await sharp({ create: { width: 32, height: 32, channels: 3, background } })
        .png()
        .toFile(join(data, `f${i}.png`));
      rows.push([`f${i}.png`, names[i % 3], i % 2, (i >> 1) % 2, names[(i >> 1) % 3]].join());
    }
    await writeFile(join(data, "labels.csv"), rows.join("\n"));
    const tasks =
      '{"constructor":{"column":"constructor","kind":"categorical"},"__proto__":{"column":"__proto__","kind":"binary"}}';
    await writeFile(join(data, "dataset.json"), `{"tasks":${tasks}}`);
  });
  after(() => rm(root, { recursive: true, force: true }));

  const kinds = {
    classes: { task: "categorical", label: "constructor" },
    labels: { task: "multi-label", label: "__proto__,toString" },
    tasks: { task: "constructor,__proto__" },
  };
  for (const [kind, asked] of Object.entries(kinds)) {
    it(`a whole prune with ${kind}, its report and its predictions`, async () => {
      const options = { ...(await smallRun(root)), epochs: 1, data, ...asked, out: join(root, kind) };
      const made = await prune(options);
      const record = await readRecord(options.out);
      expect(JSON.stringify(record)).to.equal(JSON.stringify(made));
      const file = join(options.out, "report.html");
      const shown = renderReport(withLinks(record, options.out, file), await readReportAssets());
      expect(await readFile(file, "utf8")).to.equal(shown);
      expect(shown).to.contain("__proto__");
      const said = await predictImages(options.out, [join(data, "f0.png")], {});
      if (kind !== "labels") expect(JSON.stringify(said)).to.match(/constructor|__proto__/);
    });
  }

  it("tensors of a file keep their names", () => {
    const tensors = new Map(names.map((name, i) => [name, float32([1], Float32Array.of(i))]));
    const { tensors: read } = readSafetensors(writeSafetensors(tensors), "a.safetensors");
    expect([...read].map(([name, { data: values }]) => [name, Number(values[0])])).to.deep.equal(
      names.map((name, i) => [name, i]),
    );
  });

  it("values of files that have no text are no defect: a task, a crop, settings of aligned faces", async () => {
    const odd = { toString: null };
    const network = { ...smallBackbone(), metadata: { "etl.task": JSON.stringify({ kind: odd }) } };
    expect(() => outputTasksOf(network)).to.throw("metadata etl.task is not a task description");
    expect(() => {
      checkCrop([0, odd, 1, 1]);
    }).to.throw('--crop: 0,{"toString":null},1,1, ');
    const config = join(root, "config.json");
    for (const tasks of [[{ constructor: odd }], [{ task: odd, data: [[odd]] }], [{ a: [[[1]]] }]]) {
      await writeFile(config, JSON.stringify({ tasks }));
      const { code, stderr } = await capture(["sweep", "--config", config, "--out", join(root, "no")]);
      expect([code, stderr]).to.deep.equal([2, stderr.match(/error: .*tasks: .*inside was needed\n/)?.[0]]);
    }
    const pictures = [{ file: "a.jpg", bytes: 1, modifiedMs: 1, reason: "no face" }];
    const settings = { size: 150, padding: 0.3, minScore: 0.5 };
    const record = { schema: 2, settings: { ...settings, size: odd }, pictures };
    expect(() => keptEntries(record, settings, { where: "align.json", replace: false })).to.throw(
      'crops of other settings (size {"toString":null})',
    );
  });
});
