/** Every kind of run as a page: nothing without a value in sight, every run named, and sentences that follow from the record. */
import { expect } from "chai";
import type { Metrics, ModelRecord, RunRecord } from "../../lib/record/record.ts";
import { packReportAssets } from "../../lib/report/pack.ts";
import { renderReport } from "../../lib/report/report.ts";
import { storySentence } from "../../lib/report/sections/story.ts";
import { changed, empty, plain, said, visible } from "./extras.ts";
import { sampleRecord, sampleRegression } from "./sample.ts";

const tiny = await packReportAssets("var Plotly = {};");

/** As a record comes out of its file: what is no finite number has become null. */
function stored(record: RunRecord): RunRecord {
  return JSON.parse(JSON.stringify(record)) as RunRecord;
}

function modelOf({ models }: RunRecord, name: string): ModelRecord {
  const found = models.find((model) => model.name === name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
}

function attributes(): RunRecord {
  const record = sampleRecord(0.2);
  const classes = ["Male", "Smiling", "Hat"];
  const test = (accuracy: number): Metrics => ({
    ...{
      n: 100,
      accuracy,
      accuracyError: 0.02,
      balancedAccuracy: accuracy,
      f1: 0.5,
      precision: 0.5,
      recall: 0.5,
    },
    perOutput: classes.map((name, i) => ({
      ...{ name, accuracy, balancedAccuracy: accuracy, n: 100 },
      ...{ f1: i === 2 ? 0 : 0.8, positives: i === 2 ? 0 : 40 },
    })),
  });
  return {
    ...record,
    task: { ...record.task, name: "attributes", kind: "multi-label", classes, columns: classes, outputs: 3 },
    dataset: {
      ...record.dataset,
      ...{ train: 300, test: 100 },
      labels: classes.map((label, i) => ({ label, train: i === 2 ? 0 : 120, test: i === 2 ? 0 : 40 })),
    },
    models: record.models.map((model) => ({ ...model, test: test(0.9), validation: test(0.9) })),
  };
}

function int8(worse: number): RunRecord {
  const record = sampleRecord();
  const pruned = modelOf(record, "pruned");
  const n = pruned.test.n;
  const accuracy = pruned.test.accuracy - worse;
  const model: ModelRecord = {
    ...pruned,
    ...{ name: "pruned-int8", title: `${pruned.title}, int8`, history: [], fileBytes: pruned.fileBytes / 4 },
    test: { n, accuracy, accuracyError: Math.sqrt((accuracy * (1 - accuracy)) / n) },
  };
  return { ...record, models: [...record.models, model] };
}

/** A run whose pruned network is there a second time, as the graph that onnxruntime runs faster. */
function withGraph(share: number): RunRecord {
  const record = sampleRecord();
  const pruned = modelOf(record, "pruned");
  const model: ModelRecord = {
    ...pruned,
    ...{ name: "pruned-onnxruntime", title: `${pruned.title}, graph for onnxruntime`, history: [] },
    ...(pruned.latency && {
      latency: { ...pruned.latency, medianMs: share * pruned.latency.medianMs },
    }),
  };
  return { ...record, models: [...record.models, model] };
}

function trained(task = sampleRecord()): RunRecord {
  const [model] = task.models;
  return {
    ...task,
    ...{ title: "light", curves: [], layers: [], gammaCosts: [], layerCosts: [] },
    backbone: { ...task.backbone, name: "mobilenet-v2", title: "MobileNetV2" },
    models: [{ ...model, name: "mobilenet-v2", title: "MobileNetV2, width 0.5" }],
  };
}

/** A network whose answers are no numbers, with a training that shows it. */
function diverged(): RunRecord {
  const age = sampleRegression();
  const pruned = modelOf(age, "pruned");
  const broken = { ...pruned.test, accuracy: 0, accuracyError: 0, mae: NaN, rmse: NaN, correlation: NaN };
  const history = pruned.history.map((epoch) =>
    epoch.epoch === 0 ? epoch : { ...epoch, valLoss: NaN, trainLoss: NaN },
  );
  return stored(
    changed(
      {
        ...{ test: broken, history },
        versusBaseline: {
          difference: -0.5,
          error: 0.01,
          gained: 0,
          lost: 650,
          mae: { difference: NaN, error: NaN },
        },
      },
      {},
      age,
    ),
  );
}

function twoTasks(): RunRecord {
  const [gender, age] = [sampleRecord(), sampleRegression()];
  const models = age.models.map(({ test }) => ({ test }));
  return { ...gender, others: [{ task: age.task, dataset: age.dataset, curves: age.curves, models }] };
}

function alone(record: RunRecord, ...names: string[]): RunRecord {
  return { ...record, models: record.models.filter(({ name }) => names.includes(name)) };
}

const one: Metrics = {
  n: 1,
  accuracy: 1,
  accuracyError: 0,
  confusion: [
    [1, 0],
    [0, 0],
  ],
  calibration: [],
};

function onePicture(): RunRecord {
  const record = changed(
    { test: one, versusBaseline: { difference: 0, error: 0, gained: 0, lost: 0 } },
    { test: one },
  );
  return { ...record, dataset: { ...record.dataset, test: 1, val: 1, train: 3 } };
}

/** Nothing is cut: gamma 0 keeps every filter. */
function keepsAll(): RunRecord {
  const record = sampleRecord(0);
  const whole = modelOf(record, "baseline");
  const layers = record.layers.map(({ name, total }) => ({ name, kept: total, total }));
  return { ...changed({ cost: whole.cost, latency: whole.latency! }, {}, record), gamma: 0, layers };
}

function keepsOne(): RunRecord {
  const record = sampleRecord(0.9);
  const curves = record.curves.map((curve) => ({ ...curve, kneeFilters: 1 }));
  return { ...record, curves, layers: record.layers.map(({ name, total }) => ({ name, kept: 1, total })) };
}

const named = (record: RunRecord, title: string): RunRecord => ({ ...record, title });

function sweep(): RunRecord[] {
  return [0, 0.1].flatMap((gamma) =>
    [1, 2].map((seed) => named(sampleRecord(gamma, seed), `gamma ${gamma}, seed ${seed}`)),
  );
}

const kinds: Record<string, RunRecord | RunRecord[]> = {
  "gender with equal answers": changed({ versusBaseline: { difference: 0, error: 0, gained: 0, lost: 0 } }),
  "age that got worse": sampleRegression(),
  attributes: attributes(),
  "two tasks": twoTasks(),
  "a sweep with a control": sweep(),
  "a sweep, a light network and two runs of one key": [
    ...sweep(),
    trained(),
    named({ ...sampleRecord(0.1, 1), models: sampleRecord(0.1, 3).models }, "twin"),
  ],
  "a sweep of ages": [0.03, 0.1].map((gamma) => named({ ...sampleRegression(), gamma }, `age at ${gamma}`)),
  "tasks of two measures": [
    named(sampleRecord(), "gender"),
    named(sampleRegression(), "age"),
    named(attributes(), "attributes"),
  ],
  "tasks of two measures, one without a baseline": [
    named(sampleRecord(), "gender"),
    named(trained(sampleRegression()), "age from nothing"),
  ],
  "int8 that is worse": int8(0.1),
  "a trained network": trained(),
  "a trained network of ages": trained(sampleRegression()),
  "a run that diverged": diverged(),
  "a run that diverged beside others": [named(sampleRegression(), "fine"), named(diverged(), "lost")],
  "one test picture": onePicture(),
  "no baseline": alone(sampleRecord(), "pruned"),
  "no baseline of ages": alone(sampleRegression(), "pruned"),
  "a graph for onnxruntime": withGraph(0.7),
  "gamma that keeps all": keepsAll(),
  "gamma that keeps one": keepsOne(),
  "nothing right": changed(
    { test: { ...one, accuracy: 0, n: 40 } },
    { test: { ...one, accuracy: 0, n: 40 } },
  ),
};

describe("report: every kind of run", () => {
  for (const [kind, record] of Object.entries(kinds)) {
    it(`${kind}: shows nothing without a value, and names every run`, () => {
      const records = Array.isArray(record) ? record.map(stored) : stored(record);
      const page = renderReport(records, tiny);
      const text = visible(page);
      expect(
        empty.exec(text)?.[0],
        text.slice(Math.max(0, text.search(empty) - 120), text.search(empty) + 40),
      ).to.equal(undefined);
      expect(text).not.to.match(/±\s*0(\.0+)?(?![.\d])/);
      expect(text).not.to.match(/[-−]0(\.0+)?\s*(%|points)/);
      for (const each of [records].flat()) {
        if (each.title !== undefined) expect(text).to.contain(each.title);
        for (const { title } of each.models) expect(text).to.contain(title.split(/[,(]/)[0]);
      }
      const ids = [...page.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id);
      expect(new Set(ids).size).to.equal(ids.length);
    });
  }

  it("names no gamma as the choice of a run whose target was met without it", () => {
    const sample = sampleRecord(0.2);
    const record = { ...sample, config: { ...sample.config, allocate: "uniform" } };
    const headed = (page: string): string => plain(/<p class="byline">[\s\S]*?<\/p>/.exec(page)?.[0] ?? "");
    expect(headed(renderReport(sample, tiny))).to.contain("gamma 0.2");
    expect(headed(renderReport(record, tiny))).to.contain("equal shares of all layers");
    expect(headed(renderReport(record, tiny))).not.to.contain("gamma");
  });

  it("says of a network that diverged that it gives no numbers, not that it is right by 0", () => {
    const record = diverged();
    expect(plain(storySentence(record).text)).to.match(
      /gives no finite answers on 1,250 test faces \(its training diverged; the baseline: [^)]*years off\)/,
    );
    expect(said(record)).to.contain(
      "The answers of the pruned network are no finite numbers: the two cannot be compared",
    );
    expect(said(record)).not.to.match(/better one here|loss or a gain/);
  });

  it("says of attributes what their accuracy is a mean of", () => {
    expect(plain(storySentence(alone(attributes(), "pruned")).text)).to.contain(
      "gives 90 % ± 2 right answers, averaged over the attributes, on 100 test faces",
    );
  });

  it("tells a trained network of numbers by its error", () => {
    expect(plain(storySentence(trained(sampleRegression())).text)).to.match(
      /^MobileNetV2, width 0\.5 is off by 6\.10 years on average/,
    );
  });

  it("compares int8 with floats, and says where bytes cost quality", () => {
    expect(said(int8(0.1))).to.match(
      /In int8, “Pruned \(ETL\)” takes 0\.25\d? of its file.*its accuracy differs by −10\.0 ± \d\.\d points, more than chance explains: bytes cost quality here/,
    );
    expect(said(int8(0.001))).to.match(/its accuracy differs by .*, within the uncertainty of this test set/);
  });

  it("tells the graph for onnxruntime by its time, whichever way it went", () => {
    expect(said(withGraph(0.5))).to.match(
      /“Pruned \(ETL\)” is there a second time, with the same function, as a graph for onnxruntime \(pruned-onnxruntime\.onnx\): an image takes [\d.]+ ms instead of [\d.]+ ms \(a share of 0\.50?\)/,
    );
    const restless = withGraph(0.5);
    const copy = { median: 0.7, low: 0.6, high: 0.8 };
    const models = restless.models.map((model) =>
      model.name === "baseline" && model.latency ? { ...model, latency: { ...model.latency, copy } } : model,
    );
    expect(said({ ...restless, models })).to.match(/how much faster it is cannot be told from this run\./);
    expect(said(withGraph(1.5))).to.match(/it was not faster at the end: [\d.]+ ms an image, the plain file/);
  });

  it("gives the right reason where nothing was cut", () => {
    const text = said(keepsAll());
    expect(text).to.contain("Hardly anything was cut (gamma 0)");
    expect(text).not.to.contain("in blocks");
  });

  it("says of one face, and of few runs, that they show nothing", () => {
    expect(said(onePicture())).to.contain("both networks gave the same answers on all 1 test face.");
    const share = { median: 0.5, low: 0.5, high: 0.5 };
    const latency = { medianMs: 5, p95Ms: 6, runs: 3, threads: 1 };
    const text = said(
      changed({ latency: { ...latency, ofBaseline: share } }, { latency: { ...latency, medianMs: 10 } }),
    );
    expect(text).to.contain("CPU times rest on 3 runs of each network, too few to say how sure they are");
  });

  it("does not call different wrong answers the same", () => {
    const record = changed({ versusBaseline: { difference: 0, error: 0, gained: 0, lost: 0 } });
    const emotion = { ...record, task: { ...record.task, kind: "categorical" as const } };
    expect(said(emotion)).to.contain("both networks are right and wrong on the same of all 1,250 test faces");
    expect(
      said({
        ...attributes(),
        models: changed({ versusBaseline: { difference: 0, error: 0, gained: 0, lost: 0 } }, {}, attributes())
          .models,
      }),
    ).to.contain("as many right answers on every single one of");
  });

  it("judges several answers a face by how much, not by how many faces", () => {
    const versusBaseline = { difference: -0.02, error: 0.004, gained: 60, lost: 20 };
    expect(said(changed({ versusBaseline }, {}, attributes()))).to.contain("pruning cost quality here");
  });

  it("needs more of a handful of faces than twice the standard error", () => {
    const age = sampleRegression();
    const of = (n: number): string =>
      said(
        changed(
          {
            test: { ...modelOf(age, "pruned").test, n },
            versusBaseline: {
              difference: 0,
              error: 0.1,
              gained: 1,
              lost: 1,
              mae: { difference: 2.5, error: 1 },
            },
          },
          {},
          age,
        ),
      );
    expect(of(4)).to.contain("does not show a loss or a gain");
    expect(of(400)).to.contain("pruning cost quality here");
  });

  it("judges controls and the probe of numbers by their error", () => {
    const age = sampleRegression();
    const models = age.models.map((model) => {
      const better = model.name === "random" || model.name === "probe";
      return better ? { ...model, test: { ...model.test, accuracy: 0.1, mae: 2, rmse: 2.5 } } : model;
    });
    const text = said({ ...age, models });
    expect(text).to.match(
      /mean absolute error of ETL minus that of the control is \+4\.35 ± [\d.]+ years, the control is better/,
    );
    expect(text).to.match(/the probe\): 2\.00 years off; fine-tuning all layers made it worse/);
  });

  it("speaks of a baseline that was not fine-tuned as of one", () => {
    const record = changed({}, { history: [], title: "Baseline (all filters, fine-tuned)" });
    const page = plain(renderReport(record, tiny));
    expect(page).to.contain("The baseline is the unpruned network, which was not fine-tuned.");
    expect(page).not.to.contain("all filters, fine-tuned");
  });

  it("keeps the worth of errors apart from that of accuracies, and less error is a gain", () => {
    const age = [1, 2, 3].map((seed) => ({
      ...sampleRegression(),
      config: { ...sampleRegression().config, seed },
    }));
    const gender = [1, 2].map((seed) => sampleRecord(0.1, seed));
    const page = plain(renderReport([...gender, ...age], tiny));
    expect(page).to.match(/Random filters, same shape: [−-]0\.750? years of mean absolute error/);
    expect(page).to.match(/Random filters, same shape: \+[\d.]+( ± [\d.]+)? points/);
  });

  it("takes the change of times from rounds in turns in comparisons, too, and none where they are not reliable", () => {
    const latency = { medianMs: 9, p95Ms: 9, runs: 60, threads: 1 };
    const range = (median: number) => ({ median, low: median - 0.01, high: median + 0.01 });
    const pair = (copy: number): RunRecord[] =>
      [0.1, 0.2].map((gamma) =>
        changed(
          { latency: { ...latency, ofBaseline: range(0.4) } },
          { latency: { ...latency, medianMs: 10, copy: range(copy) } },
          sampleRecord(gamma),
        ),
      );
    const table = (page: string): string =>
      plain(page.slice(page.indexOf('id="comparison"'), page.indexOf('id="runs"')));
    expect(table(renderReport(pair(1), tiny))).to.contain("9.00 ms (−60 %)");
    const doubtful = renderReport(pair(1.2), tiny);
    expect(table(doubtful)).to.contain("9.00 ms, not reliable");
    expect(plain(doubtful)).to.contain("no change where an identical copy of the baseline took another time");
  });
});
