import { expect } from "chai";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { loadBackbone } from "../../lib/backbones/catalogue.ts";
import { readModel } from "../../lib/backbones/read-model.ts";
import { planModel } from "../../lib/jobs/cut/plan.ts";
import { predictImages } from "../../lib/jobs/use/predict.ts";
import { refusal } from "../support/refusal.ts";

const bytes = (letters: string): Buffer => Buffer.from(letters, "latin1");
const zipped = (name: string): Buffer =>
  Buffer.concat([
    bytes("PK\x03\x04"),
    Buffer.alloc(22),
    bytes(`${String.fromCharCode(name.length)}\0\0\0${name}`),
  ]);
const length = Buffer.alloc(8);
length.writeBigUInt64LE(64n);

/** First bytes, and what the refusal has to say of them and of what to do. */
const contents: readonly (readonly [content: Buffer, said: RegExp])[] = [
  [zipped("archive/data.pkl"), /a PyTorch file.*torch\.onnx\.export/],
  [bytes("\x80\x02\x8a\nl\xfc\x9cF"), /a PyTorch file/],
  [bytes("\x80\x04\x95\x0c\0\0\0"), /a PyTorch file/],
  [bytes("\x1c\0\0\0TFL3\0\0"), /a TensorFlow Lite model.*tf2onnx/],
  [bytes("\x18\0\0\0ORTM\0\0"), /onnxruntime's own format/],
  [gzipSync("model"), /a gzip archive.*unpack it first/],
  [bytes("BZh91AY"), /a bzip2 archive/],
  [bytes("7z\xbc\xaf'\x1c"), /a 7z archive/],
  [Buffer.concat([Buffer.alloc(257), bytes("ustar\0")]), /a tar archive/],
  [Buffer.concat([length, bytes('{"w":{"dtype":"F32"}}')]), /weights alone/],
  [bytes("\x93NUMPY\x01\0"), /an array of NumPy/],
  [bytes("ftrt\0\0"), /a TensorRT engine/],
  [bytes("GGUF\x03\0"), /a language model/],
  [bytes("\xff\xd8\xff\xe0"), /a picture/],
  [bytes("<html><body>Not found"), /a web page/],
  [bytes("version https://git-lfs.github.com/spec/v1\n"), /a Git LFS pointer.*git lfs pull/],
  [Buffer.alloc(0), /an empty file/],
];

describe("backbones: files of other programs", () => {
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-stranger-"));
  });
  after(() => rm(root, { recursive: true, force: true }));
  const put = async (name: string, content: Buffer): Promise<string> => {
    await writeFile(join(root, name), content);
    return join(root, name);
  };

  it("are told by their first bytes, whatever they are called", async () => {
    for (const [i, [content, said]] of contents.entries())
      for (const ending of ["onnx", "h5", "keras", "json"])
        expect(await refusal(readModel(await put(`${i}.${ending}`, content)))).to.match(said);
    for (const ending of ["onnx", "h5"]) {
      const zip = await put(`a.${ending}`, zipped("model.onnx"));
      expect(await refusal(readModel(zip))).to.match(/a zip archive.*unzip/);
      const keras = await put(`k.${ending}`, zipped("metadata.json"));
      expect(await refusal(readModel(keras))).to.match(/a Keras archive.*ends in \.keras/);
    }
    expect(await refusal(readModel(await put("a.onnx", bytes("\x89HDF\r\n\x1a\n"))))).to.match(
      /ends in \.h5/,
    );
  });

  it("are told by their ending where the bytes say nothing", async () => {
    for (const [name, said] of [
      ["a.pt", /a PyTorch file/],
      ["a.pth", /a PyTorch file/],
      ["a.tflite", /a TensorFlow Lite model/],
      ["a.mlmodel", /a Core ML model/],
      ["a.engine", /a TensorRT engine/],
      ["a.pb", /a TensorFlow graph.*saved-model/],
      ["a.caffemodel", /a Caffe model/],
      ["a.pdmodel", /a Paddle model.*paddle2onnx/],
    ] as const) {
      const path = await put(name, bytes("\x08\x09"));
      for (const use of [readModel(path), planModel(path), predictImages(path, [path]), loadBackbone(path)])
        expect(await refusal(use), name).to.match(said);
    }
  });
});
