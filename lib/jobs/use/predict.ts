/** `etl predict`: what a model says of single pictures. */
import { plural } from "../../core/printable.ts";
import { statSync } from "node:fs";
import { refuseUnknown, stopIfAborted, type OptionNames } from "../../core/options.ts";
import { worded } from "../../core/voice.ts";
import { checkCrop, type CropChoice } from "../../core/crop.ts";
import type { Crop, Preprocessing } from "../../core/artifacts.ts";
import { EtlError, shellWord } from "../../core/errors.ts";
import { silent } from "../../core/progress.ts";
import { WHOLE } from "../../data/dataset.ts";
import { loadImages, noneUsable } from "../../data/images/decode.ts";
import { SYNTHETIC_NAME } from "../../data/synthetic/table.ts";
import { combined } from "../../data/images/views.ts";
import type { Engine, Program, Tensors } from "../../engine/engine.ts";
import { serviceNames, withEngine, type ServiceOptions } from "../../engine/service.ts";
import { answersOf, type Answers } from "../../evaluate/answer.ts";
import type { SaidSizes } from "../../network/fit.ts";
import { openFaceFinder, type FacePlace } from "./faces.ts";
import { picturesAtOnce, sizeOf, type Tensor } from "../../network/network.ts";
import type { DataProblem } from "../../record/record.ts";
import { openModel, provenanceOf, shownTo, type Model } from "../run/model.ts";

/** The outputs of a model for one picture. */
export interface Prediction extends Answers {
  readonly file: string;
  /** With `align`: which face of the picture this is. */
  readonly face?: FacePlace;
  /** Why the answer should not be trusted. */
  readonly warning?: string;
}

export interface PredictModelOptions extends ServiceOptions {
  /** Face box; default: that of the pictures the model was trained on, else the whole picture. */
  readonly crop?: CropChoice | undefined;
  /**
   * Find the faces in photographs and align them, as `alignFolder` does: one answer for each face, the largest first. The face box
   * is then a part of the aligned crop; default: all of it. @defaultValue false
   */
  readonly align?: boolean | undefined;
  /** Weight file of a backbone that does not bring its own. */
  readonly weights?: string | undefined;
  /** Of pictures, where the file leaves it open. */
  readonly size?: SaidSizes["size"];
  /** Numbers for open dimensions, by the names that the file gives them. */
  readonly bind?: SaidSizes["bind"];
}

const optionNames: OptionNames<PredictModelOptions> = {
  ...serviceNames,
  ...{ crop: true, weights: true, align: true, size: true, bind: true },
};

/** What a model says of pictures, and which of them it was not asked about. */
export interface Predicted {
  readonly predictions: readonly Prediction[];
  /** Files that cannot be read, with `align` also those without a face. */
  readonly leftOut: readonly DataProblem[];
}

/**
 * Predicts single pictures. Unreadable ones are left out, each with a warning.
 *
 * @throws EtlError `data` where none can be read
 */
export async function predictImages(
  nameOrPath: string,
  files: readonly string[],
  options: PredictModelOptions = {},
): Promise<Prediction[]> {
  return [...(await predictFiles(nameOrPath, files, options)).predictions];
}

/** {@link predictImages}, and what was left out. */
export async function predictFiles(
  nameOrPath: string,
  files: readonly string[],
  options: PredictModelOptions = {},
): Promise<Predicted> {
  refuseUnknown("predictImages", options, optionNames);
  if (options.crop !== undefined) checkCrop(options.crop);
  const model = await openModel(nameOrPath, options);
  stopIfAborted(options.signal, "predict: stopped by the user");
  refuseNoPictures(files);
  const progress = options.progress ?? silent;
  const align = options.align === true;
  const crop = options.crop ?? (align ? undefined : model.crop) ?? WHOLE;
  if (options.crop === undefined && model.crop !== undefined && !align) {
    progress.note(
      worded(
        `face box ${String(model.crop)}, as in the pictures the model was trained on (--crop 0,0,1,1: whole picture; --align: look for the faces)`,
      ),
    );
  }
  const drawn = madeFromDrawnFaces(model);
  if (drawn !== undefined) progress.warn(drawn);
  return withEngine(options, async (engine) => {
    const program = await engine.compile(model.network);
    const ask = asker(program, model);
    const { read } = shownTo(model);
    const predictions: Prediction[] = [];
    const leftOut: DataProblem[] = [];
    const source = align
      ? // An aligned crop is a square: all of it is its middle.
        facesIn(engine, files, {
          crop: crop === "center" ? WHOLE : crop,
          preprocessing: read,
        })
      : picturesIn(files, crop, read);
    progress.start("predict", files.length);
    let done = 0;
    const stop = (): void => {
      stopIfAborted(options.signal, "predict: stopped by the user");
    };
    stop();
    for await (const { shown, x, problems, pictures } of source) {
      stop();
      leftOut.push(...problems);
      done += pictures;
      progress.update(done);
      const atOnce = picturesAtOnce(model.network, CHUNK);
      for (let at = 0; at < shown.length; at += atOnce) {
        const part = shown.slice(at, at + atOnce);
        const result = await ask(rowsFrom(x, at, part.length));
        part.forEach((one, i) => {
          const row = { number: i, of: part.length };
          predictions.push({
            ...one,
            ...answersOf({ output: model.network.outputs[0].name, tasks: model.tasks }, result, row),
            ...(drawn !== undefined && { warning: drawn }),
          });
        });
      }
    }
    await program.dispose();
    progress.finish(plural(predictions.length, align ? "face" : "picture"));
    if (predictions.length === 0 && leftOut.length > 0)
      throw noneUsable(leftOut, align ? "a picture with a face" : "a readable picture");
    for (const { file, problem } of leftOut) progress.warn(`left out: ${file}: ${problem}`);
    return { predictions, leftOut };
  });
}

/** Names of which none can be a picture are said before an engine is opened; one among others is left out later, with a warning. */
function refuseNoPictures(files: readonly string[]): void {
  const wrong = files.map(noPicture);
  const first = wrong.find((each) => each !== undefined);
  if (first === undefined || wrong.includes(undefined)) return;
  const [found, hint] = first;
  throw new EtlError("data", `${found}, a picture file was needed`, { hint });
}

/** What a name is where it is no file, and what to do. */
function noPicture(file: string): readonly [found: string, hint: string] | undefined {
  const said = file === "" ? "an empty name" : file;
  if (/^https?:\/\//i.test(file))
    return [`${said}: an address`, "nothing is downloaded: save the picture first"];
  const info = statSync(file, { throwIfNoEntry: false });
  if (info === undefined) {
    const pattern = /[*?[{]/.test(file);
    return [
      pattern ? `${said}: no file has a name like this` : `${said}: nothing is there`,
      pattern ? "check the folder and the ending" : "check the path",
    ];
  }
  if (info.isDirectory())
    return [
      `${said}: a folder`,
      `name its pictures, for example ${shellWord(file).replace(/[\\/]+$/, "")}/*.jpg`,
    ];
  return /\.(onnx|h5|keras|json|csv|html|txt|safetensors)$/i.test(file)
    ? [`${said}: no picture by its name`, "etl predict RUN IMAGE..."]
    : undefined;
}

/** Pictures in, the network's outputs for them out: the mean score where it answers by parts of a picture. */
function asker(program: Program, model: Model): (x: Tensor) => Promise<Tensors> {
  const input = model.network.inputs[0].name;
  const { views } = shownTo(model);
  if (views === undefined) return (x) => program.run({ [input]: x });
  return async (x) => {
    const answers: Tensors[] = [];
    for (const part of views.of(x)) answers.push(await program.run({ [input]: part }));
    return combined(views, answers);
  };
}

/** Pictures, or faces of them, for one run of the network. */
interface Inputs {
  readonly shown: readonly Pick<Prediction, "file" | "face">[];
  readonly x: Tensor;
  readonly problems: readonly DataProblem[];
  /** Files that were looked at. */
  readonly pictures: number;
}

const CHUNK = 32;

/** Some rows of a batch, without a copy. */
function rowsFrom({ shape, data }: Tensor, start: number, count: number): Tensor {
  const size = sizeOf(shape.slice(1));
  return { shape: [count, ...shape.slice(1)], data: data.subarray(start * size, (start + count) * size) };
}

async function* picturesIn(
  files: readonly string[],
  crop: CropChoice,
  preprocessing: Preprocessing,
): AsyncGenerator<Inputs> {
  for (let at = 0; at < files.length; at += CHUNK) {
    const chunk = files.slice(at, at + CHUNK);
    const { files: good, x, problems } = await loadImages(chunk, crop, preprocessing);
    yield { shown: good.map((file) => ({ file })), x, problems, pictures: chunk.length };
  }
}

async function* facesIn(
  engine: Engine,
  files: readonly string[],
  { crop, preprocessing }: { readonly crop: Crop; readonly preprocessing: Preprocessing },
): AsyncGenerator<Inputs> {
  const finder = await openFaceFinder(engine, crop, preprocessing);
  try {
    for (const file of files) {
      const found = await finder.find(file);
      if (typeof found === "string") {
        const x = { shape: [0], data: new Float32Array(0) };
        yield { shown: [], x, problems: [{ file, problem: found }], pictures: 1 };
      } else {
        yield { shown: found.faces.map((face) => ({ file, face })), x: found.x, problems: [], pictures: 1 };
      }
    }
  } finally {
    await finder.dispose();
  }
}

/** A network that has seen drawn faces only has nothing to say of photographs. */
function madeFromDrawnFaces({ name, network }: Model): string | undefined {
  if (provenanceOf(network)["dataset"] !== SYNTHETIC_NAME) return undefined;
  return worded(
    `${name} was trained on drawn faces (--data synthetic): what it says of photographs means nothing`,
  );
}
