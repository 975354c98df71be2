/** `etl quantize`: a float model in bytes (int8), as ONNX that runtimes fuse. */
import { extname } from "node:path";
import { isModelFile, readModel } from "../../backbones/read-model.ts";
import type { CropChoice } from "../../core/crop.ts";
import { EtlError } from "../../core/errors.ts";
import { readBytes } from "../../core/files.ts";
import { refuseMissing, refuseUnknown, type OptionNames } from "../../core/options.ts";
import { needSpare, writeSpare } from "../../core/spare.ts";
import { silent } from "../../core/progress.ts";
import { createRandom } from "../../core/random.ts";
import type { Engine } from "../../engine/engine.ts";
import { serviceNames, withEngine, type ServiceOptions } from "../../engine/service.ts";
import type { SaidSizes } from "../../network/fit.ts";
import { needFloats } from "../../network/bytes.ts";
import type { Network } from "../../network/network.ts";
import { writeOnnx } from "../../formats/onnx/write.ts";
import { profileNetworks, timerOf } from "../../evaluate/profile.ts";
import { quantize, type Int8For, type Quantized } from "../../quantize/quantize.ts";
import { int8Table } from "../run/int8.ts";
import { openModel } from "../run/model.ts";
import { checkOptions, refuseIgnored, type Option } from "../run/option.ts";
import { jobTable } from "../run/options.ts";
import { openPictures } from "./pictures.ts";
import { defined } from "./rows.ts";

export interface QuantizeModelOptions extends ServiceOptions {
  /** Pictures the ranges come from: a data set of the model's task, or any folder of pictures. */
  readonly data: string;
  /** The `.onnx` file to write. */
  readonly out: string;
  /** Height and width of pictures, where the file leaves them open; what is written takes pictures of that size. */
  readonly size?: SaidSizes["size"];
  /** Numbers for open dimensions, by the names that the file gives them. */
  readonly bind?: SaidSizes["bind"];
  /** Face box; default: that of the model's training pictures, else of the data set, else the whole picture. */
  readonly crop?: CropChoice | undefined;
  /** Pictures for the ranges; default 128. */
  readonly calibrate?: number | undefined;
  /** Pictures of the data that are used at most; default 2,000. */
  readonly limit?: number | undefined;
  /** For which CPUs. Default `auto`. */
  readonly int8For?: Int8For | undefined;
  /** How much worse it may be: points of a hundred, or the label's unit. */
  readonly int8Tolerance?: number | undefined;
  /** Keep floats where bytes are slower or cost quality. Default true. */
  readonly check?: boolean | undefined;
  readonly runs?: number | undefined;
  /** Write over a file that is there already; one of a run never. Default true (the command line asks for `--replace`). */
  readonly replace?: boolean | undefined;
  readonly seed?: number | undefined;
  readonly cacheDir?: string | undefined;
}

const optionNames: OptionNames<QuantizeModelOptions> = {
  ...serviceNames,
  ...{ data: true, out: true, size: true, bind: true, crop: true, calibrate: true, limit: true },
  ...{
    int8For: true,
    int8Tolerance: true,
    check: true,
    runs: true,
    replace: true,
    seed: true,
    cacheDir: true,
  },
};

/** What is looked at before anything is read. */
const checked = {
  ...int8Table,
  ...{ data: jobTable.data, limit: jobTable.limit, runs: jobTable.runs, cacheDir: jobTable.cacheDir },
  calibrate: { ...jobTable.limit, flag: "calibrate" },
} satisfies Readonly<Record<string, Option>>;

/** What was written. */
export interface QuantizeResult extends Omit<Quantized, "network"> {
  readonly out: string;
  /** Whether `out` computes on bytes; if not, it holds the float model. */
  readonly quantized: boolean;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  readonly notes: readonly string[];
}

/**
 * Writes a float model in bytes. Where that is slower or costs more quality than is allowed, `out` holds the float model, and
 * `reason` says why.
 */
export async function quantizeModel(
  nameOrPath: string,
  options: QuantizeModelOptions,
): Promise<QuantizeResult> {
  refuseUnknown("quantizeModel", options, optionNames);
  refuseMissing("quantizeModel", options, ["data", "out"]);
  const { out, calibrate = 128, progress = silent } = options;
  checkOptions(checked, options);
  if (!out.toLowerCase().endsWith(".onnx"))
    throw new EtlError("usage", `--out: ${out}, a name ending in .onnx was needed`);
  refuseIgnored(int8Table, options, [
    options.check === false && {
      names: ["runs", "int8Tolerance"],
      by: "--no-check",
      needed: "--check",
    },
  ]);
  const { replace = true } = options;
  await needSpare(out, { replace });
  const model = await openModel(nameOrPath, { size: options.size, bind: options.bind });
  needFloats(model.network, nameOrPath);
  for (const note of model.notes) progress.note(note);
  if (options.size !== undefined || options.bind !== undefined)
    progress.note(`${out} takes ${model.network.inputs[0].shape.join("x")}, as --size and --bind say`);
  const random = createRandom(options.seed ?? 0).fork("calibrate");
  return withEngine(options, async (engine: Engine) => {
    const pictures = await openPictures(model, { ...options, calibrate, random, engine });
    try {
      for (const note of pictures.notes) progress.note(note);
      const { runs, signal } = options;
      const timer = timerOf(engine, options.threads);
      const { network, ...made } = await quantize(engine, model.network, {
        batches: pictures.batches,
        judge: pictures.judge,
        time: (networks) => profileNetworks(timer, networks, defined({ runs, signal })),
        progress,
        signal,
        ...defined({ int8For: options.int8For, check: options.check }),
      });
      const float = await floatBytes(model.path, () => writeOnnx(model.network));
      const bytes = network === undefined ? float : writeOnnx(network);
      await writeSpare(new Map([[out, bytes]]), { replace });
      const other = network && (await otherInput(model.path, network));
      if (other !== undefined) progress.note(`${out} takes ${other}`);
      if (made.reason !== undefined) progress.warn(`${nameOrPath} stays in floats: ${made.reason}`);
      return {
        ...made,
        out,
        quantized: network !== undefined,
        bytesBefore: float.length,
        bytesAfter: bytes.length,
        notes: pictures.notes,
      };
    } finally {
      await pictures.close();
    }
  });
}

/** The model's own file where it is ONNX, so that what stays in floats is not changed. */
async function floatBytes(path: string | undefined, write: () => Uint8Array): Promise<Uint8Array> {
  return path !== undefined && extname(path).toLowerCase() === ".onnx" ? readBytes(path) : write();
}

/** What a network in bytes takes where its file takes another form: pictures were turned, or mixed from RGB, in front of it. */
async function otherInput(
  path: string | undefined,
  { inputs: [{ shape }] }: Network,
): Promise<string | undefined> {
  if (path === undefined || !isModelFile(path)) return undefined;
  const [own] = (await readModel(path)).inputs;
  const isAlike = own.shape.every((dim, i) => {
    const other = shape[i];
    return typeof dim === "string" || typeof other === "string" || i === 0 || dim === other;
  });
  const stored = own.stored ?? own.type;
  if (stored !== "float32")
    return `${shape.join("x")} in float32, where ${path} takes ${own.shape.join("x")} in ${stored}`;
  return isAlike ? undefined : `${shape.join("x")}, where ${path} takes ${own.shape.join("x")}`;
}
