import { expect } from "chai";
import { existsSync } from "node:fs";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { alignFolder } from "../../lib/align/folder.ts";
import { writeModel } from "../../lib/backbones/write-model.ts";
import { readTfjsModel } from "../../lib/formats/tfjs/read.ts";
import { isEtlError } from "../../lib/core/errors.ts";
import { drawFaces } from "../../lib/jobs/use/draw.ts";
import { smallBackbone, writeSmallBackbone } from "../support/small-backbone.ts";
import { systemError, watchDisk } from "./disk.ts";
import { each, failed, killed, recorded, spread, type Recorded } from "./replay.ts";
import { damage, filesBelow, listening } from "./support.ts";

const isLong = process.env["ETL_FAULTS"] === "long";

describe("a disk that fails, a machine that is lost", function () {
  this.timeout(isLong ? 0 : 600_000);
  let root: string;
  let job: Recorded;

  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-disk-"));
    await drawFaces(80, join(root, "faces"), { size: 32 });
    const backbone = await writeSmallBackbone(join(root, "small.onnx"));
    const given = {
      ...{ task: "gender", data: join(root, "faces"), backbone, "cache-dir": join(root, "cache") },
      ...{ gamma: 0.3, seed: 3, epochs: 1, "baseline-epochs": 1, "learning-rate": 1e-4 },
      ...{ "round-to": 1, runs: 2, threads: 1, engine: "ort" },
    };
    const call = ["prune", ...Object.entries(given).map(([name, value]) => `--${name}=${value}`)];
    job = await recorded({ name: "prune", call, out: "", goesOn: true }, join(root, "job"));
    expect(job.changes.length).to.be.greaterThan(60);
  });
  after(() => rm(root, { recursive: true, force: true }));

  it("every failing call is a sentence, and the same command goes on to the same result", () =>
    each("prune, fails", isLong ? job.changes.map((_, n) => n) : spread([...job.changes.keys()], 5), (n) =>
      failed(job, n),
    ));

  it("killed at any of its changes, a run goes on to the same result, and leaves nothing over", () =>
    each("prune, killed", isLong ? job.changes.map((_, n) => n) : spread([...job.changes.keys()], 2), (n) =>
      killed(job, n),
    ));

  it("align that failed at its first crop goes on, a damaged crop or record is made again", async () => {
    const samples = dirname(createRequire(import.meta.url).resolve("@vladmandic/face-api/demo/sample1.jpg"));
    const [input, out] = [join(root, "photos"), join(root, "aligned")];
    for (const name of ["sample1.jpg", "sample2.jpg"]) await cp(join(samples, name), join(input, name));
    const watch = watchDisk(out, (_, call, path) =>
      call === "rename" && path.endsWith(".jpg") ? systemError("ENOSPC", call, path) : undefined,
    );
    const error: unknown = await alignFolder(input, out).catch((e: unknown) => e);
    watch.end();
    expect(isEtlError(error, "io"), String(error)).to.equal(true);
    expect(await alignFolder(input, out)).to.include({ aligned: 2 });
    const names = await filesBelow(out);
    for (const name of ["sample1.jpg", "align.json"]) {
      for (const how of isLong ? ["one flipped bit", "truncated"] : ["one flipped bit"]) {
        await damage(join(out, name), how);
        const { progress } = listening();
        const kept = (await alignFolder(input, out, { progress })).kept;
        expect(kept, `${name}, ${how}`).to.equal(name === "align.json" ? 0 : 1);
        expect(await alignFolder(input, out)).to.include({ aligned: 2, kept: 2 });
        expect(await filesBelow(out)).to.deep.equal(names);
      }
    }
  });

  it("a tfjs model is replaced as a whole or not at all", async () => {
    const network = smallBackbone();
    const folder = join(root, "browser");
    await writeModel(network, folder, "tfjs");
    const parameters = new Map(network.parameters);
    const [[name, first]] = parameters;
    parameters.set(name, { ...first, data: (first.data as Float32Array).map((w) => w + 1) });
    for (let at = 0; ; at++) {
      const watch = watchDisk(folder, (n, call, path) =>
        n === at ? systemError("EIO", call, path) : undefined,
      );
      const error: unknown = await writeModel({ ...network, parameters }, folder, "tfjs").catch(
        (e: unknown) => e,
      );
      const count = watch.end();
      if (at >= count) break;
      expect(isEtlError(error, "io"), String(error)).to.equal(true);
      const model = join(folder, "model.json");
      if (existsSync(model)) {
        const read = await readTfjsModel(model);
        const weights = read.parameters.get(name)?.data as Float32Array;
        expect(Array.from(weights), `call ${at}`).to.deep.equal(Array.from(first.data as Float32Array));
      }
      expect((await filesBelow(folder)).filter((each) => each.endsWith(".tmp"))).to.deep.equal([]);
      await writeModel(network, folder, "tfjs");
    }
  });
});
