/** Results of stages in JSON, read back with suspicion: a run may come from a stranger, or from a version that wrote no sums. */
import {
  aCount,
  aNumber,
  aNumberOrNull,
  aSwitch,
  aText,
  arrayOf,
  eitherOf,
  listOf,
  mapOf,
  needShape,
  objectOf,
  oneOf,
  readShaped,
  soThat,
} from "../../core/shape.ts";
import type { Curve, LassoPath } from "../../core/artifacts.ts";
import { historyShape, latencyShape, metricsShape, responsesShape } from "../../record/schema.ts";
import type { RunFolder } from "./folder.ts";

const training = { history: historyShape, bestEpoch: aCount, learningRate: aNumber };
const quality = { test: metricsShape, validation: metricsShape };
/** Numbers, of which one that is none is null. */
const numbers = listOf(aNumberOrNull);

const states = listOf(objectOf({ losses: numbers, weights: numbers, thresholds: numbers }));
const trials = listOf(objectOf({ learningRate: aNumber, valLoss: aNumberOrNull }));

const floats = arrayOf(Float64Array);
const indices = arrayOf(Uint32Array);
const path = soThat(
  objectOf({
    lambdas: floats,
    p: aCount,
    q: aCount,
    points: listOf(
      objectOf({
        ...{ lambda: aNumber, gap: aNumber, rmse: aNumber },
        ...{ support: indices, beta: floats, intercept: eitherOf(aNumber, floats) },
      }),
    ),
  }),
  "a point of so many filters beside every lambda",
  ({ lambdas, points, p, q }: LassoPath) =>
    points.length === lambdas.length &&
    points.every(
      ({ support, beta, intercept }) =>
        beta.length === support.length * q &&
        support.every((filter) => filter < p) &&
        (typeof intercept === "number" || intercept.length === q),
    ),
);
const heldOut = objectOf({ mean: floats, standardError: floats, supports: listOf(listOf(indices)) });
const curve = soThat(
  objectOf(
    { tap: aText, total: aCount, path },
    { heldOut, joint: objectOf({ path, classOf: arrayOf(Int32Array) }) },
  ),
  "a curve of as many filters as its path",
  ({ total, path: { p, lambdas }, heldOut, joint }: Curve) =>
    total === p &&
    (heldOut === undefined ||
      [heldOut.mean, heldOut.standardError, ...heldOut.supports].every(
        ({ length }) => length === lambdas.length,
      )) &&
    (joint === undefined || joint.classOf.length === total),
);

/** What each kind of file must hold at least. */
const storedShapes = {
  latencies: mapOf(latencyShape),
  responses: responsesShape,
  tuned: objectOf({
    ...training,
    trials,
  }),
  trained: objectOf({
    trained: objectOf({ ...training, states }, { stopped: aText }),
  }),
  evaluations: objectOf({
    tasks: listOf(objectOf({ task: aText, ...quality, right: numbers }, { errors: numbers })),
  }),
  evaluation: objectOf(
    { ...quality, others: listOf(objectOf({ task: aText, ...quality })) },
    { atZero: metricsShape, labels: objectOf({ accuracy: aNumber }) },
  ),
  int8: objectOf(
    { quantized: aSwitch, layers: aCount, inFloat: listOf(aText), pictures: aCount },
    { reason: aText, equalised: aSwitch, fitted: listOf(aText), fasterInFloat: listOf(aText) },
  ),
  aim: objectOf(
    {
      gamma: aNumber,
      reached: aSwitch,
      targets: listOf(
        objectOf({
          target: objectOf({ kind: aText, value: aNumber }),
          gamma: aNumber,
          value: aNumber,
          reached: aSwitch,
          evaluations: aCount,
        }),
      ),
    },
    { widths: objectOf({ allocate: oneOf("gamma", "uniform", "knapsack"), keep: listOf(aCount) }) },
  ),
  curves: listOf(curve),
  checkpoint: objectOf({ learningRate: aNumber, trials, history: historyShape, step: aCount }),
  states,
  graph: objectOf({ written: aSwitch, said: aText }),
  frame: objectOf({ frameMs: aNumber }),
  fold: objectOf({ tasks: listOf(objectOf({ task: aText, top1: aNumber }, { top2: aNumber })) }),
} as const;

type Kind = keyof typeof storedShapes;

const hint = "remove this file and run the same command again: it is made anew";

/** The result of a stage. @throws EtlError `format` where it is none of its kind */
export function readStored<T>(folder: RunFolder, file: string, kind: Kind): Promise<T> {
  return readShaped<T>(folder.file(file), storedShapes[kind], { hint });
}

/** What was read otherwise than as JSON. @throws EtlError `format` where it is none of its kind */
export function needStored(value: unknown, path: string, kind: Kind): void {
  needShape(value, storedShapes[kind], path, { hint });
}
