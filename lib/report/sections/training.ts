/** How the networks were trained: loss and validation accuracy per epoch, and what an epoch took. */
import { isTraining, orderedModels } from "../../record/models.ts";
import type { EpochRecord } from "../../core/artifacts.ts";
import type { ModelRecord, RunRecord } from "../../record/record.ts";
import { plural } from "../../core/printable.ts";
import { median } from "../../math/statistics.ts";
import { html } from "../escape.ts";
import { distils, networkTitle, toleranceText } from "./facts.ts";
import { formatCount, formatDigits, formatSeconds, formatShareOf } from "../format.ts";
import { accuracyFigure, hasTerms, lossFigure, trainedModels } from "../plots.ts";
import { plot, type Scope, type Section } from "../section.ts";
import { renderTable, textCell, type Cell, type Row } from "../tables.ts";

function trainingRow(model: ModelRecord, { dataset: { val, train } }: RunRecord, withLoss: boolean): Row {
  const share = (value: number): string => formatShareOf(value, val > 0 ? val : train);
  const { history, bestEpoch, learningRate } = model;
  const best = history.find((epoch) => epoch.epoch === bestEpoch);
  const start = history.find((epoch) => epoch.epoch === 0);
  const seconds = median(history.filter((epoch) => epoch.epoch > 0).map((epoch) => epoch.seconds));
  const epochs = history.filter((epoch) => epoch.epoch > 0).length;
  return {
    strong: model.name === "pruned",
    cells: [
      textCell(networkTitle(model)),
      textCell(formatCount(epochs), epochs),
      bestEpoch === undefined
        ? textCell("–", "")
        : textCell(best?.averaged === true ? `${bestEpoch}, mean` : String(bestEpoch), bestEpoch),
      ...(withLoss ? [lossCell(start), lossCell(best)] : []),
      start ? textCell(share(start.valAccuracy), start.valAccuracy) : textCell("–", ""),
      best ? textCell(share(best.valAccuracy), best.valAccuracy) : textCell("–", ""),
      learningRate === undefined
        ? textCell("–", "")
        : textCell(String(Number(learningRate.toPrecision(3))).replace("-", "\u2212"), learningRate),
      seconds === undefined ? textCell("–", "") : textCell(formatSeconds(seconds), seconds),
    ],
  };
}

function lossCell(epoch: EpochRecord | undefined): Cell {
  const loss = epoch?.valLoss ?? Number.NaN;
  return Number.isFinite(loss) ? textCell(formatDigits(loss, 3), loss) : textCell("–", "");
}

/** What the validation accuracy of an epoch is: of numbers a share within the tolerance, of several tasks a mean. */
function accuracyName(record: RunRecord): string {
  if (record.together !== undefined) return "mean over the tasks";
  return record.task.kind === "regression" ? `share within ${toleranceText(record)}` : "";
}

/** By what the kept epoch was chosen, as `bestOf` of the fine-tuning does it. */
function keptRule(record: RunRecord): string {
  const { together = [record.task] } = record;
  // Of a light network the main task alone decides, of a pruned one all of them.
  const judging = isTraining(record) ? together.slice(0, 1) : together;
  if (judging.every(({ kind }) => kind === "regression"))
    return "The epoch with the smallest validation loss is kept (ringed), epoch 0 included";
  const isBest = trainedModels(record).every(({ history, bestEpoch }) => {
    const kept = history.find(({ epoch }) => epoch === bestEpoch)?.valAccuracy ?? Number.NaN;
    return history.every(({ valAccuracy }) => kept >= valAccuracy);
  });
  const rule = "The epoch with the best validation accuracy is kept (ringed)";
  return isBest
    ? rule
    : `${rule}; of those nearer than half a standard error the one with the lower loss, and epoch 0 unless another is clearly better`;
}

/** Curves and table of the training. */
export function trainingSection(scope: Scope): Section | undefined {
  const { record } = scope;
  const models = trainedModels(record);
  if (models.length === 0) return undefined;
  const names = models.map((model) => networkTitle(model)).join(", ");
  const isRegression = (record.together ?? [record.task]).every(({ kind }) => kind === "regression");
  const meaning = accuracyName(record);
  const averaged = models.some((model) =>
    model.history.some(({ epoch, averaged = false }) => averaged && epoch === model.bestEpoch),
  );
  return {
    id: `${scope.id}-training`,
    title: "Training",
    body: html`<p class="plain">
        Epoch 0 is the state before the first training
        step${isTraining(record) ? "." : ": the head is already solved in closed form there."}
        ${keptRule(record)}; the test part is used once, at the end.
      </p>
      <div class="pair">
        ${plot(scope, "accuracy", accuracyFigure(record), {
          title: `Validation accuracy${meaning === "" ? "" : `: ${meaning}`}`,
          text:
            record.dataset.val > 0
              ? `On ${plural(record.dataset.val, "face")} cut from the training part.`
              : "On the training faces themselves, as none were kept for validation: not what faces that a network has not seen would give.",
          label: `Validation accuracy per epoch of ${names}. The table of the training holds the main numbers.`,
        })}${plot(scope, "loss", lossFigure(record), {
          title: "Loss",
          text: `Solid: validation. Dotted, same colour: training${
            models.some(hasTerms)
              ? ", the labels' part. On the axis on the right, what a network also learns from the full one: dashed, the distance of its features, and dash-dotted, that of its outputs, each by its weight."
              : "."
          }${
            models.some((model) => distils(record, model) && !hasTerms(model))
              ? " The training loss of networks that also learn from the full network holds those terms: it has the axis on the right, and is not to be compared with the others."
              : ""
          }`,
          label: `Validation and training loss per epoch of ${names}.`,
        })}
      </div>
      ${renderTable({
        id: `${scope.id}-epochs`,
        caption: "Training runs",
        columns: [
          { label: "Network", wide: true },
          { label: "Epochs", numeric: true },
          { label: "Kept epoch", numeric: true },
          ...(isRegression
            ? [
                { label: "Validation loss at epoch 0", numeric: true, csv: "validation loss at epoch 0" },
                { label: "loss at the kept epoch", numeric: true, csv: "validation loss at the kept epoch" },
              ]
            : []),
          { label: "Validation accuracy at epoch 0", numeric: true, csv: "validation accuracy at epoch 0" },
          {
            label: "accuracy at the kept epoch",
            numeric: true,
            csv: "validation accuracy at the kept epoch",
          },
          { label: "Learning rate", numeric: true },
          { label: "Time per epoch", numeric: true, csv: "median seconds per epoch" },
        ],
        rows: orderedModels(record)
          .filter((model) => model.history.length > 0)
          .map((model) => trainingRow(model, record, isRegression)),
        note: `${averaged ? "Mean: the mean of the weights of the second half's epochs, up to the kept one, was better than the epoch's own. " : ""}Time per epoch: median, ${record.environment.engine}, ${record.environment.cpu}.`,
      })}`,
  };
}
