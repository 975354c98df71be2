import { expect } from "chai";
import { fork } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FuzzNews } from "./fuzz/child.ts";
import { extension, loader } from "./support.ts";

/** Mutated files of every kind: `ETL_FAULTS=long` for 10,000, `ETL_FUZZ_ONLY` for one kind. */
const runs = process.env["ETL_FAULTS"] === "long" ? 10_000 : 60;
const only = process.env["ETL_FUZZ_ONLY"] ?? "";
/** Of processor time; of time, on a machine that does other work as well, a hang takes this long. */
const [longestMs, hangMs] = [10_000, 60_000];
const mostBytes = 2e9;

/** A damaged file of these costs the row that it belongs to, not the data set. */
const losesRows: ReadonlySet<string> = new Set(["a.mat beside a picture"]);

describe("files of every kind, mutated", function () {
  this.timeout(7_200_000);
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-fuzz-"));
  });
  after(() => rm(root, { recursive: true, force: true }));

  it(`${runs} of each are read or refused with a sentence, in seconds, in bounded memory, and nothing outside is touched`, async () => {
    const failures: string[] = [];
    const done: Extract<FuzzNews, { done: string }>[] = [];
    const script = join(import.meta.dirname, `fuzz/child${extension}`);
    const child = fork(script, [root, only, "0", String(runs)], { execArgv: [...loader] });
    let [at, timer] = ["the start", setTimeout(() => undefined, 0)];
    const watch = (): void => {
      clearTimeout(timer);
      timer = setTimeout(
        () => {
          failures.push(`${at}: hangs`);
          child.kill("SIGKILL");
        },
        at === "the start" ? 600_000 : hangMs,
      );
    };
    watch();
    child.on("message", (news: FuzzNews) => {
      if ("at" in news) at = news.at;
      else if ("failed" in news) failures.push(news.failed);
      else done.push(news);
      watch();
    });
    const code = await new Promise((resolve) => child.on("exit", resolve));
    clearTimeout(timer);
    if (failures.length > 0)
      throw new Error(`${failures.length} failures\n${failures.slice(0, 40).join("\n")}`);
    expect(code, at).to.equal(0);
    for (const { done: name, read, refused, peakBytes, slowestMs } of done) {
      expect(read, `${name}: read`).to.be.above(0);
      if (!losesRows.has(name)) expect(refused, `${name}: refused`).to.be.above(0);
      expect(peakBytes, name).to.be.below(mostBytes);
      expect(slowestMs, name).to.be.below(longestMs);
      if (runs > 1000)
        console.log(
          `      ${name}: ${read} read, ${refused} refused, at most ${(peakBytes / 1e6).toFixed(0)} MB, ${slowestMs.toFixed(0)} ms`,
        );
    }
    expect(done.length).to.be.at.least(only === "" ? 20 : 1);
  });
});
