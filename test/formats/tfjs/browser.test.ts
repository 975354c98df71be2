import { existsSync, readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { resolve } from "node:path";
import { expect } from "chai";
import { chromium } from "playwright-core";
import { permute } from "../../../lib/formats/permute.ts";
import { writeTfjs } from "../../../lib/formats/tfjs/write.ts";
import { requireOrSkip } from "../../support/require.ts";
import { sketch } from "../../support/patterns.ts";
import { randomInputs, relativeDifference, run } from "../../support/run.ts";
import { serve } from "../../support/serve.ts";

const chromiumPath = process.env["ETL_CHROMIUM"] ?? "/usr/bin/chromium";
const packages = resolve(import.meta.dirname, "../../../node_modules/@tensorflow");
const bundles = {
  "core.js": "tfjs-core/dist/tf-core.min.js",
  "cpu.js": "tfjs-backend-cpu/dist/tf-backend-cpu.min.js",
  "layers.js": "tfjs-layers/dist/tf-layers.min.js",
};

describe("formats/tfjs in a browser", () => {
  it("loads with plain tfjs and gives the same outputs", async function () {
    this.timeout(120_000);
    requireOrSkip(this, "chromium", existsSync(chromiumPath));
    const s = sketch("browser");
    const image = s.input("image", ["batch", 3, 12, 12]);
    const a = s.relu(s.norm(s.layer(image, "block/conv", [3, 6], { strides: 2 }), 6));
    const b = s.relu(s.add(a, s.layer(a, "again", [6, 6])));
    const pooled = s.maxPool(b, { kernel: 3, strides: 2, pads: 1 });
    const logits = s.dense(s.flatten(pooled), "fc", [54, 5]);
    const network = s.build([s.softmax(logits)], { "etl.title": "Browser" });
    const inputs = randomInputs(network, { batch: 2, seed: 3 });
    const expected = await run(network, inputs);

    const files = new Map(writeTfjs(network));
    for (const [name, path] of Object.entries(bundles))
      files.set(name, readFileSync(resolve(packages, path)));
    const scripts = Object.keys(bundles).map((name) => `<script src="${name}"></script>`);
    files.set("index.html", Buffer.from(`<!doctype html><title>tfjs</title>${scripts.join("")}`));
    const server = await serve(files);
    const browser = await chromium.launch({
      executablePath: chromiumPath,
      args: ["--no-sandbox", "--disable-gpu"],
    });
    try {
      const page = await browser.newPage();
      const { port } = server.address() as AddressInfo;
      await page.goto(`http://127.0.0.1:${port}/index.html`);
      const { data, shape } = inputs["image"];
      const last = Array.from(permute(data, shape, [0, 2, 3, 1]));
      const found = await page.evaluate<{ title: string; shape: number[]; values: number[] }>(
        `(async () => {
          await tf.setBackend("cpu");
          const model = await tf.loadLayersModel("model.json");
          const output = model.predict(tf.tensor4d(${JSON.stringify(last)}, [2, 12, 12, 3]));
          const title = model.getUserDefinedMetadata()["etl.title"];
          return { title, shape: output.shape, values: Array.from(await output.data()) };
        })()`,
      );
      expect(found.title).to.equal("Browser");
      const [{ name }] = network.outputs;
      const actual = { [name]: { shape: found.shape, data: Float32Array.from(found.values) } };
      expect(relativeDifference(actual, expected)).to.be.below(1e-5);
    } finally {
      await browser.close();
      server.close();
    }
  });
});
