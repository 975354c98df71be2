import { expect } from "chai";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeModel } from "../../../lib/backbones/write-model.ts";
import { readBytes } from "../../../lib/core/files.ts";
import { silent, type Progress } from "../../../lib/core/progress.ts";
import { recordsByTask } from "../../../lib/record/tasks.ts";
import type { ModelRecord, RunMetrics, RunRecord } from "../../../lib/record/record.ts";
import { drawNamed, syntheticTable } from "../../../lib/data/synthetic/table.ts";
import { readOnnx } from "../../../lib/formats/onnx/read.ts";
import { openModel } from "../../../lib/jobs/run/model.ts";
import type { PruneOptions } from "../../../lib/jobs/prune/options.ts";
import { curveRecords } from "../../../lib/jobs/prune/plan.ts";
import { prune, runPipeline } from "../../../lib/jobs/prune/prune.ts";
import { evaluateModel } from "../../../lib/jobs/use/evaluate.ts";
import { predictImages } from "../../../lib/jobs/use/predict.ts";
import { picture } from "../../data/support.ts";
import { writeSmallBackbone } from "../../support/small-backbone.ts";
import { refused } from "../../support/refusal.ts";

/** Drawn faces on disk with one label column. */
async function drawn(folder: string, column: string, range: readonly [number, number]): Promise<string> {
  await mkdir(folder, { recursive: true });
  const { rows, columns } = syntheticTable("synthetic:400");
  const own = rows.slice(...range);
  for (const { file } of own) {
    const pixels = drawNamed(file, [0, 0, 1, 1], { width: 40, height: 40 });
    await writeFile(join(folder, `${file}.png`), await picture(pixels, 40, 40));
  }
  const lines = own.map(
    ({ file, split, labels }) => `${file}.png,${split ?? ""},${labels[columns.indexOf(column)]}`,
  );
  await writeFile(join(folder, "labels.csv"), [`file,split,${column}`, ...lines].join("\n"));
  return folder;
}

describe("prune: one trunk for several tasks", function () {
  this.timeout(240_000);
  let root: string;
  let options: PruneOptions;
  let record: RunRecord;
  const common = {
    gamma: 0.2,
    epochs: 2,
    baselineEpochs: 1,
    learningRates: [1e-3],
    runs: 2,
    roundTo: 1,
    seed: 3,
  };

  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-joint-"));
    options = {
      ...common,
      task: "gender,age,emotion",
      data: "synthetic:240",
      out: join(root, "run"),
      cacheDir: join(root, "cache"),
      backbone: await writeSmallBackbone(join(root, "small.onnx")),
      controls: ["correlation"],
    };
    record = await prune(options);
  });
  after(() => rm(root, { recursive: true, force: true }));

  it("leaves one network with a named output for each task", async () => {
    for (const file of ["baseline.onnx", "pruned.onnx", "control-correlation.onnx"]) {
      const network = readOnnx(await readBytes(join(options.out, file)), { name: file });
      expect(network.outputs.map(({ name, shape }) => [name, shape[1]])).to.deep.equal([
        ["gender", 1],
        ["age", 1],
        ["emotion", network.parameters.get("emotion.bias")?.shape[0]],
      ]);
    }
    const model = await openModel(options.out);
    expect(model.tasks.map(({ output, task }) => [output, task.name, task.kind])).to.deep.equal([
      ["gender", "gender", "binary"],
      ["age", "age", "regression"],
      ["emotion", "emotion", "categorical"],
    ]);
  });

  it("is written in every format and read again with its tasks", async () => {
    const { network, tasks } = await openModel(options.out);
    for (const path of [join(root, "copy.onnx"), join(root, "web/model.json")]) {
      await writeModel(network, path);
      const again = await openModel(path);
      expect(again.tasks).to.deep.equal(tasks);
      expect(again.network.outputs.map(({ name }) => name)).to.deep.equal(["gender", "age", "emotion"]);
    }
  });

  it("keeps what any task wants: the union of the knees", async () => {
    const plan = JSON.parse(await readFile(join(options.out, "plan.json"), "utf8")) as {
      layers: { name: string; op: string; keptOutputs: number[]; totalOutputs: number }[];
    };
    const byTask = recordsByTask(record);
    for (const { name, keptOutputs } of plan.layers.filter(({ op }) => op === "Conv")) {
      const wanted = byTask.map(({ curves }) => curves.find(({ layer }) => layer === name)?.keep ?? []);
      expect(wanted.every((keep) => keep.length > 0)).to.equal(true);
      expect(keptOutputs).to.deep.equal([...new Set(wanted.flat())].sort((a, b) => a - b));
    }
    expect(plan.layers.some(({ keptOutputs, totalOutputs }) => keptOutputs.length < totalOutputs)).to.equal(
      true,
    );
  });

  it("says the quality of every task in record, metrics and report", async () => {
    const metrics = JSON.parse(await readFile(join(options.out, "metrics.json"), "utf8")) as RunMetrics;
    expect(metrics.task).to.equal("gender,age,emotion");
    const tasks = metrics.tasks ?? [];
    expect(tasks.map(({ task }) => task)).to.deep.equal(["gender", "age", "emotion"]);
    expect(tasks[1].pruned.mae).to.be.greaterThan(0);
    expect(tasks[0].pruned.mae).to.equal(undefined);
    const mean = tasks.reduce((sum, { pruned }) => sum + pruned.accuracy, 0) / 3;
    expect(metrics.pruned.accuracy).to.be.closeTo(mean, 1e-12);
    const [first, ...others] = record.models.map(({ test }) => test.n);
    expect(others.every((n) => n === first)).to.equal(true);
    expect(record.others?.map(({ task, models }) => [task.name, models.length])).to.deep.equal([
      ["age", record.models.length],
      ["emotion", record.models.length],
    ]);
    const page = await readFile(join(options.out, "report.html"), "utf8");
    for (const name of ["Gender", "Age", "Emotion"]) expect(page).to.contain(`${name}: `);
    expect(page).to.contain("Filters that tasks share");
  });

  it("compares a control with the pruned network row by row, on every task", () => {
    for (const { models, task } of recordsByTask(record)) {
      const of = (name: string): ModelRecord => models.find((each) => each.name === name) as ModelRecord;
      const [pruned, control] = [of("pruned"), of("correlation")];
      const { difference, error, gained, lost, mae } = control.versusPruned ?? {};
      expect(difference).to.be.closeTo(control.test.accuracy - pruned.test.accuracy, 1e-9);
      expect(error).to.be.within(0, 1);
      expect((gained ?? 0) + (lost ?? 0)).to.be.at.most(control.test.n);
      expect(mae?.difference === undefined).to.equal(task.kind !== "regression");
      for (const name of ["baseline", "probe", "pruned"]) expect(of(name).versusPruned).to.equal(undefined);
    }
  });

  it("predicts and evaluates every task as it was measured", async () => {
    const evaluate = { data: "synthetic:240", split: "test", cacheDir: join(root, "cache") } as const;
    const { others = [], ...first } = await evaluateModel(options.out, evaluate);
    const measured = recordsByTask(record).map(
      ({ models }) => models.find(({ name }) => name === "pruned")?.test.accuracy,
    );
    expect([first, ...others].map(({ accuracy }) => accuracy)).to.deep.equal(measured);
    const age = await evaluateModel(options.out, { ...evaluate, task: "age" });
    expect([age.task, age.accuracy, age.others]).to.deep.equal(["age", measured[1], undefined]);
    const wrong = await refused(evaluateModel(options.out, { ...evaluate, task: "yaw" }), "usage");
    expect(wrong.message).to.contain("gender, age, emotion");

    const folder = await drawn(join(root, "few"), "gender", [0, 40]);
    const few = await evaluateModel(options.out, { data: folder, cacheDir: join(root, "cache") });
    expect([few.task, few.n, few.others]).to.deep.equal(["gender", 40, undefined]);
    const [prediction] = await predictImages(options.out, [join(folder, "face-000001.png")]);
    expect(prediction.task).to.equal("gender");
    expect(prediction.others?.map(({ task, unit }) => [task, unit])).to.deep.equal([
      ["age", "years"],
      ["emotion", undefined],
    ]);
    expect(prediction.others?.[1].outputs.length).to.be.greaterThan(2);
  });

  it("stopped in training and run again, it ends with the same network; done, it does nothing", async () => {
    const out = join(root, "stopped");
    const abort = new AbortController();
    const progress: Progress = {
      ...silent,
      start: (label) => {
        if (label.startsWith("pruned, epoch 2")) abort.abort();
      },
    };
    await refused(prune({ ...options, out, progress, signal: abort.signal }), "interrupted");
    await prune({ ...options, out });
    const [again, once] = await Promise.all(
      [out, options.out].map((run) => readFile(join(run, "pruned.onnx"))),
    );
    expect(Buffer.compare(again, once)).to.equal(0);
    const labels: string[] = [];
    await prune({ ...options, out, progress: { ...silent, start: (label) => void labels.push(label) } });
    expect(labels.filter((label) => /harvest|epoch|refit|evaluate/.test(label))).to.deep.equal([]);
  });

  it("tasks with data of their own: each is learned from and judged on its own pictures", async () => {
    const [genders, ages] = [join(root, "own/genders"), join(root, "own/ages")];
    await drawn(genders, "gender", [0, 160]);
    await drawn(ages, "age", [160, 400]);
    const own = {
      ...common,
      ...{ cacheDir: join(root, "cache"), backbone: join(root, "small.onnx") },
    };
    const both = await prune({ ...own, task: `gender=${genders},age=${ages}`, out: join(root, "both") });
    const [gender, age] = recordsByTask(both);
    expect([gender.dataset.test, age.dataset.test]).to.deep.equal([40, 60]);
    expect(gender.models.map(({ test }) => test.n)).to.deep.equal([40, 40, 40]);
    expect(age.models.map(({ test }) => test.n)).to.deep.equal([60, 60, 60]);

    // The paths of each task are those of a run on its data alone: no picture of the other folder takes part.
    for (const [joint, data] of [
      [gender, genders],
      [age, ages],
    ] as const) {
      const { task } = joint;
      const out = join(root, `alone-${task.name}`);
      const { curves } = await runPipeline({ ...own, task: task.name, data, out }, "curves");
      const alone = curveRecords(curves!);
      expect(alone.map(({ tap }) => tap)).to.deep.equal(joint.curves.map(({ tap }) => tap));
      alone.forEach(({ lambdas, trainRmse }, t) => {
        expect(joint.curves[t].lambdas[0]).to.be.closeTo(lambdas[0], 1e-6 * lambdas[0]);
        trainRmse.forEach((rmse, i) => {
          expect(joint.curves[t].trainRmse[i]).to.be.closeTo(rmse, 1e-3 * rmse);
        });
      });
    }
  });

  for (const [what, wrong, text] of [
    ["a task twice", { task: "age,age" }, "every task only once"],
    ["a label column for several tasks", { label: "gender" }, "--label"],
    ["scaling by coefficients of several tasks", { scaling: "compensated" }, "--scaling"],
    ["no data at all", { data: undefined }, "has no data"],
  ] as const) {
    it(`answers ${what} with what was needed`, async () => {
      const given = { ...options, out: join(root, "wrong"), ...wrong } as PruneOptions;
      const error = await refused(prune(given), "usage");
      expect(error.message).to.contain(text);
    });
  }
});
