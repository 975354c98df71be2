/** What a file is that is no model that can be read: told by its first bytes, else by its ending. */
import { existsSync, statSync } from "node:fs";
import { extname } from "node:path";
import { EtlError } from "../core/errors.ts";
import { readStart } from "../core/files.ts";

/** What it is, and how one gets at a model. */
type Stranger = readonly [what: string, hint: string];

const pyTorch: Stranger = [
  "a PyTorch file, which only Python can open",
  "write it as ONNX there: torch.onnx.export(model.eval(), torch.zeros(1, 3, HEIGHT, WIDTH), 'model.onnx')",
];
const lite: Stranger = [
  "a TensorFlow Lite model",
  "python -m tf2onnx.convert --tflite FILE --output model.onnx, or the model that it was converted from",
];
const ownOfRuntime: Stranger = [
  "a model in onnxruntime's own format",
  "use the .onnx file that it was made from",
];
const weightsAlone: Stranger = [
  "weights alone (safetensors), without a network",
  "the model as ONNX or Keras; weights of a backbone with a name are given by --weights",
];
const archive = (kind: string, how: string): Stranger => [`a ${kind} archive`, `unpack it first: ${how}`];
const madeFrom = (what: string): Stranger => [what, "use the model that it was made from, as ONNX or Keras"];
const noModel = (what: string): Stranger => [
  what,
  "model files end in .onnx, .h5, .keras or are the model.json of TensorFlow.js",
];

/** First bytes as Latin letters, at a place -> what has them. The first that fits counts. */
const starts: readonly (readonly [at: number, letters: string, stranger: Stranger])[] = [
  [0, "version https://git-lfs", ["a Git LFS pointer, not the file itself", "fetch it with: git lfs pull"]],
  [4, "TFL3", lite],
  [4, "ORTM", ownOfRuntime],
  [0, "\x1f\x8b", archive("gzip", "gunzip FILE")],
  [0, "BZh", archive("bzip2", "bunzip2 FILE")],
  [0, "\xfd7zXZ", archive("xz", "unxz FILE")],
  [0, "\x28\xb5\x2f\xfd", archive("zstd", "unzstd FILE")],
  [0, "7z\xbc\xaf", archive("7z", "7z x FILE")],
  [0, "Rar!", archive("rar", "unrar x FILE")],
  [257, "ustar", archive("tar", "tar -xf FILE")],
  [0, "\x93NUMPY", madeFrom("an array of NumPy")],
  [0, "GGUF", madeFrom("a language model (GGUF)")],
  [0, "ftrt", madeFrom("a TensorRT engine")],
  [0, "ptrt", madeFrom("a TensorRT engine")],
  [0, "\xff\xd8\xff", noModel("a picture")],
  [0, "\x89PNG", noModel("a picture")],
  [0, "%PDF", noModel("a PDF document")],
];

const page: Stranger = ["a web page", "download the file itself, not the page about it"];
const toOnnx = (what: string, how: string): Stranger => [what, `as ONNX: ${how}`];

/** Endings of other programs' models. */
const endings: Readonly<Partial<Record<string, Stranger>>> = {
  ".pt": pyTorch,
  ".pth": pyTorch,
  ".ckpt": pyTorch,
  ".pkl": pyTorch,
  ".tflite": lite,
  ".ort": ownOfRuntime,
  ".safetensors": weightsAlone,
  ".engine": madeFrom("a TensorRT engine"),
  ".trt": madeFrom("a TensorRT engine"),
  ".plan": madeFrom("a TensorRT engine"),
  ".rknn": madeFrom("a Rockchip model"),
  ".dlc": madeFrom("a Qualcomm model"),
  ".mnn": madeFrom("an MNN model"),
  ".gguf": madeFrom("a language model (GGUF)"),
  ".param": madeFrom("an ncnn model"),
  ".mlmodel": madeFrom("a Core ML model"),
  ".mlpackage": madeFrom("a Core ML model"),
  ".xml": madeFrom("an OpenVINO model"),
  ".caffemodel": madeFrom("a Caffe model"),
  ".prototxt": madeFrom("a Caffe model"),
  ".weights": madeFrom("a Darknet model"),
  ".pb": toOnnx("a TensorFlow graph", "python -m tf2onnx.convert --saved-model FOLDER --output model.onnx"),
  ".pdmodel": toOnnx("a Paddle model", "paddle2onnx writes it"),
};

/** What stands at a path where it is no model of ours; undefined where nothing is known against it. */
async function strangerAt(path: string): Promise<Stranger | undefined> {
  const ending = extname(path).toLowerCase();
  if (!existsSync(path)) return undefined; // what reads it says so
  if (statSync(path).isDirectory()) return endings[ending];
  const bytes = await readStart(path, 512);
  if (bytes.length === 0) return ["an empty file", "copy or download it again"];
  const letters = Buffer.from(bytes).toString("latin1");
  const known = starts.find(([at, wanted]) => letters.startsWith(wanted, at));
  if (known !== undefined) return known[2];
  if (/^\s*<(!doctype|html|head|\?xml|error)/i.test(new TextDecoder().decode(bytes)))
    return ending === ".xml" ? endings[ending] : page;
  const isZip = letters.startsWith("PK\x03\x04");
  if (isZip && /data\.pkl|\/constants|\/version/.test(letters)) return pyTorch;
  if (isZip && ending !== ".keras") {
    if (/metadata\.json|config\.json|model\.weights\.h5/.test(letters))
      return ["a Keras archive", "give it a name that ends in .keras"];
    return letters.includes(".npy") ? madeFrom("arrays of NumPy") : archive("zip", "unzip FILE");
  }
  // Pickles of Python begin with their version; so did PyTorch's files before they were archives.
  if (/^\x80[\x02-\x05](\x8a|\x95|}|c|\])/.test(letters)) return pyTorch;
  if (/^[^]{3}\0{5}\{"/.test(letters)) return weightsAlone;
  if (letters.startsWith("\x89HDF") && ending === ".onnx")
    return ["an HDF5 file, as Keras writes it", "give it a name that ends in .h5"];
  return endings[ending];
}

/** @throws EtlError `format` for a file that only has the name of a model, or is one of another program */
export async function refuseStranger(path: string): Promise<void> {
  const stranger = await strangerAt(path);
  if (stranger === undefined) return;
  const [what, hint] = stranger;
  throw new EtlError("format", `${path}: ${what}, a model as ONNX, Keras or TensorFlow.js was needed`, {
    hint,
  });
}
