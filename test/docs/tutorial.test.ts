import { expect } from "chai";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { describe as withFacts } from "../../lib/backbones/metadata.ts";
import { WHOLE } from "../../lib/data/dataset.ts";
import { decodeImage } from "../../lib/data/images/decode.ts";
import { normalise } from "../../lib/data/images/normalise.ts";
import { createRandom } from "../../lib/core/random.ts";
import { writeTfjs } from "../../lib/formats/tfjs/write.ts";
import { createBuilder } from "../../lib/network/builder.ts";
import type { Network } from "../../lib/network/network.ts";
import { requireOrSkip } from "../support/require.ts";
import { run } from "../support/run.ts";
import { serve } from "../support/serve.ts";
import { readPages, root } from "./markdown.ts";

const chromiumPath = process.env["ETL_CHROMIUM"] ?? "/usr/bin/chromium";
const sample = createRequire(import.meta.url).resolve("@vladmandic/face-api/demo/sample2.jpg");

/** The page of the tutorial. */
function tutorialPage(): string {
  const tutorial = readPages().find(({ path }) => path === "docs/tutorial.md");
  const [block] = tutorial?.blocks.filter(({ language }) => language === "html") ?? [];
  return block.text;
}

const preprocessing = {
  width: 32,
  height: 24,
  color: "BGR",
  mean: [100, 110, 120],
  scale: [0.01, 0.02, 0.03],
} as const;

/** A small network that says "left" or "right", with all that a pruned one says about itself. */
function smallNetwork(): Network {
  const random = createRandom(5);
  const weights = (...shape: number[]) => ({
    shape,
    data: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => 0.4 * random.normal()),
  });
  const net = createBuilder("small");
  const image = net.input("image", ["batch", 3, preprocessing.height, preprocessing.width]);
  const x = net.relu(net.conv(image, { weights: weights(4, 3, 3, 3), strides: 2, pads: 1 }));
  const pooled = net.flatten(net.averagePool(x, { kernel: [6, 8], strides: [6, 8] }));
  net.gemm(pooled, { name: "prediction", weights: weights(1, 16), bias: Float32Array.of(0.1) });
  return withFacts(net.build(["prediction"]), {
    preprocessing,
    task: {
      name: "side",
      kind: "binary",
      columns: ["side"],
      classes: ["left", "right"],
      outputs: 1,
      scale: 1,
      mirror: "keep",
    },
  });
}

describe("docs: tutorial", () => {
  it("its page gives a picture what the network gives it", async function () {
    this.timeout(120_000);
    requireOrSkip(this, "chromium", existsSync(chromiumPath));
    const network = smallNetwork();
    const pixels = await decodeImage(sample, WHOLE, preprocessing);
    const { width, height } = preprocessing;
    const data = normalise(pixels, preprocessing);
    const { prediction } = await run(network, { image: { shape: [1, 3, height, width], data } });
    const right = 1 / (1 + Math.exp(-prediction.data[0]));
    expect(right).to.be.within(0.1, 0.9); // else the page could be wrong and say the same

    const packages = join(root, "node_modules/@tensorflow");
    const script = [
      "tfjs-core/dist/tf-core",
      "tfjs-backend-cpu/dist/tf-backend-cpu",
      "tfjs-layers/dist/tf-layers",
    ]
      .map((name) => readFileSync(join(packages, `${name}.min.js`), "utf8"))
      .join("\n");
    const page = tutorialPage();
    const local = page.replace(/src="https:[^"]*tf\.min\.js"/, 'src="tf.js"');
    expect(local).to.not.equal(page);
    const files = new Map<string, string | Uint8Array>([
      ["index.html", local],
      ["tf.js", script],
    ]);
    for (const [name, bytes] of writeTfjs(network)) files.set(`model/${name}`, bytes);
    const server = await serve(files);
    const browser = await chromium.launch({
      executablePath: chromiumPath,
      args: ["--no-sandbox", "--disable-gpu"],
    });
    try {
      const tab = await browser.newPage();
      const wrong: string[] = [];
      tab.on("pageerror", (error) => void wrong.push(error.message));
      await tab.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/index.html`);
      await tab.waitForFunction("document.querySelector('canvas').width === 32");
      await tab.setInputFiles("input", sample);
      await tab.waitForFunction("document.querySelector('output').value.includes('%')");
      const said = await tab.evaluate<string>("document.querySelector('output').value");
      expect(wrong).to.deep.equal([]);
      const [, word, percent] = /^(\w+), (\d+) %$/.exec(said) ?? [];
      expect(word).to.equal(right > 0.5 ? "right" : "left");
      // The browser reduces pictures by another kernel than we do.
      expect(Number(percent)).to.be.closeTo(100 * Math.max(right, 1 - right), 6);
    } finally {
      await browser.close();
      server.close();
    }
  });
});
