import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { drawFaces } from "../../lib/jobs/use/draw.ts";
import { writeSmallBackbone } from "../support/small-backbone.ts";
import { each, failed, killed, recorded, spread, type Job } from "./replay.ts";

const isLong = process.env["ETL_FAULTS"] === "long";
const only = process.env["ETL_FAULTS_ONLY"] ?? "";

describe("commands that write files, on a disk that fails, on a machine that is lost", function () {
  this.timeout(isLong ? 0 : 600_000);
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-commands-"));
    await writeSmallBackbone(join(root, "small.onnx"));
    await drawFaces(80, join(root, "faces"), { size: 32 });
  });
  after(() => rm(root, { recursive: true, force: true }));

  const quick = ["--engine", "ort", "--threads", "1"];
  const jobs: Record<string, (model: string, faces: string) => Omit<Job, "name">> = {
    "export --format onnx": (model) => ({ call: ["export", model], out: "a.onnx" }),
    "export --format safetensors": (model) => ({ call: ["export", model], out: "a.safetensors" }),
    "export --format tfjs": (model) => ({ call: ["export", model, "--format", "tfjs"], out: "model" }),
    "export --format web": (model) => ({ call: ["export", model, "--format", "web"], out: "page" }),
    cut: (model) => ({ call: ["cut", model, "--keep", "0.5", "--no-check", ...quick], out: "cut.onnx" }),
    quantize: (model, faces) => ({
      call: ["quantize", model, "--data", faces, "--calibrate", "8", "--no-check", ...quick],
      out: "int8.onnx",
    }),
    draw: () => ({ call: ["draw", "3", "--size", "32"], out: "faces" }),
  };
  for (const [name, make] of Object.entries(jobs)) {
    if (!name.includes(only)) continue;
    it(`${name}: whole or not at all, nothing left over, and the same call again is enough`, async () => {
      const files = [join(root, "small.onnx"), join(root, "faces")] as const;
      const job = await recorded({ name, ...make(...files) }, join(root, name.replaceAll(/\W/g, "-")));
      const all = job.changes.map((_, n) => n);
      const last = all.findLast((n) => job.changes[n].words.startsWith("rename")) ?? 0;
      await each(`${name}, fails`, isLong ? all : spread(all, 6), (n) => failed(job, n));
      await each(`${name}, killed`, isLong ? all : [last], (n) => killed(job, n));
    });
  }
});
