/** Results of stages in JSON, read back with suspicion: a run may come from a stranger, or from a version that wrote no sums. */
import {
  aCount,
  aNumber,
  aNumberOrNull,
  aSwitch,
  aText,
  listOf,
  mapOf,
  objectOf,
  oneOf,
  readShaped,
} from "../../core/shape.ts";
import { historyShape, latencyShape, metricsShape, responsesShape } from "../../record/schema.ts";
import type { RunFolder } from "./folder.ts";

const training = { history: historyShape, bestEpoch: aCount, learningRate: aNumber };
const quality = { test: metricsShape, validation: metricsShape };
/** Numbers, of which one that is none is null. */
const numbers = listOf(aNumberOrNull);

/** What each kind of file must hold at least. */
const storedShapes = {
  latencies: mapOf(latencyShape),
  responses: responsesShape,
  tuned: objectOf({
    ...training,
    trials: listOf(objectOf({ learningRate: aNumber, valLoss: aNumberOrNull })),
  }),
  trained: objectOf({
    trained: objectOf(
      { ...training, states: listOf(objectOf({ losses: numbers, weights: numbers, thresholds: numbers })) },
      { stopped: aText },
    ),
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
    { reason: aText, equalised: aSwitch },
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
  frame: objectOf({ frameMs: aNumber }),
  fold: objectOf({ tasks: listOf(objectOf({ task: aText, top1: aNumber }, { top2: aNumber })) }),
} as const;

/** The result of a stage. @throws EtlError `format` where it is none of its kind */
export function readStored<T>(folder: RunFolder, file: string, kind: keyof typeof storedShapes): Promise<T> {
  return readShaped<T>(folder.file(file), storedShapes[kind], {
    hint: "remove this file and run the same command again: it is made anew",
  });
}
