import { expect } from "chai";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";
import sharp from "sharp";
import { describe as withFacts } from "../../lib/backbones/metadata.ts";
import type { Task } from "../../lib/core/artifacts.ts";
import { createRandom } from "../../lib/core/random.ts";
import type { Precision } from "../../lib/formats/web/layout.ts";
import { writeModel } from "../../lib/backbones/write-model.ts";
import { predictImages, type Prediction } from "../../lib/jobs/use/predict.ts";
import { serveFolder, type Served } from "../../lib/jobs/use/serve.ts";
import { exportPage } from "../../lib/jobs/use/web.ts";
import { createBuilder } from "../../lib/network/builder.ts";
import type { Network } from "../../lib/network/network.ts";
import { requireOrSkip } from "../support/require.ts";

const chromiumPath = process.env["ETL_CHROMIUM"] ?? "/usr/bin/chromium";
const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
];
/** A photograph of several people. */
const photo = createRequire(import.meta.url).resolve("@vladmandic/face-api/demo/sample4.jpg");

const task = (facts: Partial<Task> & Pick<Task, "name" | "kind">): Task => ({
  ...{ columns: [facts.name], classes: [], outputs: 1, scale: 1, mirror: "keep" },
  ...facts,
});
/** One of every kind. */
const tasks: readonly Task[] = [
  task({ name: "gender", kind: "binary", classes: ["female", "male"] }),
  task({ name: "emotion", kind: "categorical", classes: ["calm", "glad", "sad", "cross"], outputs: 4 }),
  task({ name: "age", kind: "regression", unit: "years", scale: 0.1 }),
  task({
    name: "wears",
    kind: "multi-label",
    classes: ["hat", "glasses"],
    outputs: 2,
    columns: ["hat", "glasses"],
  }),
  task({
    name: "landmarks",
    kind: "regression",
    unit: "crop",
    outputs: 10,
    columns: Array.from({ length: 10 }, (_, i) => `p${i}`),
  }),
];

/** A network of random weights with a head for each task. */
function severalTasks(): Network {
  const random = createRandom(3).fork("page");
  const tensor = (...shape: number[]) => {
    const data = Float32Array.from(
      { length: shape.reduce((a, b) => a * b, 1) },
      () => random.uniform() - 0.5,
    );
    return { shape, data };
  };
  const net = createBuilder("several");
  let x = net.input("image", ["batch", 3, 48, 48]);
  for (const [i, [from, to]] of [
    [3, 16],
    [16, 24],
  ].entries()) {
    x = net.conv(x, {
      name: `conv${i}`,
      weights: tensor(to, from, 3, 3),
      bias: tensor(to).data,
      pads: 1,
      strides: 2,
    });
    x = net.relu(x, { name: `relu${i}` });
  }
  const flat = net.flatten(net.globalAveragePool(x, { name: "pool" }), { name: "flat" });
  const outputs = tasks.map(({ name, outputs: width }) =>
    net.gemm(flat, { name, weights: tensor(width, 24), bias: tensor(width).data }),
  );
  const facts = {
    preprocessing: { width: 48, height: 48, color: "BGR", mean: [90, 100, 110], scale: [0.02, 0.02, 0.02] },
    tasks: outputs.map((output, i) => ({ output, task: tasks[i] })),
    features: "pool",
  } as const;
  return withFacts(net.build(outputs), facts);
}

describe("web: the page", function () {
  this.timeout(300_000);
  let browser: Browser | undefined;
  let context: BrowserContext;
  let folder = "";
  let picture = "";
  const served: Served[] = [];
  const complaints: string[] = [];
  const requests: string[] = [];

  before(async function () {
    requireOrSkip(this, "chromium", existsSync(chromiumPath));
    folder = await mkdtemp(join(tmpdir(), "etl-web-"));
    // PNG: two decoders of JPEG may differ by one step of 255.
    picture = join(folder, "photo.png");
    await sharp(photo).png().toFile(picture);
    await writeModel(severalTasks(), join(folder, "several.onnx"));
    browser = await chromium.launch({ executablePath: chromiumPath, args: flags });
  });
  beforeEach(async () => {
    complaints.length = 0;
    requests.length = 0;
    context = await (browser ?? expect.fail("no browser")).newContext({ permissions: ["camera"] });
  });
  afterEach(() => context.close());
  after(async () => {
    await browser?.close();
    for (const { close } of served) await close();
    if (folder !== "") await rm(folder, { recursive: true, force: true });
  });

  /** Opens a page of a model and waits until it can be used. */
  async function open(model: string, precision: Precision): Promise<{ page: Page; demo: string }> {
    const demo = await mkdtemp(join(folder, "demo-"));
    await exportPage(model, demo, { precision });
    const server = await serveFolder(demo, 0);
    served.push(server);
    const page = await context.newPage();
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
    });
    page.on("pageerror", ({ message }) => complaints.push(message));
    page.on("request", (request) => requests.push(request.url()));
    page.on("response", (response) => {
      if (response.status() >= 400) complaints.push(`${response.status()} ${response.url()}`);
    });
    await page.goto(server.address);
    await page.waitForSelector("body[data-ready]", { timeout: 120_000 }).catch(async () => {
      expect.fail(`${(await page.textContent("#status")) ?? ""} ${complaints.join(" ")}`);
    });
    return { page, demo };
  }

  /** Waits for a sentence. Asked from outside: the page's own policy forbids evaluation inside. */
  async function until(page: Page, sentence: RegExp): Promise<void> {
    for (let attempt = 0; attempt < 600; attempt++) {
      if (sentence.test((await page.textContent("#status")) ?? "")) return;
      await page.waitForTimeout(100);
    }
    expect.fail(`never ${String(sentence)}: ${(await page.textContent("#status")) ?? ""}`);
  }

  /** Chooses a picture and gives the numbers of each face. */
  async function choose(page: Page, file: string): Promise<Record<string, number[]>[]> {
    await page.setInputFiles("#file", file);
    await page.waitForSelector("#faces li", { timeout: 120_000 });
    const items = await page.$$eval("#faces li", (all) =>
      (all as unknown as { getAttribute(name: string): string }[]).map((item) =>
        item.getAttribute("data-outputs"),
      ),
    );
    return items.map((text) => JSON.parse(text) as Record<string, number[]>);
  }

  /** Largest difference from what the program says. */
  function farthest(shown: readonly Record<string, number[]>[], said: readonly Prediction[]): number {
    expect(shown).to.have.length(said.length).greaterThan(1);
    let far = 0;
    shown.forEach((outputs, i) => {
      const { outputs: first, others = [] } = said[i];
      const expected = [first, ...others.map((other) => other.outputs)];
      expect(Object.keys(outputs)).to.have.length(expected.length);
      Object.values(outputs).forEach((values, k) => {
        expect(values).to.have.length(expected[k].length);
        values.forEach((value, j) => (far = Math.max(far, Math.abs(value - expected[k][j]))));
      });
    });
    return far;
  }

  it("says what etl predict --align says, of several faces and tasks, and keeps working offline", async () => {
    const { page, demo } = await open(join(folder, "several.onnx"), "uint8");
    // From here on nothing can be fetched.
    await context.setOffline(true);
    const shown = await choose(page, picture);
    const said = await predictImages(demo, [picture], { align: true });
    expect(farthest(shown, said)).to.be.below(1e-4);
    const text = (await page.textContent("#faces")) ?? "";
    for (const word of ["male", "calm", "age", "years", "glasses", "5 points"]) expect(text).to.contain(word);
    expect(await page.textContent("#status")).to.match(/\d faces\. .* ms per face/);
    expect(complaints).to.deep.equal([]);
    const origin = new URL(page.url()).origin;
    expect(requests.filter((url) => !url.startsWith(origin) && !url.startsWith("blob:"))).to.deep.equal([]);
  });

  it("runs the default network with weights in halves", async () => {
    const { page, demo } = await open("face-resnet", "float16");
    const shown = await choose(page, picture);
    expect(farthest(shown, await predictImages(demo, [picture], { align: true }))).to.be.below(1e-4);
    expect(complaints).to.deep.equal([]);
  });

  it("is used on a phone, by keyboard and with the camera", async () => {
    const { page } = await open(join(folder, "several.onnx"), "float32");
    await page.setViewportSize({ width: 390, height: 844 });
    await choose(page, picture);
    const widest = await page.evaluate("document.documentElement.scrollWidth");
    expect(widest).to.be.at.most(390);
    await page.keyboard.press("Tab");
    expect(await page.evaluate("document.activeElement.id")).to.equal("file");
    await page.keyboard.press("Tab");
    expect(await page.evaluate("document.activeElement.id")).to.equal("camera");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#turn:not([hidden])");
    // The fake camera shows no face.
    await until(page, /^Camera: no face/);
    await page.keyboard.press("Enter");
    await page.waitForSelector("#camera[aria-pressed=false]");
    expect(complaints).to.deep.equal([]);
  });

  it("says what is wrong with a file that is no picture", async () => {
    const { page } = await open(join(folder, "several.onnx"), "float16");
    await page.setInputFiles("#file", join(folder, "several.onnx"));
    await until(page, /cannot decode/);
    expect(complaints).to.deep.equal([]);
  });
});
