import { expect } from "chai";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import type { Task } from "../../lib/core/artifacts.ts";
import { isEtlError } from "../../lib/core/errors.ts";
import { notFinite } from "../../lib/record/finite.ts";
import { prune } from "../../lib/jobs/prune/prune.ts";
import { checkVaries } from "../../lib/jobs/run/parts.ts";
import { asWritten } from "../../lib/jobs/run/frame.ts";
import { formatDigits } from "../../lib/report/format.ts";
import { listening, smallRun } from "./support.ts";

describe("numbers that are none", function () {
  this.timeout(120_000);
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-numbers-"));
  });
  after(() => rm(root, { recursive: true, force: true }));

  it("a learning rate with which training diverges is named at once, a tiny one ends in a report", async () => {
    const options = { ...(await smallRun(root)), controls: [] };
    const error: unknown = await prune({ ...options, learningRates: [1e30] }).catch((e: unknown) => e);
    expect(isEtlError(error, "engine") && error.hint, String(error)).to.contain(
      "try a smaller learning rate",
    );
    await prune({ ...options, out: join(root, "tiny"), learningRates: [1e-101] });
    expect(await readFile(join(root, "tiny/report.html"), "utf8")).to.contain("1e\u2212101");
    expect(formatDigits(1e-101, 1)).to.equal("1e\u2212101");
    expect(formatDigits(1e-4, 1)).to.equal("0.0001");
  });

  it("labels that are all the same are refused, whatever they are", async () => {
    const data = join(root, "data");
    await rm(data, { recursive: true, force: true });
    const rows = Array.from({ length: 60 }, (_, i) => `face${i}.png,37`);
    await mkdir(data);
    await writeFile(join(data, "labels.csv"), ["file,age", ...rows].join("\n"));
    const picture = await sharp({ create: { width: 32, height: 32, channels: 3, background: "#765" } })
      .png()
      .toBuffer();
    for (let i = 0; i < 60; i++) await writeFile(join(data, `face${i}.png`), picture);
    const options = { ...(await smallRun(root)), data, task: "age", out: join(root, "constant") };
    const error: unknown = await prune(options).catch((e: unknown) => e);
    expect(isEtlError(error, "data") && error.message).to.contain("the same label of age (37)");
  });

  const task = (more: Partial<Task>): Task =>
    ({
      ...{ name: "t", kind: "categorical", outputs: 2, classes: ["a", "b"], columns: ["t"], scale: 1 },
      ...{ loss: "softmax-cross-entropy", metric: "accuracy", mirror: "allow" },
      ...(more as object),
    }) as unknown as Task;
  const values = (...of: number[]): Float32Array => Float32Array.from(of);

  it("knows constant labels of every kind of task, and those that vary", () => {
    const refused = (of: Task, targets: Float32Array, mask?: Float32Array): string => {
      try {
        checkVaries("data", of, { targets, mask });
        return "";
      } catch (error) {
        return (error as Error).message;
      }
    };
    const [one, many] = [task({}), task({ kind: "multi-label" })];
    const binary = task({ kind: "binary", outputs: 1, classes: ["no", "yes"] });
    const number = task({ kind: "regression", outputs: 1, scale: 0.01 });
    expect(refused(one, values(0, 1, 0, 1))).to.contain("(b)");
    expect(refused(one, values(0, 1, 1, 0))).to.equal("");
    expect(refused(binary, values(1, 1, 1))).to.contain("(yes)");
    expect(refused(number, values(0.4, 0.4))).to.contain("(40)");
    expect(refused(number, values(0.4, 0.5))).to.equal("");
    expect(refused(many, values(1, 0, 1, 0))).to.contain("same label");
    expect(refused(many, values(1, 0, 1, 1), values(1, 1, 1, 0)), "unknown").to.contain("same label");
  });

  it("never get into a record without a word", () => {
    const record = { models: [{ test: { mae: Number.NaN, n: 3 } }], list: [1, Infinity] };
    expect(notFinite(record)).to.deep.equal(["models[0].test.mae is NaN", "list[1] is Infinity"]);
    const { progress, warnings } = listening();
    expect(asWritten(record, progress).list).to.deep.equal([1, null]);
    expect(warnings[0]).to.contain("models[0].test.mae is NaN");
    expect(asWritten({ a: [1, "NaN", null] }, progress)).to.deep.equal({ a: [1, "NaN", null] });
    expect(warnings).to.have.length(1);
  });
});
