import { expect } from "chai";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe as describeNetwork } from "../../../lib/backbones/metadata.ts";
import type { Task } from "../../../lib/core/artifacts.ts";
import { isEtlError } from "../../../lib/core/errors.ts";
import { readOnnx } from "../../../lib/formats/onnx/read.ts";
import { writeOnnx } from "../../../lib/formats/onnx/write.ts";
import { exportModel, type ModelDescription } from "../../../lib/jobs/use/export.ts";
import { withCrop } from "../../../lib/jobs/run/model.ts";
import { smallBackbone } from "../../support/small-backbone.ts";

const task: Task = {
  ...{ name: "emotion", kind: "categorical", columns: ["emotion"], outputs: 7, scale: 1, mirror: "keep" },
  classes: ["a", "b", "c", "d", "e", "f", "g"],
};

describe("use: export", () => {
  let folder: string;
  const at = (name: string): string => join(folder, name);
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "etl-export-"));
    const network = withCrop(describeNetwork(smallBackbone(), { task }), [0.1, 0.2, 0.9, 0.8]);
    const metadata = { ...network.metadata, "etl.provenance": '{"dataset":"my faces"}' };
    await writeFile(at("model.onnx"), writeOnnx({ ...network, metadata }));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it("an ONNX file has its description beside it", async () => {
    const { files } = await exportModel(at("model.onnx"), at("out.onnx"));
    expect(files).to.deep.equal([at("out.onnx"), at("out.json")]);
    const said = JSON.parse(await readFile(at("out.json"), "utf8")) as ModelDescription;
    const network = readOnnx(await readFile(at("out.onnx")), { name: "out" });
    expect(said).to.deep.equal({
      schema: "etl/model/1",
      file: "out.onnx",
      input: { name: "image", shape: ["batch", 3, 32, 32], type: "float32" },
      preprocessing: JSON.parse(network.metadata["etl.preprocessing"]) as unknown,
      crop: [0.1, 0.2, 0.9, 0.8],
      outputs: [
        {
          name: network.outputs[0].name,
          task,
          answer: "the largest output is the class; softmax gives the probabilities",
        },
      ],
    });
    expect(network.metadata["etl.provenance"]).to.contain("my faces");
    await exportModel(at("model.onnx"), at("out.onnx")); // once more
  });

  it("strip leaves out where a model comes from, and nothing that its use needs", async () => {
    await exportModel(at("model.onnx"), at("bare.onnx"), { strip: true });
    const bytes = await readFile(at("bare.onnx"));
    expect(bytes.includes("my faces")).to.equal(false);
    const { metadata } = readOnnx(bytes, { name: "bare" });
    expect(metadata).to.include.all.keys("etl.preprocessing", "etl.task", "etl.crop");
    await exportModel(at("model.onnx"), at("web"), { strip: true, format: "tfjs" });
    expect(await readFile(at("web/model.json"), "utf8")).to.not.contain("my faces");
  });

  it("the description does not take the place of another file", async () => {
    const taken: unknown = await exportModel(at("model.onnx"), at("web/model.onnx")).catch((e: unknown) => e);
    expect(isEtlError(taken, "usage") && taken.message).to.contain("model.json: another file");
    expect(await readFile(at("web/model.json"), "utf8")).to.contain("modelTopology");
  });
});
