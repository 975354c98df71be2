/** What stands around tables and plots of a run: captions, notes and labels, with their numbers. */
import { pageCurves } from "../../../lib/report/sections/curves.ts";
import { errorRange } from "../../../lib/report/client/knee.ts";
import { wilson } from "../../../lib/math/statistics.ts";
import type { ModelRecord, RunRecord } from "../../../lib/record/record.ts";
import { misstated, numbersIn, textOf } from "./read.ts";
import { holds } from "./costs.ts";
import type { Template } from "./sentences.ts";
import { baselineOf, isDoubtful, shownOf } from "./cells.ts";

const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);

/** "gamma 0.1", or how a target was met without it. */
function isChoice(text: string, { gamma, config }: RunRecord): string | undefined {
  const words = { uniform: "equal shares of all layers", knapsack: "blocks by error against cost" } as const;
  const other = words[config["allocate"] as keyof typeof words] as string | undefined;
  return other === undefined ? misstated(text, [gamma]) : holds(text === other, `“${text}”, not ${other}`);
}

/** Mean distance of confidence and accuracy, and that by chance alone. */
function calibration({ test: { calibration: bins = [] } }: ModelRecord): [number, number] {
  const n = sum(bins.map((bin) => bin.n));
  return [
    sum(bins.map((bin) => (bin.n / n) * Math.abs(bin.accuracy - bin.confidence))),
    sum(
      bins
        .filter((bin) => bin.n > 0)
        .map(({ n: own, confidence: p }) => (own / n) * Math.sqrt((2 / Math.PI) * ((p * (1 - p)) / own))),
    ),
  ];
}

function calibrationFaults(text: string, record: RunRecord): (string | undefined)[] {
  const rated = shownOf(record).filter(({ test }) => (test.calibration ?? []).some(({ n }) => n > 0));
  let rest = text;
  return rated.flatMap((model) => {
    const title = textOf(model.title).replace(", fine-tuned", "");
    const at = [textOf(model.title), title].map((each) => rest.indexOf(each)).find((place) => place >= 0);
    if (at === undefined) return [`“${title}” is missing in “${text}”`];
    const own = /(?: )([\d.]+ % \(chance alone: [\d.]+ %\))/.exec(rest.slice(at))?.[1] ?? "";
    rest = rest.slice(at + title.length);
    return [misstated(own, calibration(model))];
  });
}

/** "yaw (-3 to 7: 22 % (6 to 55), n = 9; 15 to 36: 80 % (49 to 94), n = 10)". */
function groupFaults(column: string, extremes: string, record: RunRecord): (string | undefined)[] {
  const main = shownOf(record).find(({ name }) => name === "pruned") ?? shownOf(record)[0];
  return extremes.split("; ").map((text, i) => {
    const [, label, range, n] = /^(.*): (.*), n = (.*)$/.exec(text) ?? [];
    const own = (record.groups ?? []).filter((group) => group.column === column);
    const found = own.find((group) => group.label === label);
    if (!found) return `${column} has no group “${label}”`;
    const all = own.map(({ accuracy }) => accuracy[main.name]);
    const value = found.accuracy[main.name];
    const { low, high } = wilson(value, found.n);
    return (
      misstated(range, [value, low, high]) ??
      misstated(n, [found.n]) ??
      holds(value === (i === 0 ? Math.min(...all) : Math.max(...all)), `“${label}” is no extreme`)
    );
  });
}

/** Texts of one run with the numbers that they hold. */
export const captions: readonly Template[] = [
  [
    /^(.*) · (.*), ([\d,]+) training(?:, ([\d,]+) validation)? and ([\d,]+) test faces?(?: · (.*?))? · (\d{4}-\d\d-\d\d)$/,
    ([backbone, dataset, train, val, test, choice, day], record) => [
      holds(
        `${backbone} · ${dataset}` === `${record.backbone.title} · ${record.dataset.name}`,
        "another backbone or data set",
      ),
      ...[misstated(train, [record.dataset.train]), misstated(test, [record.dataset.test])],
      (val as string | undefined) === undefined
        ? holds(record.dataset.val === 0, "the validation part is not told")
        : misstated(val, [record.dataset.val]),
      (choice as string | undefined) === undefined ? undefined : isChoice(choice, record),
      holds(record.createdAt.startsWith(day), `${day} is not the day of ${record.createdAt}`),
    ],
  ],
  [
    /^(?:Accuracy: .* \(n = (.*?)\), ± one standard error, or a 95 % range in brackets|Mean absolute error on the test part \(n = (.*?)\)(?:; in brackets its difference from the baseline’s, ± one standard error)?\. The share within (.*) stands among the scores below)\. (?:CPU time: median of (\d+) runs? after warm-up, one image at a time, (\d+) threads?, engine (.*?)(; all networks interleaved in one process(?:\. In brackets: the change, median(?: and 95 % range)? of the rounds in turns(?:, too few for a range)?)?)?\.|CPU time was not measured\.)$/,
    ([n, m, within, runs, threads, machine, turns], record) => {
      const { engine, cpu } = record.environment;
      const timed = record.models.find(({ latency }) => latency)?.latency;
      const tolerance = record.task.tolerance ?? record.models[0].test.tolerance;
      return [
        misstated(n ?? m, [...new Set(record.models.map(({ test }) => test.n))]),
        (within as string | undefined) === undefined ? undefined : misstated(within, [tolerance]),
        (runs as string | undefined) === undefined
          ? holds(timed === undefined, "times are there")
          : (misstated(runs, [timed?.runs]) ?? misstated(threads, [timed?.threads])),
        holds(
          (runs as string | undefined) === undefined || machine === `${engine}, ${cpu}`,
          "another machine",
        ),
        holds(
          !/In brackets/.test(turns ?? "") || (!isDoubtful(record) && baselineOf(record) !== undefined),
          "no changes are given",
        ),
        holds(!/95 % range/.test(turns ?? "") || Number(runs) >= 6, "too few runs for a range"),
      ];
    },
  ],
  [
    /^At (\d+) taps? from first to last, the filter .* Mean over ([\d,]+) training faces?; bars: one standard error\.$/,
    ([taps, n], { responses = [] }) => [
      misstated(taps, [responses.length]),
      misstated(n, [sum((responses[0]?.points ?? []).map((point) => point.n))]),
    ],
  ],
  [
    /^Mean pooled response of (\d+) filters? against .*\.$/,
    ([n], { responses = [] }) => [misstated(n, [responses.length])],
  ],
  [
    /^(?:Back to this run’s |Table of knees at gamma )?(\d+(?:\.\d+)?(?:e-\d+)?)$/,
    ([gamma], record) => [misstated(gamma, [record.gamma])],
  ],
  [
    /^The curves are those drawn above: both runs share one harvest\. Here gamma is (.*)\.$/,
    ([gamma], record) => [misstated(gamma, [record.gamma])],
  ],
  [
    /^([\d,]+) of ([\d,]+) filters kept by the knees alone \(\)(?:Planned network: .*)?$/,
    ([kept, total], { curves }) => [
      misstated(kept, [sum(curves.map(({ kneeFilters }) => kneeFilters))]),
      misstated(total, [sum(curves.map((curve) => curve.total))]),
    ],
  ],
  [
    /^Every tap, in order of depth .* Upwards: RMSE from (.*) to (.*), one scale for all taps\. (.*) The diamond is .*$/,
    ([low, high, words], record) => {
      const range = errorRange(pageCurves(record, ""));
      const held = record.curves.some(({ heldOutRmse }) => heldOutRmse);
      return [
        misstated(low, [range[0]]),
        misstated(high, [range[1]]),
        holds(held === /Solid: held-out/.test(words), "held-out or not"),
      ];
    },
  ],
  [
    /^(.*) (\d+) of (\d+)$/,
    ([layer, kept, total], { curves }) => [
      holds(
        curves.some(
          (curve) =>
            curve.layer === layer && curve.kneeFilters === Number(kept) && curve.total === Number(total),
        ),
        `no tap of ${layer} keeps ${kept} of ${total}`,
      ),
    ],
  ],
  [
    /^On (\d+) taps? this run chose another number of filters than equation 4 alone gives at its gamma .*$/,
    ([n], { curves }) => [holds(Number(n) > 0 && Number(n) <= curves.length, "more taps than there are")],
  ],
  [
    /^([\d,]+) of ([\d,]+) filters \((.*)\); the first layer on top\.$/,
    ([kept, total, share], { layers }) => {
      const [a, b] = [sum(layers.map((layer) => layer.kept)), sum(layers.map((layer) => layer.total))];
      return [misstated(kept, [a]), misstated(total, [b]), misstated(share, [a / b])];
    },
  ],
  [
    /^Bars of filters kept and removed for (\d+) layers: ([\d,]+) of ([\d,]+) kept\. .*$/,
    ([n, kept, total], { layers }) => [
      ...[misstated(n, [layers.length]), misstated(kept, [sum(layers.map((layer) => layer.kept))])],
      misstated(total, [sum(layers.map((layer) => layer.total))]),
    ],
  ],
  [
    /^Bars of the MACs of (\d+) layers .*$/,
    ([n], { layerCosts = [] }) => [misstated(n, [layerCosts.length])],
  ],
  [/^On ([\d,]+) faces? cut from the training part\.$/, ([n], { dataset }) => [misstated(n, [dataset.val])]],
  [
    /^Validation accuracy: share within (.*?)(?:, .*)?$/,
    ([within], { task, models }) => [misstated(within, [task.tolerance ?? models[0].test.tolerance])],
  ],
  [
    /^(?:The groups differ most by|No column divides the faces into groups that differ by clearly more than chance gives, the most unlike being) (.*?) \((.*)\)\.(?: Drawn: the (\d+) columns of (\d+) whose groups are most unlike; the table has all\.)? Bars: 95 % interval\.$/,
    ([column, extremes], record) => groupFaults(column, extremes, record),
  ],
  [
    /^Numbers are cut into five ranges of about equal counts\. (\d+) columns? (?:was|were) looked at: .*$/,
    ([n], { groups = [] }) => [misstated(n, [new Set(groups.map(({ column }) => column)).size])],
  ],
  [
    /^Accuracy of (\d+) networks? in (\d+) groups of test faces, from (.*) up\. .*$/,
    ([networks, , least], record) => {
      const main = shownOf(record).find(({ name }) => name === "pruned") ?? shownOf(record)[0];
      const all = (record.groups ?? []).map(({ accuracy }) => accuracy[main.name]);
      return [misstated(networks, [shownOf(record).length]), misstated(least, [Math.min(...all)])];
    },
  ],
  [
    /^(?:How often a prediction is right, .*|Reliability diagram\. )Expected calibration error.*?: (.*)\.$/,
    ([errors], record) => calibrationFaults(errors, record),
  ],
  [
    /^(.*?): ([\d,]+) faces? to train on(?:, ([\d,]+)| and) to choose the epoch with, ([\d,]+) to test on\.$/,
    ([, train, val, test], { dataset }) => [
      ...[misstated(train, [dataset.train]), misstated(test, [dataset.test])],
      (val as string | undefined) === undefined
        ? holds(dataset.val === 0, "no validation")
        : misstated(val, [dataset.val]),
    ],
  ],
  [
    /^([\d,]+) rows? \(a picture or a label that could not be used\) (?:was|were) left out\.(?: The first ([\d,]+) are listed; left-out\.csv in the run’s folder has all\.)?$/,
    ([n, first], { dataset }) => [
      misstated(n, [dataset.problemCount]),
      (first as string | undefined) === undefined
        ? holds(dataset.problems.length === dataset.problemCount, "not all are listed")
        : misstated(first, [dataset.problems.length]),
    ],
  ],
  [
    /^Time per stage (.*) in all\.$/,
    ([text], { seconds }) => {
      const all = sum(Object.values(seconds));
      const units = [...text.matchAll(/(\d+(?:\.\d+)?)\s*(s|min|h)/g)].map(
        ([, value, unit]) => Number(value) * { s: 1, min: 60, h: 3600 }[unit as "s"],
      );
      return [holds(Math.abs(sum(units) - all) <= (all < 3600 ? 0.51 : 31), `${text} is not ${all} s`)];
    },
  ],
  [
    /^Variance explained per tap, at best and at the knee, over (\d+) taps\. .*$/,
    ([n], { curves }) => [misstated(n, [curves.length])],
  ],
  [
    /^Bars: share of (\d+) labels in training and test part\. .*$/,
    ([n], { dataset }) => [misstated(n, [dataset.labels.length])],
  ],
  [
    /^(.*) with (.*), (gamma .*?|equal shares.*?|blocks by.*?)(?: In brackets: the change against the baseline\.)?$/,
    ([, backbone, choice], record) => [
      isChoice(choice, record),
      holds(backbone === record.backbone.title, "another backbone"),
    ],
  ],
  [
    /^(.*): (?:the test part has no picture of|all test pictures have the same answer for) (.*), so no balanced accuracy, F1, precision and recall are shown\.$/,
    ([, names], { task, models: [{ test }] }) => {
      const rows = test.confusion?.map(sum) ?? [];
      const same = (test.perOutput ?? []).filter(({ positives, n }) => positives === 0 || positives === n);
      const absent = test.perOutput
        ? same.map(({ name }) => name)
        : task.classes.filter((_, c) => rows[c] === 0);
      return [holds(names === absent.map((name) => `“${name}”`).join(", "), `not ${absent.join()}`)];
    },
  ],
  [
    /^(?:Mean: the mean of the weights .* than the epoch’s own\. )?(Time per epoch: median|Wall clock), (.*)\.$/,
    ([what, machine], { environment: { engine, threads, cpu } }) => {
      const count = `${threads} ${threads === 1 ? "thread" : "threads"}`;
      const parts = what === "Wall clock" ? [engine, count, cpu] : [engine, cpu];
      return [holds(machine === parts.join(", "), `not ${parts.join(", ")}`)];
    },
  ],
  [
    /^To keep this file small, the sections of (\d+) runs? are not repeated here; .*$/,
    ([n]) => [holds(Number(n) > 0, "none is left out")],
  ],
];

/** Explanations whose digits are no numbers of a run. */
export const words: readonly RegExp[] = [
  /^MACs are the multiply-and-add steps .* int8 one\.$/,
  /^Operations and sizes in the accounting of the paper's Table 1 /,
  /^The knee is the point .* Gamma 0 keeps every filter; /,
  /^RMSE on (training rows|held-out folds), in units of the target\. /,
  /^Epoch 0 is the state before the first training step/,
  /^In brackets: Wilson’s 95 % interval, from the n faces of that truth\.$/,
  /^Right answers by group Groups of test faces by the other labels of the data set; in brackets Wilson’s 95 % interval\.$/,
  /^Every bin of the reliability diagram Range: Wilson’s 95 % interval\.$/,
  /^etl-prune|^The same run once more, called from the run’s folder: /,
];

/** Whether a text has no number beside the names that the record gives: of networks, layers, labels, the run. */
export function isNamed(text: string, record: RunRecord): boolean {
  const names = [
    ...record.models.flatMap(({ title }) => [textOf(title), textOf(title).replace(", fine-tuned", "")]),
    ...record.curves.flatMap(({ layer, tap }) => [`${layer} (${tap})`, tap, layer]),
    ...record.task.classes,
    ...[record.title, record.backbone.title, record.backbone.name, record.dataset.name].filter(
      (name) => name !== undefined,
    ),
  ];
  const rest = names
    .map(textOf)
    .sort((a, b) => b.length - a.length)
    .reduce((left, name) => left.replaceAll(name, ""), text);
  return numbersIn(rest).length === 0 && !/\d/.test(rest);
}
