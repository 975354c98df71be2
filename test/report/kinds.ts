/** A record of every kind of run, made from the samples: what pages, and the walker over pages, are tried on. */
import type { Metrics, ModelRecord, PairedDifference, RunRecord } from "../../lib/record/record.ts";
import { changed, withGroups } from "./extras.ts";
import { sampleRecord, sampleRegression } from "./sample.ts";

/** As a record comes out of its file: what is no finite number has become null. */
export function stored(record: RunRecord): RunRecord {
  return JSON.parse(JSON.stringify(record)) as RunRecord;
}

export function modelOf({ models }: RunRecord, name: string): ModelRecord {
  const found = models.find((model) => model.name === name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
}

export function attributes(): RunRecord {
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

/** @param worse by how much bytes lower the accuracy. @param versusPruned the same, row by row */
export function int8(worse: number, versusPruned?: PairedDifference): RunRecord {
  const record = sampleRecord();
  const pruned = modelOf(record, "pruned");
  const n = pruned.test.n;
  const accuracy = pruned.test.accuracy - worse;
  const model: ModelRecord = {
    ...pruned,
    ...{ name: "pruned-int8", title: `${pruned.title}, int8`, history: [], fileBytes: pruned.fileBytes / 4 },
    test: { n, accuracy, accuracyError: Math.sqrt((accuracy * (1 - accuracy)) / n) },
    ...(versusPruned && { versusPruned }),
  };
  return { ...record, models: [...record.models, model] };
}

/** A control whose answers are compared with those of the pruned network row by row: of 1,250 faces it gets 17 fewer right. */
function controlled(): RunRecord {
  const versusPruned = { difference: -0.0136, error: 0.004, gained: 5, lost: 22 };
  const record = sampleRecord();
  const models = record.models.map((model) => (model.name === "random" ? { ...model, versusPruned } : model));
  return { ...record, models };
}

/** A run whose pruned network is there a second time, as the graph that onnxruntime runs faster. */
export function withGraph(share: number): RunRecord {
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

export function trained(task = sampleRecord()): RunRecord {
  const [model] = task.models;
  return {
    ...task,
    ...{ title: "light", curves: [], layers: [], gammaCosts: [], layerCosts: [] },
    backbone: { ...task.backbone, name: "mobilenet-v2", title: "MobileNetV2" },
    models: [{ ...model, name: "mobilenet-v2", title: "MobileNetV2, width 0.5" }],
  };
}

/** A network whose answers are no numbers, with a training that shows it. */
export function diverged(): RunRecord {
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

export function alone(record: RunRecord, ...names: string[]): RunRecord {
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

export function onePicture(): RunRecord {
  const record = changed(
    { test: one, versusBaseline: { difference: 0, error: 0, gained: 0, lost: 0 } },
    { test: one },
  );
  return { ...record, dataset: { ...record.dataset, test: 1, val: 1, train: 3 } };
}

/** Nothing is cut: gamma 0 keeps every filter. */
export function keepsAll(): RunRecord {
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

/** Emotions: three classes, one of which the test part hardly has. */
function emotion(): RunRecord {
  const record = sampleRecord(0.2);
  const classes = ["anger", "happiness", "surprise"];
  const test = (right: readonly number[]): Metrics => {
    const rows = [60, 50, 10];
    const n = 120;
    const confusion = rows.map((_, i) => rows.map((__, j) => (i === j ? right[i] : 0)));
    rows.forEach((row, i) => (confusion[i][(i + 1) % 3] = row - right[i]));
    const accuracy = right.reduce((sum, count) => sum + count, 0) / n;
    const calibration = [
      { confidence: 0.45, accuracy: 0.5, n: 20 },
      { confidence: 0.9, accuracy: 0.8, n: 100 },
    ];
    const balancedAccuracy = right.reduce((sum, count, i) => sum + count / rows[i], 0) / 3;
    const accuracyError = Math.sqrt((accuracy * (1 - accuracy)) / n);
    return { n, accuracy, accuracyError, balancedAccuracy, f1: 0.5, confusion, calibration };
  };
  const answers: Record<string, readonly number[]> = { baseline: [50, 40, 5], pruned: [40, 31, 2] };
  const labels = classes.map((label, i) => ({ label, train: [150, 120, 30][i], test: [60, 50, 10][i] }));
  return {
    ...record,
    task: { ...record.task, name: "emotion", kind: "categorical", columns: ["emotion"], classes, outputs: 3 },
    dataset: { ...record.dataset, train: 300, val: 60, test: 120, labels },
    models: record.models.map((model) => ({
      ...model,
      test: test(answers[model.name] ?? [30, 30, 0]),
      validation: test([48, 41, 4]),
      ...(model.name === "pruned" && {
        versusBaseline: { difference: -22 / 120, error: 0.043, gained: 2, lost: 24 },
      }),
    })),
  };
}

/** Yaw in degrees, learnt in radians, with a tolerance that the labels' own spread gives. */
function headPose(): RunRecord {
  const record = sampleRegression();
  const task = { ...record.task, tolerance: undefined } as unknown as RunRecord["task"];
  return {
    ...record,
    task: { ...task, name: "head-pose", columns: ["yaw"], unit: "degrees", scale: Math.PI / 180 },
    models: record.models.map((model) => ({
      ...model,
      test: { ...model.test, tolerance: 12.345 },
      ...(model.name === "pruned" && {
        versusBaseline: { difference: -0.015, error: 0.01, mae: { difference: 0.25, error: 0.02 } },
      }),
    })),
  };
}

/** A target of time, met by shares of all layers, with int8 beside it; times in turns, and of two copies that agree. */
function timed(): RunRecord {
  const record = int8(0.004);
  const over: Record<string, number> = { pruned: 0.5, random: 0.51, "pruned-int8": 0.3 };
  const models = record.models.map((model) => {
    const share = over[model.name] as number | undefined;
    const latency = { medianMs: 10 * (share ?? 1), p95Ms: 12, runs: 50, threads: 1 };
    if (model.name === "probe") return model;
    if (share === undefined)
      return { ...model, latency: { ...latency, copy: { median: 1.01, low: 1, high: 1.02 }, load: 0.4 } };
    const ofBaseline = { median: share, low: share - 0.01, high: share + 0.012 };
    return { ...model, latency: { ...latency, ofBaseline } };
  });
  return {
    ...record,
    models,
    config: { ...record.config, allocate: "uniform", targetTime: 0.5, int8: true },
    time: { wholeMs: 10, predictedMs: 4.9, measuredMs: 5 },
    notes: ["Target at most 50 % of the time: reached, 49 % measured at the end"],
  };
}

/** A baseline that was fine-tuned beside a pruned network that kept its start, and the other way round. */
function unequal(kept: "pruned" | "baseline"): RunRecord {
  const record = sampleRecord();
  const models = record.models.map((model) => (model.name === kept ? { ...model, bestEpoch: 0 } : model));
  return { ...record, models, config: { ...record.config, rmse: "train", distill: 16, distillOutputs: 4 } };
}

const named = (record: RunRecord, title: string): RunRecord => ({ ...record, title });

function sweep(): RunRecord[] {
  return [0, 0.1].flatMap((gamma) =>
    [1, 2].map((seed) => named(sampleRecord(gamma, seed), `gamma ${gamma}, seed ${seed}`)),
  );
}

export const kinds: Record<string, RunRecord | RunRecord[]> = {
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
  "int8 that is worse, row by row": int8(0.01, { difference: -0.01, error: 0.002, gained: 1, lost: 13 }),
  "int8 with equal answers": int8(0, { difference: 0, error: 0, gained: 0, lost: 0 }),
  "a control compared row by row": controlled(),
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
  "emotions that got worse": emotion(),
  "head pose with a tolerance of its own": headPose(),
  "a target of time with int8": timed(),
  "times of a restless machine": changed(
    {},
    {
      latency: {
        medianMs: 10,
        p95Ms: 12,
        runs: 50,
        threads: 1,
        copy: { median: 1.2, low: 1, high: 1.4 },
        load: 7,
      },
    },
  ),
  "a pruned network that kept its start": unequal("pruned"),
  "a baseline that kept its start": unequal("baseline"),
  "groups of test faces": withGroups(sampleRecord()),
  "nothing right": changed(
    { test: { ...one, accuracy: 0, n: 40 } },
    { test: { ...one, accuracy: 0, n: 40 } },
  ),
};
