/** One run told in five places: page, terminal, `metrics.json`, `--json` and the commands that read it say the same. */
import { expect } from "chai";
import { mkdtempSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ComparedNetwork } from "../../lib/jobs/many/compare.ts";
import type { RunMetrics, RunRecord } from "../../lib/record/record.ts";
import { accuracyNumbers, isDoubtful, timeOver } from "../report/walk/cells.ts";
import { misstated } from "../report/walk/read.ts";
import { pageFaults } from "../report/walk/walk.ts";
import { capture } from "../support/program.ts";
import { writeSmallBackbone } from "../support/small-backbone.ts";

for (const task of ["gender", "age"] as const)
  describe(`one run of ${task} in all that tells of it`, function () {
    this.timeout(300_000);
    const root = mkdtempSync(join(tmpdir(), "etl-agree-"));
    const [run, data] = [join(root, "run"), "synthetic:120"];
    let [table, record] = [[] as string[], {} as RunRecord];
    const read = (file: string): Promise<string> => readFile(join(run, file), "utf8");
    const call = async (...argv: string[]): Promise<string> => {
      const { code, stdout, stderr } = await capture(argv);
      expect(code, stderr).to.equal(0);
      return stdout;
    };
    const json = async <T>(...argv: string[]): Promise<T> => JSON.parse(await call(...argv, "--json")) as T;
    const planned = (): string[] => [
      ...["--task", task, "--data", data, "--gamma", "0.3", "--backbone", join(root, "small.onnx")],
      ...["--batch-size", "16", "--threads", "1", "--cache-dir", join(root, "cache")],
    ];
    const options = (): string[] => [
      ...planned(),
      ...["--epochs", "1", "--baseline-epochs", "1", "--learning-rate", "1e-3", "--runs", "6"],
      ...["--control", "random"],
    ];
    const own = (name: string): RunRecord["models"][number] => {
      const model = record.models.find((each) => each.name === name);
      if (!model) throw new Error(`no ${name}`);
      return model;
    };

    before(async () => {
      await writeSmallBackbone(join(root, "small.onnx"));
      table = (await call("prune", ...options(), "--out", run)).split("\n");
      record = JSON.parse(await read("record.json")) as RunRecord;
    });
    after(() => rm(root, { recursive: true }));

    it("the page", async () => {
      expect(pageFaults(await read("report.html"), [record])).to.deep.equal([]);
    });

    it("the table at the end", () => {
      for (const model of record.models) {
        // Where the terminal is narrow a title goes on in the next line.
        const line = table.find((each) => {
          const [title, quality] = each.split(/ {2,}/);
          return (
            quality !== undefined &&
            model.title.replace(", fine-tuned", "").startsWith(title.replace(/, fine-tuned\)?|,$/, ""))
          );
        });
        const [, quality, ...cells] = (line ?? "").split(/ {2,}/);
        const { test, cost, latency, fileBytes } = model;
        expect(misstated(quality, task === "age" ? [test.mae] : accuracyNumbers(test)), line).to.equal(
          undefined,
        );
        const costs = task === "age" ? cells.slice(1) : cells;
        const expected = [cost.total.macs, cost.total.params, fileBytes, latency?.medianMs];
        expected.forEach((value, i) => {
          const shown = costs[i].replace(", not reliable", "");
          expect(misstated(shown, shown === "-" ? [] : [value]), line).to.equal(undefined);
        });
        if (latency) expect(costs[3].endsWith("not reliable"), line).to.equal(isDoubtful(record));
      }
    });

    it("metrics.json, and what --json prints", async () => {
      const metrics = JSON.parse(await read("metrics.json")) as RunMetrics;
      expect(metrics.measure).to.equal(task === "age" ? "mae" : "accuracy");
      expect(metrics.better).to.equal(task === "age" ? "lower" : "higher");
      for (const name of ["baseline", "pruned"] as const) {
        const { test, cost, latency } = own(name);
        const { accuracy, value, macs, params, bytes, cpuMs } = metrics[name];
        expect({ macs, params, bytes }).to.deep.equal(cost.total);
        expect([accuracy, cpuMs]).to.deep.equal([test.accuracy, latency?.medianMs]);
        expect(value).to.equal(task === "age" ? test.mae : test.accuracy);
      }
      const [pruned, baseline] = [own("pruned"), own("baseline")];
      for (const key of ["macs", "params", "bytes"] as const)
        expect(metrics.reduction[key]).to.equal(1 - pruned.cost.total[key] / baseline.cost.total[key]);
      // The page's share of the time comes from rounds in turns: so does this one.
      expect(metrics.reduction.cpuMs).to.equal(1 - (timeOver(record, pruned)?.[0] ?? NaN));
      expect(metrics.layers).to.deep.equal(record.layers);
      const { schema, ...printed } = await json<{ schema: string }>("prune", ...options(), "--out", run);
      expect(schema).to.equal("etl/prune/1");
      expect(metrics).to.deep.include(printed);
    });

    it("plan, beforehand", async () => {
      const plan = await json<Record<string, unknown>>("plan", ...planned(), "--out", join(root, "plan"));
      expect(plan["layers"]).to.deep.equal(record.layers);
      expect([plan["before"], plan["after"]]).to.deep.equal([
        own("baseline").cost.total,
        own("pruned").cost.total,
      ]);
      expect(record.gammaCosts?.find(({ gamma }) => gamma === 0)).to.include(own("baseline").cost.total);
      expect(record.gammaCosts?.find(({ gamma }) => gamma === 0.3)).to.include(own("pruned").cost.total);
      const said = await call("plan", ...planned(), "--out", join(root, "plan"));
      const share = own("pruned").cost.total.macs / own("baseline").cost.total.macs;
      const percent = /^MACs .* \((.*)\)$/m.exec(said)?.[1] ?? "";
      expect(misstated(percent, [share])).to.equal(undefined);
    });

    it("compare", async () => {
      const { networks } = await json<{ networks: ComparedNetwork[] }>("compare", run);
      expect(networks.map(({ name }) => name)).to.have.members(record.models.map(({ name }) => name));
      for (const { name, accuracy, value, macs, n } of networks) {
        const { test, cost } = own(name);
        expect([accuracy, macs, n]).to.deep.equal([test.accuracy, cost.total.macs, test.n]);
        expect(value).to.equal(task === "age" ? test.mae : test.accuracy);
      }
    });

    it("evaluate on the data of the run: the test part, and the same numbers", async () => {
      const found = await json<RunRecord["models"][number]["test"]>("evaluate", run, "--data", data);
      const { test } = own("pruned");
      expect([found.n, found.accuracy]).to.deep.equal([test.n, test.accuracy]);
      if (test.mae !== undefined) expect(found.mae).to.be.closeTo(test.mae, 1e-4 * test.mae);
    });
  });
