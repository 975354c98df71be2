import { expect } from "chai";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";
import { readReportAssets } from "../../lib/report/assets.ts";
import { renderReport } from "../../lib/report/report.ts";
import { requireOrSkip } from "../support/require.ts";
import { sampleFaces, sampleResponse, withGroups } from "./extras.ts";
import { hostileRecord, sampleRecord, sampleRegression } from "./sample.ts";

const chromiumPath = process.env["ETL_CHROMIUM"] ?? "/usr/bin/chromium";
const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Waits for an expression of the page. Asked from outside: the page's own policy forbids evaluation inside. */
async function until(page: Page, expression: string): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    if ((await page.evaluate(expression)) === true) return;
    await page.waitForTimeout(50);
  }
  throw new Error(`never true: ${expression}`);
}

describe("report in a browser", function () {
  this.timeout(180_000);
  let browser: Browser | undefined;
  let folder = "";
  let complaints: string[] = [];
  let requests: string[] = [];

  before(async function () {
    requireOrSkip(this, "chromium", existsSync(chromiumPath));
    folder = await mkdtemp(join(tmpdir(), "etl-report-"));
    const assets = await readReportAssets();
    await writeFile(join(folder, "one.html"), renderReport(withGroups(sampleRecord()), assets));
    const faces = await sampleFaces();
    await writeFile(
      join(folder, "faces.html"),
      renderReport({ ...withGroups(sampleRecord()), responses: [sampleResponse], faces }, assets),
    );
    await writeFile(join(folder, "hostile.html"), renderReport(hostileRecord(), assets));
    await writeFile(
      join(folder, "many.html"),
      renderReport([sampleRecord(0.01), sampleRecord(0.1), sampleRegression()], assets),
    );
    browser = await chromium.launch({ executablePath: chromiumPath, args: flags });
  });

  after(async () => {
    await browser?.close();
    if (folder !== "") await rm(folder, { recursive: true, force: true });
  });

  /** Opens a report, waits until every figure is drawn, and listens for complaints and requests all the while. */
  async function open(
    name: string,
    options: Parameters<Browser["newContext"]>[0] = {},
  ): Promise<{ page: Page; context: BrowserContext }> {
    if (!browser) throw new Error("the browser was not started");
    complaints = [];
    requests = [];
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    const page = await context.newPage();
    page.on("console", (message) => complaints.push(`${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("dialog", (dialog) => {
      complaints.push(`dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on("request", (request) => requests.push(request.url()));
    await page.goto(pathToFileURL(join(folder, name)).href, { timeout: 90_000 });
    await page
      .waitForSelector("html.drawn", { state: "attached", timeout: 60_000 })
      .catch((error: unknown) => {
        throw new Error(`${name} was not drawn: ${complaints.join("; ")}`, { cause: error });
      });
    return { page, context };
  }

  function expectQuiet(name: string): void {
    expect(complaints).to.deep.equal([]);
    const loaded = requests.filter((url) => !url.startsWith("blob:") && !url.startsWith("data:"));
    expect(loaded).to.deep.equal([pathToFileURL(join(folder, name)).href]);
  }

  it("draws every figure without complaint and without a request", async () => {
    const { page, context } = await open("one.html");
    const drawn = await page.evaluate(
      "[...document.querySelectorAll('[data-figure]')].map((e) => e.querySelectorAll('svg.main-svg').length > 0)",
    );
    expect(drawn).to.be.an("array").with.length.at.least(8).and.not.include(false);
    const lines = await page.evaluate(
      "[...document.querySelectorAll('.small')].map((e) => [...e.querySelectorAll('path:not(.axis, .knee path)')].map((p) => (p.getAttribute('d') ?? '').length > 20))",
    );
    expect(lines).to.be.an("array").with.length(29);
    expect((lines as boolean[][]).flat())
      .to.have.length(3 * 29)
      .and.not.include(false);
    expectQuiet("one.html");
    await context.close();
  });

  it("moves every knee with the gamma slider, by keyboard", async () => {
    const { page, context } = await open("one.html");
    const kept = async (): Promise<number[]> =>
      (await page.locator(".small .kept").allTextContents()).map((text) => Number(text.replaceAll(",", "")));
    const knees = (): Promise<unknown> =>
      page.evaluate("[...document.querySelectorAll('.small .knee')].map((e) => e.getAttribute('transform'))");
    const [before, places] = [await kept(), await knees()];
    const slider = page.locator("input[type=range]");
    await slider.focus();
    await page.keyboard.press("End");
    const after = await kept();
    expect(after).to.have.length(29);
    after.forEach((count, i) => {
      expect(count).to.be.below(before[i]);
    });
    expect(await knees()).not.to.deep.equal(places);
    await page.keyboard.press("Home");
    expect(await kept()).to.deep.equal(sampleRecord().curves.map((curve) => curve.total));
    expect(await slider.getAttribute("aria-valuetext")).to.match(
      /^gamma 0: 3,104 of 3,104 filters kept, 557\u202fM FLOPs, 17\.6\u202fMB$/,
    );
    const sums = async (): Promise<string[]> =>
      Promise.all(
        ["macs", "flops", "params", "bytes"].map((role) =>
          page.locator(`[data-role=${role}]`).innerText({ timeout: 10_000 }),
        ),
      );
    const all = await sums();
    for (const text of all) expect(text).to.match(/^[\d.]+\u202f[kMG]B? \(100\u202f%\)$/);
    await page.keyboard.press("PageUp");
    (await sums()).forEach((text, i) => expect(text).not.to.equal(all[i]));
    await page.locator("[data-action=reset-gamma]").click();
    expect(await kept()).to.deep.equal(before);
    expectQuiet("one.html");
    await context.close();
  });

  it("shows the tap that is chosen in the list or among the small drawings", async () => {
    const { page, context } = await open("one.html");
    await page.locator("#run-curves select").selectOption("3");
    await until(page, "document.querySelector('#run-curves-tap .legend')?.textContent.includes('of 32')");
    expect(await page.locator('[data-tap="3"] input').isChecked()).to.equal(true);
    await page.locator('[data-tap="28"] input').check();
    await until(page, "document.querySelector('#run-curves-tap .legend')?.textContent.includes('of 256')");
    expect(await page.locator("#run-curves select").inputValue()).to.equal("28");
    expectQuiet("one.html");
    await context.close();
  });

  it("copies and downloads tables", async () => {
    const { page, context } = await open("one.html", { acceptDownloads: true });
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.locator('button[data-action=csv][data-table="run-results"]').click(),
    ]);
    expect(download.suggestedFilename()).to.equal("run-results.csv");
    const text = (await readFile(await download.path(), "utf8")).replace("\ufeff", "");
    const lines = text.trimEnd().split("\r\n");
    expect(lines[0]).to.equal(
      'Network,accuracy,"accuracy, standard error",macs,flops,params,bytes,cpu median (ms),cpu over baseline',
    );
    expect(lines).to.have.length(5);
    const pruned = sampleRecord().models.find((model) => model.name === "pruned");
    expect(lines[3].split(",").slice(1, 4).map(Number)).to.deep.equal([
      pruned?.test.accuracy,
      pruned?.test.accuracyError,
      pruned?.cost.total.macs,
    ]);
    await page.evaluate(
      "Object.defineProperty(navigator, 'clipboard', { value: { writeText: async (text) => { globalThis.copied = text; } } })",
    );
    await page.locator('button[data-action=copy][data-table="run-results"]').click();
    await until(page, "document.getElementById('status').textContent.includes('copied')");
    expect(await page.evaluate("globalThis.copied.split('\\n').length")).to.equal(5);
    expectQuiet("one.html");
    await context.close();
  });

  it("sorts a table by a heading, up, down and as it was, and copies what is shown", async () => {
    const { page, context } = await open("one.html");
    const column = (): Promise<number[]> =>
      page.evaluate(
        "[...document.querySelectorAll('#run-layers tbody tr')].filter((row) => !row.hidden).map((row) => Number(row.cells[1].dataset.csv ?? row.cells[1].textContent))",
      );
    await page.evaluate("document.querySelectorAll('details').forEach((e) => { e.open = true; })");
    const before = await column();
    const heading = page.locator("#run-layers thead th").nth(1);
    const button = heading.getByRole("button");
    await button.focus();
    await page.keyboard.press("Enter");
    expect(await heading.getAttribute("aria-sort")).to.equal("ascending");
    expect(await column()).to.deep.equal(before.toSorted((a, b) => a - b));
    await button.click();
    expect(await column()).to.deep.equal(before.toSorted((a, b) => b - a));
    await button.click();
    expect(await heading.getAttribute("aria-sort")).to.equal(null);
    expect(await column()).to.deep.equal(before);

    const field = page.locator("#run-layers input[type=search]");
    const [word] = sampleRecord().layers[3].name.split(" ");
    await field.fill(word.toUpperCase());
    const some = sampleRecord().layers.filter(({ name, reason = "" }) => `${name} ${reason}`.includes(word));
    expect(some.length).to.be.within(1, before.length - 1);
    expect(await column()).to.deep.equal(some.map(({ kept }) => kept));
    await page.evaluate(
      "Object.defineProperty(navigator, 'clipboard', { value: { writeText: async (text) => { globalThis.copied = text; } } })",
    );
    await page.locator('button[data-action=copy][data-table="run-layers"]').click();
    expect(await page.evaluate("globalThis.copied.split('\\n').length")).to.equal(some.length + 1);
    expectQuiet("one.html");
    await context.close();
  });

  it("says on which side a table goes on", async () => {
    const { page, context } = await open("one.html", { viewport: { width: 390, height: 844 } });
    const marks = (): Promise<unknown> =>
      page.evaluate(
        "(({ classList: c }) => [c.contains('more-left'), c.contains('more-right')])(document.querySelector('#run-results .table-view'))",
      );
    expect(await marks()).to.deep.equal([false, true]);
    await page.evaluate("document.querySelector('#run-results .table-scroll').scrollLeft = 1e4");
    await until(page, "document.querySelector('#run-results .table-view').classList.contains('more-left')");
    expect(await marks()).to.deep.equal([true, false]);
    await context.close();
  });

  it("keeps gamma and tap in its address, and opens where an address says", async () => {
    const { page, context } = await open("one.html");
    await page.locator("#run-curves select").selectOption("3");
    await page.locator("input[type=range]").focus();
    await page.keyboard.press("End");
    const kept = await page.locator("[data-role=kept]").first().innerText();
    const address = page.url();
    const { tap } = sampleRecord().curves[3];
    expect(address).to.match(/#run-curves&gamma=[\d.]+&tap=/);
    expect(decodeURIComponent(address)).to.contain(`&tap=${tap}`);
    const again = await context.newPage();
    await again.goto(address);
    await again.waitForSelector("html.drawn", { state: "attached", timeout: 60_000 });
    expect(await again.locator("[data-role=kept]").first().innerText()).to.equal(kept);
    expect(await again.locator("#run-curves select").inputValue()).to.equal("3");
    await again.evaluate("location.hash = '#run-curves&gamma=0&tap=nobody%'");
    await until(again, "document.querySelector('input[type=range]').value === '0'");
    expect(await again.locator("#run-curves select").inputValue()).to.equal("3");
    await context.close();
  });

  it("saves a figure as SVG and as PNG, with its title", async () => {
    const { page, context } = await open("one.html", { acceptDownloads: true });
    for (const kind of ["svg", "png"]) {
      const [saved] = await Promise.all([
        page.waitForEvent("download"),
        page.locator(`button[data-action=${kind}][data-plot="run-curves-tap"]`).click(),
      ]);
      expect(saved.suggestedFilename()).to.equal(`run-curves-tap.${kind}`);
      const bytes = await readFile(await saved.path());
      if (kind === "svg") expect(bytes.toString("utf8")).to.match(/^<svg.*One tap/s);
      else expect(bytes.subarray(1, 4).toString("latin1")).to.equal("PNG");
    }
    expectQuiet("one.html");
    await context.close();
  });

  it("tells all lines of a plot in one box", async () => {
    const { page, context } = await open("one.html");
    await page.locator("#run-loss").scrollIntoViewIfNeeded();
    const box = await page.locator("#run-loss .nsewdrag").first().boundingBox();
    if (!box) throw new Error("the plot has no area");
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    await until(page, "document.querySelector('#run-loss .hoverlayer .legend') !== null");
    const text = await page.locator("#run-loss .hoverlayer .legend").first().textContent();
    expect(text).to.match(/^epoch \d/);
    expectQuiet("one.html");
    await context.close();
  });

  it("shows the faces that filters respond to, from the file itself", async () => {
    const { page, context } = await open("faces.html", { viewport: { width: 390, height: 844 } });
    const shown = await page.evaluate<number[]>(
      "[...document.querySelectorAll('.faces img')].map((image) => image.naturalHeight)",
    );
    expect(shown).to.deep.equal(Array.from({ length: 24 }, () => 64));
    expect(await page.locator("#run-responses").innerText()).to.contain("pictures of people");
    expectQuiet("faces.html");
    await context.close();
  });

  it("slides and downloads on a phone", async () => {
    const { page, context } = await open("one.html", {
      viewport: { width: 390, height: 844 },
      hasTouch: true,
      isMobile: true,
      acceptDownloads: true,
    });
    const kept = page.locator("[data-role=kept]");
    const before = await kept.innerText();
    const slider = page.locator("input[type=range]");
    const { width = 0, height = 0 } = (await slider.boundingBox()) ?? {};
    await slider.tap({ position: { x: 0.95 * width, y: height / 2 } });
    await until(page, `document.querySelector('[data-role=kept]').innerText !== ${JSON.stringify(before)}`);
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.locator('button[data-action=csv][data-table="run-groups"]').tap(),
    ]);
    const lines = (await readFile(await download.path(), "utf8")).trimEnd().split("\r\n");
    expect(lines).to.have.length(6);
    expect(lines[0]).to.match(/^\ufeffLabel,Group,n,/);
    expectQuiet("one.html");
    await context.close();
  });

  it("fits a phone, with names of any length", async () => {
    for (const name of ["one.html", "faces.html", "hostile.html", "many.html"]) {
      const { page, context } = await open(name, { viewport: { width: 390, height: 844 } });
      expect(await page.evaluate("document.documentElement.scrollWidth"), name).to.equal(390);
      expectQuiet(name);
      await context.close();
    }
  });

  it("shows every column of a comparison at once on a desktop, and gives its file some more", async () => {
    const { page, context } = await open("many.html", { acceptDownloads: true });
    const hidden =
      "[...document.querySelectorAll('#table1 .table-scroll, #comparison .table-scroll')].map((e) => e.scrollWidth - e.clientWidth)";
    expect(await page.evaluate(hidden)).to.deep.equal([0, 0]);
    expect(await page.getByRole("columnheader", { name: "Parameters" }).count()).to.equal(0);
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.locator('button[data-action=csv][data-table="comparison"]').click(),
    ]);
    const [heading] = (await readFile(await download.path(), "utf8")).replace("\ufeff", "").split("\r\n");
    expect(heading).to.contain("Run,Task,Gamma,Network,Accuracy");
    expect(heading).to.contain("MACs,Parameters,bytes");
    expectQuiet("many.html");
    await context.close();
  });

  it("runs nothing that came as a name", async () => {
    const { page, context } = await open("hostile.html");
    await page.locator("#run-curves select").selectOption("3");
    await page.locator("input[type=range]").press("End");
    await page.evaluate("document.querySelectorAll('details').forEach((e) => { e.open = true; })");
    await page.hover("#run-kept .main-svg");
    await page.waitForTimeout(200);
    expect(await page.evaluate("globalThis.hacked")).to.equal(undefined);
    expect(
      await page.evaluate(
        "document.querySelectorAll('img, a[href*=script], [onerror], [onclick], [onload]').length",
      ),
    ).to.equal(0);
    expect(await page.locator("h1").textContent()).to.contain("<img src=x onerror=");
    expectQuiet("hostile.html");
    await context.close();
  });

  it("follows the system into the dark, and the reader out of it", async () => {
    const { page, context } = await open("one.html", { colorScheme: "dark" });
    const ink = (): Promise<unknown> =>
      page.evaluate("getComputedStyle(document.querySelector('#run-kept .xtick text')).fill");
    const dark = await ink();
    await page.locator("#theme").click();
    await until(
      page,
      `getComputedStyle(document.querySelector('#run-kept .xtick text')).fill !== ${JSON.stringify(dark)}`,
    );
    expectQuiet("one.html");
    await context.close();
  });

  it("opens folded sections for print, on white, within the paper", async () => {
    const { page, context } = await open("many.html", { colorScheme: "dark" });
    const state =
      "({ closed: document.querySelectorAll('details:not([open])').length, ground: getComputedStyle(document.documentElement).getPropertyValue('--card'), widest: Math.max(...[...document.querySelectorAll('[data-figure] .main-svg')].map((e) => e.clientWidth)) })";
    await page.evaluate("dispatchEvent(new Event('beforeprint'))");
    const printing = await page.evaluate<{ closed: number; ground: string; widest: number }>(state);
    expect(printing.closed).to.equal(0);
    expect(printing.ground.trim()).to.equal("#ffffff");
    expect(printing.widest).to.be.within(300, 680);
    await page.evaluate("dispatchEvent(new Event('afterprint'))");
    expect((await page.evaluate<{ closed: number }>(state)).closed).to.be.above(2);
    expectQuiet("many.html");
    await context.close();
  });
});
