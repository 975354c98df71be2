import { expect } from "chai";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEngine, probeCuda } from "../../lib/engine/open.ts";
import { missingCuda, needCuda, tryCuda } from "../../lib/engine/ort/cuda.ts";
import { requireOrSkip } from "../support/require.ts";
import { cases } from "./conformance-cases.ts";
import { compareOutputs } from "./conformance-check.ts";
import { networkOf } from "./gradient-check.ts";
import { refusal } from "../support/refusal.ts";

describe("device", function () {
  this.timeout(180_000);
  it("cuda without its library is refused: what is missing, and how to get it", async function () {
    const found = missingCuda();
    if (found === undefined) this.skip();
    expect(found).to.match(/no CUDA provider: \S*onnxruntime_providers_cuda\.(so|dll) is not among/);
    for (const engine of ["ort", "auto"] as const) {
      expect(await refusal(() => openEngine({ engine, device: "cuda", threads: 1 }))).to.match(
        /--device cuda: .*no CUDA provider: .*was needed;.*(npm rebuild onnxruntime-node|etl doctor)/,
      );
    }
    const probe = await probeCuda();
    expect(probe.available).to.equal(false);
    expect(probe.reason).to.contain(found);
  });

  it("the library is looked for where onnxruntime keeps its own", async () => {
    const folder = await mkdtemp(join(tmpdir(), "etl-cuda-"));
    try {
      expect(
        await refusal(() => {
          needCuda(folder);
        }),
      ).to.contain("ONNXRUNTIME_NODE_INSTALL=cuda12");
      const names = ["libonnxruntime_providers_cuda.so", "onnxruntime_providers_cuda.dll"];
      for (const name of names) await writeFile(join(folder, name), "a note in place of the library\n");
      expect(missingCuda(folder)).to.contain("is not among its libraries");
      for (const name of names) await writeFile(join(folder, name), new Uint8Array(100_000));
      expect(missingCuda(folder)).to.equal(undefined);
      needCuda(folder);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("a provider that is there and does not run is refused with its reason", async () => {
    expect(await refusal(() => tryCuda(() => Promise.reject(new Error("no driver"))))).to.match(
      /CUDA provider does not run \(no driver\), CUDA 12, cuDNN 9 and a GPU were needed/,
    );
  });

  it("cpu is what ort computes on", async () => {
    for (const engine of ["auto", "ort"] as const) {
      const opened = await openEngine({ engine, device: "cpu", threads: 1 });
      expect(opened.description).to.match(/^onnxruntime-node .*, CPU$/);
      await opened.dispose();
    }
  });

  it("tfjs on another device than the one asked for is refused", async function () {
    const tfjs = await openEngine({ engine: "tfjs" });
    const { description } = tfjs;
    await tfjs.dispose();
    if (/tfjs [\d.]+, GPU/.test(description)) this.skip();
    expect(await refusal(() => openEngine({ engine: "tfjs", device: "cuda" }))).to.contain(
      `--device cuda: the tfjs engine has ${description}, a GPU that its GPU build finds was needed`,
    );
  });

  it("cuda and cpu agree on every operator", async function () {
    requireOrSkip(this, "cuda", (await probeCuda()).available);
    const [cpu, cuda] = await Promise.all(
      (["cpu", "cuda"] as const).map((device) => openEngine({ engine: "ort", device, threads: 1 })),
    );
    for (const test of cases) {
      await compareOutputs({ ort: cpu, tfjs: cuda }, networkOf(test), {}, { tolerance: 1e-4 });
    }
    await Promise.all([cpu.dispose(), cuda.dispose()]);
  });
});
