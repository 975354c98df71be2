/** A run record as a real gender run would leave it, made by code: 29 taps, four networks, the same at every call. */
import type { EpochRecord, LayerRow } from "../../lib/core/artifacts.ts";
import { createRandom, type Random } from "../../lib/core/random.ts";
import type { CurveRecord, Metrics, ModelRecord, RunRecord } from "../../lib/record/record.ts";
import { kneeAt } from "../../lib/report/client/knee.ts";

const blocks = [
  { name: "conv32", blocks: 4, width: 32, side: 35, first: false },
  { name: "conv64", blocks: 4, width: 64, side: 17, first: true },
  { name: "conv128", blocks: 3, width: 128, side: 8, first: true },
  { name: "conv256", blocks: 3, width: 256, side: 4, first: true },
];

interface SampleLayer {
  readonly name: string;
  readonly width: number;
  readonly side: number;
  readonly inputs: number;
}

/** Layers of a small residual network: 1 + 2 x 14 convolutions. */
function sampleLayers(): readonly SampleLayer[] {
  const layers: SampleLayer[] = [{ name: "conv32_down", width: 32, side: 72, inputs: 3 }];
  for (const block of blocks) {
    for (let b = 1; b <= block.blocks; b++) {
      const down = block.first && b === 1;
      const stem = down ? `${block.name}_down` : `${block.name}_${b}`;
      layers.push(
        {
          name: `${stem}.conv1`,
          width: block.width,
          side: block.side,
          inputs: down ? block.width / 2 : block.width,
        },
        { name: `${stem}.conv2`, width: block.width, side: block.side, inputs: block.width },
      );
    }
  }
  return layers;
}

function sampleCurve(layer: SampleLayer, depth: number, gamma: number, random: Random): CurveRecord {
  const lambdas: number[] = [];
  const filters: number[] = [];
  const train: number[] = [];
  const held: number[] = [];
  const error: number[] = [];
  const reach = 0.25 + 0.62 * depth ** 0.8 + 0.03 * random.normal();
  const speed = 3 + 9 * depth + random.uniform();
  for (let i = 0; i < 100; i++) {
    const t = i / 99;
    const grown = layer.width * Math.min(1, 1.12 * t ** 1.7);
    const used = i === 0 ? 0 : Math.min(layer.width, Math.round(grown));
    const fitted = reach * (1 - Math.exp((-speed * used) / layer.width)) + 0.06 * t * (1 - reach);
    const fit = Math.sqrt(0.25 * (1 - Math.min(0.96, fitted)));
    lambdas.push(0.2 * 10 ** (-4 * t));
    filters.push(used);
    train.push(fit);
    held.push(fit * (1 + 0.02 + 0.06 * t ** 3 * (layer.width / 128)));
    error.push(0.004 + 0.003 * random.uniform());
  }
  const page = { tap: "", layer: "", total: layer.width, filters, train, held, error, chosen: 0, knee: -1 };
  const knee = kneeAt(page, "heldout", gamma, 2);
  return {
    tap: `${layer.name}.relu`,
    layer: layer.name,
    total: layer.width,
    lambdas,
    filters,
    trainRmse: train,
    heldOutRmse: held,
    heldOutError: error,
    gap: 3e-7 * random.uniform(),
    knee,
    kneeFilters: knee < 0 ? layer.width : filters[knee],
  };
}

function sampleMetrics(accuracy: number, n: number, tilt: number): Metrics {
  const female = Math.round(n * 0.58);
  const male = n - female;
  const wrong = Math.round(n * (1 - accuracy));
  const missed = Math.round(wrong * tilt);
  const right = (n - wrong) / n;
  return {
    n,
    accuracy: right,
    accuracyError: Math.sqrt((right * (1 - right)) / n),
    balancedAccuracy: ((female - (wrong - missed)) / female + (male - missed) / male) / 2,
    f1: (2 * (male - missed)) / (2 * (male - missed) + wrong),
    precision: (male - missed) / (male - missed + wrong - missed),
    recall: (male - missed) / male,
    confusion: [
      [female - (wrong - missed), wrong - missed],
      [missed, male - missed],
    ],
    calibration: [0.55, 0.65, 0.75, 0.85, 0.95, 0.995].map((confidence, i) => ({
      confidence,
      accuracy: Math.min(1, confidence - 0.05 * (1 - confidence) * (6 - i) * tilt),
      n: [22, 25, 31, 60, 172, n - 310][i],
    })),
  };
}

function sampleHistory(
  epochs: number,
  start: number,
  end: number,
  seconds: number,
  random: Random,
): EpochRecord[] {
  return Array.from({ length: epochs + 1 }, (_, epoch) => {
    const t = 1 - Math.exp((-2.2 * epoch) / epochs);
    const accuracy = start + (end - start) * t + 0.0012 * random.normal();
    return {
      epoch,
      ...(epoch > 0 ? { trainLoss: 0.16 * (1 - 0.75 * t) } : {}),
      valLoss: 0.3 - 0.22 * t + 0.01 * random.uniform(),
      valAccuracy: accuracy,
      learningRate: epoch === 0 ? 0 : 1e-4 * (1 - (epoch - 1) / epochs),
      seconds: epoch === 0 ? 0 : seconds * (1 + 0.04 * random.normal()),
    };
  });
}

function bestOf(history: readonly EpochRecord[]): number {
  return history.reduce((a, b) => (b.valAccuracy > a.valAccuracy ? b : a)).epoch;
}

/** Names that try to become markup; see `hostileRecord`. */
export const hostile = `<img src=x onerror="globalThis.hacked=1">`;

/** One `etl prune` run on gender. */
export function sampleRecord(gamma = 0.1, seed = 1): RunRecord {
  const random = createRandom(`report sample ${seed}`);
  const layers = sampleLayers();
  const curves = layers.map((layer, i) =>
    sampleCurve(layer, i / (layers.length - 1), gamma, random.fork(layer.name)),
  );
  const rows: LayerRow[] = layers.map((layer, i) => {
    const stream = layer.name.endsWith("conv2") || i === 0;
    const own = curves[i].kneeFilters;
    const group = curves.filter(
      (_, j) => layers[j].width === layer.width && (layers[j].name.endsWith("conv2") || j === 0),
    );
    const kept = stream
      ? Math.min(layer.width, Math.max(...group.map((curve) => curve.kneeFilters)) + 6)
      : own;
    return {
      name: layer.name,
      kept,
      total: layer.width,
      ...(stream && kept > own
        ? { reason: `union of ${group.length} taps on one residual stream; its own knee keeps ${own}` }
        : {}),
    };
  });
  const costs = layers.map((layer, i) => {
    const before = 9 * layer.inputs * layer.width * layer.side ** 2;
    const inputs = i === 0 ? 3 : (layer.inputs * rows[i - 1].kept) / rows[i - 1].total;
    const share = (inputs * rows[i].kept) / (layer.inputs * layer.width);
    return {
      name: layer.name,
      macsBefore: before,
      macsAfter: Math.round(before * share),
      paramsBefore: 9 * layer.inputs * layer.width,
      paramsAfter: Math.round(9 * layer.inputs * layer.width * share),
    };
  });
  const sum = (pick: (cost: (typeof costs)[number]) => number): number =>
    costs.reduce((total, cost) => total + pick(cost), 0);
  const cost = (macs: number, params: number): ModelRecord["cost"] => ({
    trunk: { macs, params, bytes: 4 * params },
    head: { macs: 256, params: 257, bytes: 1028 },
    total: { macs: macs + 256, params: params + 257, bytes: 4 * params + 1028 },
  });
  const full = cost(
    sum((c) => c.macsBefore),
    sum((c) => c.paramsBefore),
  );
  const small = cost(
    sum((c) => c.macsAfter),
    sum((c) => c.paramsAfter),
  );
  const share = small.total.macs / full.total.macs;
  const latency = (ms: number): NonNullable<ModelRecord["latency"]> => ({
    medianMs: ms,
    p95Ms: ms * 1.21,
    runs: 60,
    threads: 1,
  });
  const accuracy = 0.986 - 0.0075 * Math.max(0, -Math.log(share)) ** 1.4;
  const trained = (
    model: Omit<ModelRecord, "history" | "bestEpoch">,
    history: EpochRecord[],
  ): ModelRecord => ({
    ...model,
    history,
    bestEpoch: bestOf(history),
  });
  const n = 1250;
  const models: ModelRecord[] = [
    trained(
      {
        name: "baseline",
        title: "Baseline (full network, fine-tuned)",
        cost: full,
        fileBytes: full.total.bytes + 21_400,
        latency: latency(9.42),
        validation: sampleMetrics(0.987, 563, 0.6),
        test: sampleMetrics(0.9864, n, 0.6),
        learningRate: 1e-4,
      },
      sampleHistory(5, 0.9845, 0.987, 36, random.fork("baseline")),
    ),
    {
      name: "probe",
      title: "Probe (frozen features, linear head)",
      cost: full,
      fileBytes: full.total.bytes + 21_400,
      test: sampleMetrics(0.9848, n, 0.6),
      history: [],
    },
    trained(
      {
        name: "pruned",
        title: "Pruned (ETL)",
        cost: small,
        fileBytes: small.total.bytes + 20_100,
        latency: latency(9.42 * (0.08 + 0.92 * share)),
        validation: sampleMetrics(accuracy + 0.002, 563, 0.55),
        test: sampleMetrics(accuracy, n, 0.55),
        learningRate: 3e-4,
        versusBaseline: {
          difference: Math.round(n * accuracy) / n - Math.round(n * 0.9864) / n,
          error: 0.0034,
        },
      },
      sampleHistory(8, accuracy - 0.05, accuracy + 0.002, 21, random.fork("pruned")),
    ),
    trained(
      {
        name: "random",
        title: "Random filters, same shape",
        cost: small,
        fileBytes: small.total.bytes + 20_100,
        latency: latency(9.42 * (0.08 + 0.92 * share) * 1.01),
        validation: sampleMetrics(accuracy - 0.014, 563, 0.55),
        test: sampleMetrics(accuracy - 0.0135, n, 0.55),
        learningRate: 3e-4,
      },
      sampleHistory(8, accuracy - 0.12, accuracy - 0.014, 21, random.fork("random")),
    ),
  ];
  const grid = [
    0,
    ...Array.from({ length: 40 }, (_, i) => Number((1e-3 * 10 ** ((i * 2.85) / 39)).toPrecision(2))),
  ];
  return {
    schema: 1,
    etlVersion: "0.1.0",
    createdAt: "2026-01-05T09:30:00.000Z",
    config: {
      task: "gender",
      data: "celeba",
      gamma,
      rmse: "heldout",
      scaling: "compensated",
      reconstruct: true,
      groupSelect: "union",
      minFilters: 2,
      seed,
      epochs: 8,
      batch: 32,
    },
    environment: {
      engine: "onnxruntime-node 1.30.0 (CPU)",
      threads: 2,
      node: "v20.20.2",
      cpu: "a processor with two cores",
      platform: "linux x64",
    },
    task: {
      name: "gender",
      kind: "binary",
      columns: ["Male"],
      classes: ["female", "male"],
      outputs: 1,
      scale: 1,
      mirror: "keep",
    },
    backbone: {
      name: "face-resnet",
      title: "Face ResNet, 29 convolutions",
      fingerprint: "sha256:4f1c6a0e9b7d",
    },
    dataset: {
      name: "CelebA subset",
      fingerprint: "sha256:9a2e5d1107c4",
      train: 3187,
      val: 563,
      test: n,
      labels: [
        { label: "female", train: 1851, test: 725 },
        { label: "male", train: 1336, test: 525 },
      ],
      problems: [
        { file: "000417.jpg", problem: "not a picture: unexpected end of the file" },
        { file: "002210.jpg", problem: "no label in column Male" },
      ],
      problemCount: 2,
    },
    gamma,
    curves,
    layers: rows,
    layerCosts: costs,
    gammaCosts: grid.map((g) => ({
      gamma: g,
      filters: Math.round(2000 * (1 - g) ** 2),
      macs: Math.round(full.total.macs * (g === 0 ? 1 : 0.9 / (1 + 12 * g))),
      params: Math.round(full.total.params * (g === 0 ? 1 : 0.8 / (1 + 30 * g))),
      bytes: Math.round(full.total.bytes * (g === 0 ? 1 : 0.8 / (1 + 30 * g))),
    })),
    models,
    seconds: { harvest: 31.4, path: 4.2, surgery: 0.6, finetune: 171, baseline: 188, evaluate: 22.5 },
    notes: ["2 of 5,002 pictures could not be used; see Data."],
  };
}

/** The sample with every name from outside replaced by one that tries to become markup. */
export function hostileRecord(): RunRecord {
  const record = sampleRecord();
  return {
    ...record,
    title: hostile,
    task: {
      ...record.task,
      name: hostile,
      classes: [hostile, `</script><script>globalThis.hacked=2</script>`],
      columns: [hostile],
    },
    backbone: { name: hostile, title: hostile, fingerprint: hostile },
    dataset: {
      ...record.dataset,
      name: `${hostile}</title><script>globalThis.hacked=3</script>`,
      labels: record.dataset.labels.map((row) => ({ ...row, label: hostile })),
      problems: [
        { file: `"><svg onload="globalThis.hacked=4">`, problem: `=HYPERLINK("http://example.org")` },
      ],
      problemCount: 1,
    },
    environment: { ...record.environment, cpu: hostile, engine: `<!--<script>` },
    config: { ...record.config, [hostile]: hostile },
    curves: record.curves.map((curve) => ({
      ...curve,
      tap: hostile,
      layer: `' onclick='globalThis.hacked=5`,
    })),
    layers: record.layers.map((layer) => ({ ...layer, name: hostile, reason: hostile })),
    layerCosts: (record.layerCosts ?? []).map((cost) => ({ ...cost, name: hostile })),
    models: record.models.map((model) => ({ ...model, title: hostile })),
    notes: [hostile],
  };
}

function trainOnly(curve: CurveRecord): CurveRecord {
  const { tap, layer, total, lambdas, filters, trainRmse, gap, knee, kneeFilters } = curve;
  return { tap, layer, total, lambdas, filters, trainRmse, gap, knee, kneeFilters };
}

/** An age run: regression, histogram labels, curves without held-out folds. */
export function sampleRegression(): RunRecord {
  const record = sampleRecord(0.03, 2);
  const tuned = (model: ModelRecord, accuracy: number, mae: number): ModelRecord => ({
    ...model,
    test: {
      n: 1250,
      accuracy,
      accuracyError: Math.sqrt((accuracy * (1 - accuracy)) / 1250),
      mae,
      rmse: mae * 1.35,
      correlation: 1 - mae / 30,
    },
  });
  return {
    ...record,
    task: {
      name: "age",
      kind: "regression",
      columns: ["age"],
      classes: [],
      outputs: 1,
      unit: "years",
      scale: 1,
      tolerance: 5,
      mirror: "keep",
    },
    models: record.models.map((model, i) =>
      tuned(model, [0.52, 0.49, 0.505, 0.47][i], [6.1, 6.8, 6.35, 7.1][i]),
    ),
    curves: record.curves.map(trainOnly),
    dataset: {
      ...record.dataset,
      name: "UTKFace subset",
      labels: ["0–9", "10–19", "20–29", "30–39", "40–49", "50–59", "60–69", "70+"].map((label, i) => ({
        label,
        train: [420, 210, 980, 610, 360, 310, 180, 117][i],
        test: [160, 90, 390, 240, 140, 120, 70, 40][i],
      })),
      problems: [],
      problemCount: 0,
    },
    notes: [],
  };
}
