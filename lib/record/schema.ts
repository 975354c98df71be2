/** What `record.json` must look like: it is read by reports, comparisons and sweeps, and may come from a stranger. */
import { EtlError } from "../core/errors.ts";
import {
  aCount,
  aNumber,
  aNumberOrNull,
  aPlace,
  aSwitch,
  aText,
  eitherOf,
  listOf,
  mapOf,
  needShape,
  objectOf,
  oneOf,
  type ValueShape,
} from "../core/shape.ts";
import { SCHEMA, type CurveRecord, type ModelRecord, type RunRecord, type TaskRecord } from "./record.ts";

const anyOption: ValueShape = (value, at) => (value === null ? undefined : plainValue(value, at));
const plainValue = eitherOf(aText, aNumber, aSwitch);

const task = objectOf(
  {
    name: aText,
    kind: oneOf("binary", "categorical", "regression", "multi-label"),
    columns: listOf(aText),
    classes: listOf(aText),
    outputs: aCount,
    scale: aNumber,
    mirror: oneOf("keep", "negate", "landmarks", "forbid"),
  },
  { unit: aText, tolerance: aNumber },
);

/** The quality on one part. */
export const metricsShape = objectOf(
  { n: aCount, accuracy: aNumber, accuracyError: aNumber },
  {
    balancedAccuracy: aNumber,
    f1: aNumber,
    precision: aNumber,
    recall: aNumber,
    tolerance: aNumber,
    mae: aNumber,
    rmse: aNumber,
    correlation: aNumberOrNull,
    confusion: listOf(listOf(aCount)),
    calibration: listOf(objectOf({ confidence: aNumber, accuracy: aNumber, n: aCount })),
    perOutput: listOf(
      objectOf({
        ...{ name: aText, accuracy: aNumber, balancedAccuracy: aNumber },
        ...{ f1: aNumber, positives: aCount, n: aCount },
      }),
    ),
  },
);

const share = objectOf({ median: aNumber, low: aNumber, high: aNumber });

/** The times of one network. */
export const latencyShape = objectOf(
  { medianMs: aNumber, p95Ms: aNumber, runs: aCount, threads: aCount },
  { ofBaseline: share, copy: share, load: aNumber },
);

const cost = objectOf({ macs: aNumber, params: aNumber, bytes: aNumber });

/** The epochs of a training. */
export const historyShape = listOf(
  objectOf(
    { epoch: aCount, valLoss: aNumberOrNull, valAccuracy: aNumber, learningRate: aNumber, seconds: aNumber },
    {
      trainLoss: aNumberOrNull,
      averaged: aSwitch,
      trainTerms: objectOf({}, { labels: aNumberOrNull, features: aNumberOrNull, outputs: aNumberOrNull }),
    },
  ),
);

const versus = objectOf(
  { difference: aNumber, error: aNumber },
  { gained: aCount, lost: aCount, mae: objectOf({ difference: aNumber, error: aNumber }) },
);

const model = objectOf(
  {
    name: aText,
    title: aText,
    cost: objectOf({ total: cost, trunk: cost, head: cost }),
    fileBytes: aNumber,
    test: metricsShape,
    history: historyShape,
  },
  {
    paperCost: objectOf({ flops: aNumber, bytes: aNumber }),
    latency: latencyShape,
    validation: metricsShape,
    bestEpoch: aCount,
    learningRate: aNumber,
    versusBaseline: versus,
    versusPruned: versus,
  },
);

const curve = objectOf(
  {
    tap: aText,
    layer: aText,
    total: aCount,
    lambdas: listOf(aNumber),
    filters: listOf(aNumber),
    trainRmse: listOf(aNumber),
    gap: aNumber,
    knee: aPlace,
    kneeFilters: aCount,
  },
  {
    task: aText,
    heldOutRmse: listOf(aNumber),
    heldOutError: listOf(aNumber),
    keep: listOf(aCount),
    stability: aNumberOrNull,
  },
);

/** How single filters respond to the label. */
export const responsesShape = listOf(
  objectOf({
    tap: aText,
    layer: aText,
    filter: aCount,
    correlation: aNumber,
    mean: aNumber,
    sd: aNumber,
    points: listOf(objectOf({ label: eitherOf(aText, aNumber), mean: aNumber, error: aNumber, n: aCount })),
  }),
);

const labels = listOf(objectOf({ label: aText, train: aCount, test: aCount }));
const counts = { train: aCount, val: aCount, test: aCount, labels };

const others = listOf(
  objectOf(
    {
      task,
      dataset: objectOf(counts),
      curves: listOf(curve),
      models: listOf(
        objectOf(
          { test: metricsShape },
          { validation: metricsShape, versusBaseline: versus, versusPruned: versus },
        ),
      ),
    },
    { responses: responsesShape },
  ),
);

const record = objectOf(
  {
    schema: oneOf(SCHEMA),
    etlVersion: aText,
    createdAt: aText,
    config: mapOf(anyOption),
    environment: objectOf({ engine: aText, threads: aCount, node: aText, cpu: aText, platform: aText }),
    task,
    backbone: objectOf({ name: aText, title: aText, fingerprint: aText }),
    dataset: objectOf(
      {
        name: aText,
        fingerprint: aText,
        ...counts,
        problems: listOf(objectOf({ file: aText, problem: aText })),
        problemCount: aCount,
      },
      { testFingerprint: aText, read: listOf(aText) },
    ),
    gamma: aNumber,
    curves: listOf(curve),
    layers: listOf(objectOf({ name: aText, kept: aCount, total: aCount }, { reason: aText })),
    models: listOf(model),
    seconds: mapOf(aNumber),
    notes: listOf(aText),
  },
  {
    title: aText,
    layerCosts: listOf(
      objectOf({
        ...{ name: aText, macsBefore: aNumber, macsAfter: aNumber },
        ...{ paramsBefore: aNumber, paramsAfter: aNumber },
      }),
    ),
    gammaCosts: listOf(
      objectOf({ macs: aNumber, params: aNumber, bytes: aNumber, gamma: aNumber, filters: aNumber }),
    ),
    responses: responsesShape,
    groups: listOf(objectOf({ column: aText, label: aText, n: aCount, accuracy: mapOf(aNumber) })),
    others,
    time: objectOf({ wholeMs: aNumber, predictedMs: aNumber }, { measuredMs: aNumber }),
  },
);

/**
 * Checks a record that was read: every field, and that lists that belong together are equally long.
 *
 * @param path the file, for messages
 * @throws EtlError `format`
 */
export function checkRecord(value: unknown, path: string): asserts value is RunRecord {
  const schema = typeof value === "object" && value !== null && "schema" in value ? value.schema : undefined;
  if (schema !== SCHEMA) {
    throw new EtlError("format", `${path}: not a run record of schema ${SCHEMA}, one was needed`);
  }
  needShape(value, record, path);
  const read = value as RunRecord;
  const wrong = [
    ...read.curves.flatMap(wrongCurve),
    ...read.models.flatMap((each) => wrongMetrics(each.test, read)),
    ...(read.others ?? []).flatMap((other) => wrongOther(other, read.models)),
    ...wrongNames(read.models),
    ...wrongGroups(read),
  ];
  if (wrong.length > 0) throw new EtlError("format", `${path}: ${wrong[0]}`);
}

function wrongCurve(each: CurveRecord): string[] {
  const { lambdas, filters, trainRmse, heldOutRmse = lambdas, heldOutError = lambdas, knee } = each;
  const lengths = [lambdas, filters, trainRmse, heldOutRmse, heldOutError].map(({ length }) => length);
  const found = `curve of ${JSON.stringify(each.tap)}: `;
  if (new Set(lengths).size > 1)
    return [`${found}${lengths.join(", ")} numbers, as many of each were needed`];
  if (knee >= lambdas.length)
    return [`${found}knee ${knee} of ${lambdas.length} points, one of them was needed`];
  const most = Math.max(0, ...(each.keep ?? []));
  if (each.keep !== undefined && each.keep.length > 0 && most >= each.total)
    return [`${found}filter ${most} of ${each.total}, one of them was needed`];
  return [];
}

function wrongMetrics(
  { confusion }: ModelRecord["test"],
  { task: { classes } }: Pick<RunRecord, "task">,
): string[] {
  const fits =
    confusion === undefined ||
    (confusion.length === classes.length && confusion.every((row) => row.length === classes.length));
  return fits
    ? []
    : [`a confusion matrix of ${confusion.length} rows, ${classes.length} x ${classes.length} were needed`];
}

function wrongOther(other: TaskRecord, models: readonly ModelRecord[]): string[] {
  if (other.models.length !== models.length)
    return [`task ${other.task.name}: ${other.models.length} networks, ${models.length} were needed`];
  return [
    ...other.curves.flatMap(wrongCurve),
    ...other.models.flatMap((each) => wrongMetrics(each.test, other)),
  ];
}

function wrongNames(models: readonly ModelRecord[]): string[] {
  const names = models.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  return twice === undefined
    ? []
    : [`two networks called ${JSON.stringify(twice)}, a name for each was needed`];
}

/** Groups know the networks that were rated in all of them. */
function wrongGroups({ groups = [] }: RunRecord): string[] {
  const rated = Object.keys(groups[0]?.accuracy ?? {});
  const other = groups.find(({ accuracy }) => !rated.every((name) => Object.hasOwn(accuracy, name)));
  return other === undefined
    ? []
    : [`group ${JSON.stringify(other.label)}: other networks than in the first, the same were needed`];
}
