/** Another runtime than onnxruntime: OpenCV's dnn reads what is written, cut and uncut. Needs Python with cv2 (`PYTHON` names it). */
import { expect } from "chai";
import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadBackbone } from "../../../lib/backbones/catalogue.ts";
import { initialise } from "../../../lib/backbones/initialise.ts";
import { buildResnet18 } from "../../../lib/backbones/nets/resnet.ts";
import { readModel } from "../../../lib/backbones/read-model.ts";
import { cutModel } from "../../../lib/jobs/cut/cut.ts";
import { simplify } from "../../../lib/network/simplify.ts";
import type { Network } from "../../../lib/network/network.ts";
import { putModel, removed } from "../../support/cutting.ts";
import { requireOrSkip } from "../../support/require.ts";
import { randomInputs, run } from "../../support/run.ts";

const pythons =
  process.env["PYTHON"] === undefined ? ["python3", "/usr/bin/python3"] : [process.env["PYTHON"]];
const python = pythons.find((name) => spawnSync(name, ["-c", "import cv2"]).status === 0);

const script = `
import sys, numpy, cv2
model, fed, out, *shape = sys.argv[1:]
net = cv2.dnn.readNetFromONNX(model)
net.setInput(numpy.fromfile(fed, numpy.float32).reshape([int(size) for size in shape]))
net.forward().astype(numpy.float32).tofile(out)
`;

describe("formats/onnx: OpenCV's dnn", function () {
  this.timeout(300_000);
  let root: string;
  before(async function () {
    root = await mkdtemp(join(tmpdir(), "etl-opencv-"));
    requireOrSkip(this, "cv2", python !== undefined);
  });
  after(() => rm(root, { recursive: true, force: true }));

  async function agrees(path: string): Promise<number> {
    const network = await readModel(path);
    const inputs = randomInputs(network, { batch: 1, seed: 3 });
    const [{ data, shape }] = Object.values(inputs);
    const [fed, out] = [join(root, "fed"), join(root, "out")];
    await writeFile(fed, data);
    const { status, stderr } = spawnSync(python ?? "", ["-c", script, path, fed, out, ...shape.map(String)], {
      encoding: "utf8",
    });
    expect(status, stderr).to.equal(0);
    const found = await readFile(out);
    const values = new Float32Array(found.buffer, found.byteOffset, found.byteLength / 4);
    const [expected] = Object.values(await run(network, inputs));
    expect(values.length).to.equal(expected.data.length);
    const scale = expected.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    return values.reduce((most, value, i) => Math.max(most, Math.abs(value - expected.data[i])), 0) / scale;
  }

  for (const [name, network] of [
    ["face-resnet", async () => (await loadBackbone("face-resnet")).network],
    ["resnet18", () => Promise.resolve(initialise(buildResnet18({ classes: 7 }), 1))],
  ] as const satisfies readonly (readonly [string, () => Promise<Network>])[]) {
    it(`gives what onnxruntime gives: ${name}, cut and uncut`, async () => {
      const whole = await putModel(root, simplify(await network()), `${name}.onnx`);
      expect(await agrees(whole)).to.be.at.most(1e-5);
      const out = join(root, `${name}-cut.onnx`);
      const result = await cutModel({ model: whole, out, keep: 0.7, threads: 1 });
      expect(removed(result)).to.be.above(300);
      expect(await agrees(out)).to.be.at.most(1e-5);
    });
  }
});
