/** What every sentence of a run's part must say, by templates: numbers from the record, and a verdict that follows from them. */
import { evenSplitProbability, shareDifference, studentBound } from "../../../lib/math/statistics.ts";
import type { ModelRecord, RunRecord } from "../../../lib/record/record.ts";
import { costFaults, costs, holds, prunedOf, timeFault, type Faults } from "./costs.ts";
import { misstated } from "./read.ts";
import { accuracyNumbers, baselineOf, isDoubtful, isNumber, timeOver, versusBaseline } from "./cells.ts";

export type Template = readonly [RegExp, (found: readonly string[], record: RunRecord) => Faults];

const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);
const epochsOf = ({ history }: ModelRecord): number => history.filter(({ epoch }) => epoch > 0).length;
const isKept = ({ history, bestEpoch }: ModelRecord): boolean => history.length > 1 && bestEpoch === 0;

function titled(record: RunRecord, title: string): ModelRecord {
  const found = record.models.find((model) =>
    [model.title, model.title.replace(", fine-tuned", "")].includes(title),
  );
  if (!found) throw new Error(`“${title}” is no network of the record`);
  return found;
}

/** "54 % ± 7" or "17.1 years off", of a network. */
function quality(text: string, record: RunRecord, { test }: ModelRecord): string | undefined {
  if (!isNumber(record)) return misstated(text, accuracyNumbers(test));
  const { mae } = test;
  if (typeof mae !== "number" || !Number.isFinite(mae))
    return holds(text === "no finite answers", `“${text}” of no answers`);
  const unit = record.task.unit ?? "";
  return misstated(text, [mae]) ?? holds(text.endsWith(`${unit} off`.trim()), `“${text}” in ${unit}`);
}

interface Gain {
  /** In the measure itself: accuracy, or mean absolute error. */
  readonly value: number;
  readonly error: number;
  /** Whether chance is an unlikely explanation. */
  readonly sure: boolean;
  /** Whether the first is the better one. */
  readonly better: boolean;
}

/** What the record says of one network against another on the same rows, whichever of the two it was written of. */
function rowByRow(one: ModelRecord, other: ModelRecord): ModelRecord["versusBaseline"] {
  const own = { baseline: one.versusBaseline, pruned: one.versusPruned }[other.name];
  const others = { baseline: other.versusBaseline, pruned: other.versusPruned }[one.name];
  if (own !== undefined || others === undefined) return own;
  const { difference, error, gained, lost, mae } = others;
  const rows = gained === undefined || lost === undefined ? {} : { gained: lost, lost: gained };
  return {
    difference: -difference,
    error,
    ...rows,
    ...(mae && { mae: { ...mae, difference: -mae.difference } }),
  };
}

/** Two networks beside each other; undefined where one has no finite answers. */
function gain(record: RunRecord, one: ModelRecord, other: ModelRecord): Gain | undefined {
  const isBeyond = (value: number, error: number, n: number): boolean =>
    n > 1 && error > 0 && Math.abs(value) > studentBound(n - 1) * error;
  const { n } = one.test;
  const kept = rowByRow(one, other);
  if (isNumber(record)) {
    const alone = { ...record, models: [{ ...other, name: "baseline" }] };
    const paired = { ...one, versusBaseline: kept } as unknown as ModelRecord;
    const found = versusBaseline(alone, paired);
    return found && { value: found[0], error: found[1], sure: isBeyond(...found, n), better: found[0] < 0 };
  }
  if (kept) {
    const { difference: value, error, gained, lost } = kept;
    const isExact =
      gained !== undefined && lost !== undefined && Math.abs(value * n - gained + lost) < 1e-6 * n;
    const sure = isExact ? evenSplitProbability(gained, lost) < 0.05 : isBeyond(value, error, n);
    return { value, error, sure, better: value > 0 };
  }
  const [a, b] = [one, other].map(({ test }) => ({ share: test.accuracy, n: test.n }));
  const { low, high } = shareDifference(a, b);
  const error = Math.hypot(one.test.accuracyError, other.test.accuracyError);
  const value = a.share - b.share;
  return { value, error: error > 0 ? error : (high - low) / 4, sure: low > 0 || high < 0, better: value > 0 };
}

/** "-6 ± 10 points" or "-1.3 ± 0.4 years". */
function said(text: string, record: RunRecord, { value, error }: Gain): string | undefined {
  const scale = isNumber(record) ? 1 : 100;
  return misstated(text, [scale * value, error > 0 ? scale * error : undefined]);
}

/** A verdict by its words: whether it claims anything, and for whom. */
function verdict(text: string, { sure, better }: Gain, one: RegExp, other: RegExp): string | undefined {
  const claimed = one.test(text) ? "one" : other.test(text) ? "other" : "none";
  const right = !sure ? "none" : better ? "one" : "other";
  return holds(claimed === right, `“${text}” where ${right} follows from the record`);
}

function epochs(text: string): number {
  return Number(/\d+/.exec(text)?.[0]);
}

/** The story, and the findings of a run. */
export const findings: readonly Template[] = [
  [
    new RegExp(
      `^(?:.*: )?The pruned network keeps (.*) of the baseline’s accuracy \\((.*) against (.*) on (.*) test faces?\\) ${costs}\\.$`,
    ),
    ([kept, own, whole, n, ...cost], record) => {
      const [{ test, versusBaseline: paired }, { test: base }] = [
        prunedOf(record),
        baselineOf(record) as ModelRecord,
      ];
      const ratio = test.accuracy / base.accuracy;
      const error = paired
        ? paired.error / base.accuracy
        : Math.hypot(test.accuracyError, ratio * base.accuracyError) / base.accuracy;
      return [
        misstated(kept, [ratio, error > 0 ? error : undefined]),
        ...[misstated(own, [test.accuracy]), misstated(whole, [base.accuracy]), misstated(n, [test.n])],
        ...costFaults(cost, record),
      ];
    },
  ],
  [
    new RegExp(
      `^(?:.*: )?The pruned network (?:is off by (.*) on average \\(mean absolute error on|gives (no finite answers) on) (.*) test faces?(?: \\(its training diverged)?; the baseline: (.*)\\), ${costs}\\.$`,
    ),
    ([off, lost, n, whole, ...cost], record) => {
      const pruned = prunedOf(record);
      const own = (off as string | undefined) === undefined ? lost : `${off} off`;
      return [
        quality(own, record, pruned),
        misstated(n, [pruned.test.n]),
        quality(whole, record, baselineOf(record) as ModelRecord),
        ...costFaults(cost, record),
      ];
    },
  ],
  [
    /^The pruned network is right on (.*) of (.*) test faces; the baseline: (.*), with ([\d.]+) of the MACs(?: and|,) ([\d.]+) of the parameters(?: and ([\d.]+) of the CPU time)?\.$/,
    ([own, n, whole, ...cost], record) => [
      quality(own, record, prunedOf(record)),
      misstated(n, [prunedOf(record).test.n]),
      quality(whole, record, baselineOf(record) as ModelRecord),
      ...costFaults(cost, record),
    ],
  ],
  [
    /^(.*?) (?:is off by (.*) on average \(mean absolute error on|is right on (.*) of|gives (.*) right answers, averaged over the attributes, on) ([\d,]+) test faces?\)?, with (.*) MACs and (.*) parameters\.(?: No baseline was trained, so nothing can be said about what pruning cost\.)?$/,
    ([title, off, right, many, n, macs, params], record) => {
      const model = title === "The pruned network" ? prunedOf(record) : titled(record, title);
      const text = [right, many].find((each) => (each as string | undefined) !== undefined) ?? `${off} off`;
      return [
        quality(text, record, model),
        ...[misstated(n, [model.test.n]), misstated(macs, [model.cost.total.macs])],
        misstated(params, [model.cost.total.params]),
        holds(title !== "The pruned network" || !baselineOf(record), "there is a baseline"),
      ];
    },
  ],
  [
    /^Accuracy did not change: (.*) (?:on all|on every single one of|of all|on the) ?([\d,]*) ?test faces?\.$/,
    (found, record) => {
      const { versusBaseline: kept, test } = prunedOf(record);
      return [
        holds(kept?.gained === 0 && kept.lost === 0, "answers differ"),
        found[1] === "" ? undefined : misstated(found[1], [test.n]),
      ];
    },
  ],
  [
    /^(Accuracy|The mean absolute error) (?:did not change(?: \((.*?)\))?|changed by (.*?)(?: \((.*)\))?)(, (?:within|more).*?)\.(?: (.*))?$/,
    ([what, same, size, relative, words, how], record) => {
      const [pruned, baseline] = [prunedOf(record), baselineOf(record) as ModelRecord];
      const found = gain(record, pruned, baseline);
      if (!found) return ["a change where answers are not finite"];
      const text = (size as string | undefined) ?? same;
      const whole = baseline.test.mae ?? NaN;
      const disagree = (pruned.versusBaseline?.gained ?? 0) + (pruned.versusBaseline?.lost ?? 0);
      const numbers = /\d/.test(how ?? "") ? misstated(how, [disagree, pruned.test.n]) : undefined;
      return [
        holds((what === "Accuracy") !== isNumber(record), "another measure"),
        text === undefined ? holds(found.value === 0, "it did change") : said(text, record, found),
        holds((size as string | undefined) === undefined || found.value !== 0, "it did not change"),
        (relative as string | undefined) === undefined
          ? undefined
          : misstated(relative, [found.value / whole]),
        verdict(words, found, /pruned network is the better one/, /pruning cost quality/),
        numbers,
        holds(
          !/face/.test(how ?? "") ||
            /treated as independent/.test(how) ||
            pruned.versusBaseline !== undefined,
          "not paired",
        ),
      ];
    },
  ],
  [
    /^The pruned network is not faster here(, it is slower)?: (.*?) of the CPU time (?:\((.*?) to (.*?)\) )?with (.*?) of the MACs\. (.*)$/,
    ([slower, value, low, high, macs, why], record) => {
      const [pruned, baseline] = [prunedOf(record), baselineOf(record) as ModelRecord];
      const [over, from, to] = timeOver(record, pruned) ?? [NaN];
      const left = pruned.cost.total.macs / baseline.cost.total.macs;
      return [
        holds(!isDoubtful(record), "times that are not reliable"),
        holds(!((to ?? over) < 1 && over < 0.97), "it is faster"),
        holds(
          ((slower as string | undefined) !== undefined) === (from !== undefined && from > 1),
          "slower or not",
        ),
        ...[misstated(value, [over]), misstated(macs, [left])],
        ...((low as string | undefined) === undefined ? [] : [misstated(low, [from]), misstated(high, [to])]),
        holds(why.startsWith("Hardly anything") === left > 0.97, "another reason"),
      ];
    },
  ],
  [
    /^The times of this run are not reliable: an identical copy of the baseline took (.*) of its time(?:, at a load of (.*))?\. etl profile RUN RUN\/baseline\.onnx measures again on a quiet machine\.$/,
    ([copy, load], record) => [
      holds(isDoubtful(record), "the copy took as long"),
      misstated(copy, [baselineOf(record)?.latency?.copy?.median]),
      (load as string | undefined) === undefined
        ? undefined
        : misstated(load, [baselineOf(record)?.latency?.load]),
    ],
  ],
  [
    /^CPU times rest on (\d+) runs? of each network, too few to say how sure they are: --runs 50 is the default\.$/,
    ([runs], record) => [
      misstated(runs, [prunedOf(record).latency?.runs]),
      holds(Number(runs) < 6, "enough runs"),
    ],
  ],
  [
    /^(.*) was not fine-tuned: no epoch was better on the validation part than the start\. Training did not help here; a smaller learning rate, more epochs or more training faces may\.$/,
    ([title], record) => [holds(isKept(titled(record, title)), "it was fine-tuned")],
  ],
  [
    /^Always answering (.*) would be right on (.*?): (.*?) \((\d.*)\) (is no better than that|is not clearly better than that)\.$/,
    ([answer, constant, title, own, words], record) => {
      const model = titled(record, title);
      const { confusion, perOutput, accuracy, accuracyError, n } = model.test;
      const rows = confusion?.map(sum) ?? [];
      const each = perOutput?.map(({ positives, n: of }) => Math.max(positives, of - positives) / of) ?? [];
      const value = confusion ? Math.max(...rows) / n : sum(each) / each.length;
      const name = confusion
        ? `“${record.task.classes[rows.indexOf(Math.max(...rows))]}”`
        : "the commoner of yes and no";
      return [
        ...[misstated(constant, [value]), quality(own, record, model), holds(answer === name, `not ${name}`)],
        holds(words.startsWith("is no better") === accuracy <= value, "better or not"),
        holds(accuracy - 2 * accuracyError <= value, "clearly better"),
      ];
    },
  ],
  [
    /^A linear head on the frozen, unpruned network \(the probe\): (.*); (.*)\.$/,
    ([own, words], record) => {
      const probe = record.models.find(({ name }) => name === "probe") as ModelRecord;
      const baseline = baselineOf(record) as ModelRecord;
      const found = gain(record, baseline, probe);
      const right = isKept(baseline)
        ? /no epoch was better than the start/
        : epochsOf(baseline) === 0
          ? /the baseline was not fine-tuned/
          : !found
            ? /cannot be compared/
            : !found.sure
              ? /did not gain/
              : found.better
                ? /layers gained more/
                : /made it worse/;
      return [quality(own, record, probe), holds(right.test(words), `“${words}”, not ${right.source}`)];
    },
  ],
  [
    /^Control “(.*)” at (.*) times the MACs of the pruned network: (?:(accuracy|mean absolute error) of ETL minus that of the control is (.*?), (.*)|its answers, or those of ETL, are no finite numbers)\.$/,
    ([title, macs, , size, words], record) => {
      const control = record.models.find(
        (model) => model.title.replace(/^Control: /, "") === title,
      ) as ModelRecord;
      const pruned = prunedOf(record);
      const found = gain(record, pruned, control);
      const cost = misstated(macs, [control.cost.total.macs / pruned.cost.total.macs]);
      if ((size as string | undefined) === undefined || !found)
        return [cost, holds(!found, "both have answers")];
      return [
        cost,
        said(size, record, found),
        verdict(words, found, /ETL is better/, /the control is better/),
      ];
    },
  ],
  [
    /^(?:.*: )?In int8: (.*), with ([\d.,]+) of the baseline’s size(?: and ([\d.,]+) of its CPU time)?\.$/,
    ([own, size, time], record) => {
      const bytes = record.models.find(({ name }) => name === "pruned-int8") as ModelRecord;
      const whole = baselineOf(record) as ModelRecord;
      return [
        quality(own, record, bytes),
        misstated(size, [bytes.cost.total.bytes / whole.cost.total.bytes]),
        timeFault(time, record, bytes),
      ];
    },
  ],
  [
    /^In int8, “(.*)” takes (.*?) of its file(?:, (.*) an image instead of (.*?))?; (?:its quality cannot be compared.*|(its accuracy is the same, face by face)|its (?:accuracy|mean absolute error) differs by (.*?), (.*))\.$/,
    ([title, file, own, others, same, size, words], record) => {
      const float = titled(record, title);
      const model = record.models.find(({ name }) => name === `${float.name}-int8`) as ModelRecord;
      const found = gain(record, model, float);
      return [
        misstated(file, [model.fileBytes / float.fileBytes]),
        ...((own as string | undefined) === undefined
          ? []
          : [
              ...[misstated(own, [model.latency?.medianMs]), misstated(others, [float.latency?.medianMs])],
              holds(!isDoubtful(record), "times that are not reliable"),
            ]),
        holds(
          (same as string | undefined) === undefined ||
            (found?.value === 0 && model.versusPruned?.gained === 0 && model.versusPruned.lost === 0),
          "answers differ",
        ),
        ...(found && (size as string | undefined) !== undefined
          ? [said(size, record, found), verdict(words, found, /^better by/, /bytes cost quality/)]
          : []),
      ];
    },
  ],
  [
    /^“(.*)” is there a second time, with the same function, as a graph for onnxruntime \((.*)\.onnx\): (.*)\.$/,
    ([title, name, words], record) => {
      const plain = titled(record, title);
      const model = record.models.find((each) => each.name === name) as ModelRecord;
      const [own, others] = [model.latency?.medianMs ?? NaN, plain.latency?.medianMs ?? NaN];
      if (words.startsWith("how much faster"))
        return [holds(!(own > 0 && others > 0) || isDoubtful(record), "it can be told")];
      const isFaster = own < others;
      return [misstated(words, isFaster ? [own, others, own / others] : [own, others])];
    },
  ],
  [
    /^The pruned network was not trained as the baseline was: (.*)\. Part of the difference between them may come from that\.$/,
    ([words], record) => {
      const [pruned, baseline] = [prunedOf(record), baselineOf(record) as ModelRecord];
      const distilled = ["distill", "distillOutputs"].some((key) => Number(record.config[key] ?? 0) > 0);
      const counts = /(\d+ epochs?) against (\d+ epochs?) of the baseline/.exec(words);
      return [
        holds(!(isKept(pruned) && isKept(baseline)), "neither was trained"),
        holds(
          /it also learnt/.test(words) === (distilled && !isKept(pruned) && epochsOf(pruned) > 0),
          "distilled or not",
        ),
        ...(counts
          ? [
              holds(!isKept(pruned) && !isKept(baseline), "epochs of a network that kept its start"),
              holds(
                epochs(counts[1]) === epochsOf(pruned) && epochs(counts[2]) === epochsOf(baseline),
                "other counts",
              ),
            ]
          : [
              holds(
                isKept(pruned) !== isKept(baseline) || epochsOf(pruned) === epochsOf(baseline),
                "epochs differ",
              ),
            ]),
      ];
    },
  ],
  [
    /^On held-out folds the knees would keep (.*) of (.*) filters; found on the training rows they keep (.*)\. --rmse heldout takes the former\.$/,
    ([held, total, own], record) => [
      ...[misstated(held, [sum(record.curves.map((curve) => heldOutKnee(curve, record)))])],
      misstated(total, [sum(record.curves.map((curve) => curve.total))]),
      misstated(own, [sum(record.curves.map(({ kneeFilters }) => kneeFilters))]),
      holds(record.config["rmse"] === "train", "the knees were found on held-out folds"),
    ],
  ],
  [
    /^On (\d+) taps? the LASSO stopped above the promised accuracy \(relative duality gap 10⁻⁶\): read their curves with care\.$/,
    ([taps], record) => [misstated(taps, [record.curves.filter(({ gap }) => gap > 1e-6).length])],
  ],
];

/** Equation 4 on the held-out curve: the fewest filters within gamma of the range of errors. */
function heldOutKnee(
  { heldOutRmse = [], filters, total }: RunRecord["curves"][number],
  record: RunRecord,
): number {
  const [low, high] = [Math.min(...heldOutRmse), Math.max(...heldOutRmse)];
  const least = Math.min(Number(record.config["minFilters"] ?? 1), Math.max(...filters));
  const within = filters.filter((count, i) => {
    const over = heldOutRmse[i] - low;
    return count >= least && (over === 0 || over < record.gamma * (high - low));
  });
  return within.length === 0 ? total : Math.min(...within);
}
