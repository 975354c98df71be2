import { expect } from "chai";
import type { Group } from "h5wasm";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isEtlError } from "../../lib/core/errors.ts";
import { parseCsv } from "../../lib/core/csv.ts";
import { openDataset } from "../../lib/data/open.ts";
import { aflw2000 } from "../../lib/data/sources/aflw2000.ts";
import { readMatBeside, readMatFile } from "../../lib/data/sources/mat.ts";
import { readKerasFile } from "../../lib/formats/keras/h5.ts";
import { harvest, type HarvestOptions } from "../../lib/harvest/harvest.ts";
import { readTfjs } from "../../lib/formats/tfjs/read.ts";
import { readOnnx } from "../../lib/formats/onnx/read.ts";
import { settled } from "../../lib/jobs/run/model.ts";
import { analyseCoupling } from "../../lib/network/coupling/analyse.ts";
import { inferShapes } from "../../lib/network/shapes/infer.ts";
import { dims, file, node, value } from "../formats/onnx/files.ts";
import { message, varints } from "../support/protobuf.ts";
import { matFile, matrixOf, packedMatrix } from "../support/mat.ts";

/** What a few bytes may claim, each within seconds and with the number found and the number allowed. */
describe("files that ask for too much", function () {
  this.timeout(20_000);
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "etl-budgets-"));
  });
  after(() => rm(root, { recursive: true, force: true }));

  const ints = (name: string, ...values: bigint[]): Uint8Array =>
    message([1, name], ...values.map((each) => [8, each] as const), [20, 7n]);
  const int = (name: string, of: bigint): Uint8Array => message([1, name], [3, of], [20, 2n]);
  const wide = (channels: bigint, size = 1n): Uint8Array[] => [
    value("x", 1n, ["batch", channels, size, size]),
  ];
  const open = [value("y", 1n, ["batch", "c", "h", "w"])];
  const weight = (name: string, ...shape: bigint[]): Uint8Array => {
    const count = Number(shape.reduce((a, b) => a * b, 1n));
    return message(...dims(...shape), [2, 1n], [8, name], [9, new Uint8Array(4 * count)]);
  };
  const table = (name: string, ...values: bigint[]): Uint8Array =>
    message(...dims(BigInt(values.length)), [2, 7n], [8, name], [7, varints(...values)]);

  const hostile: Record<string, () => Uint8Array> = {
    "a padding of a billion channels": () =>
      file({
        nodes: [node("Pad", ["x", "pads"], ["y"])],
        weights: [table("pads", 0n, 0n, 0n, 0n, 0n, 1_000_000_000n, 0n, 0n)],
        inputs: wide(3n, 8n),
        outputs: open,
      }),
    "a picture of a billion channels, and nothing that follows them": () =>
      file({ inputs: wide(1_000_000_000n), outputs: open }),
    "2^40 groups": () =>
      file({
        nodes: [node("Conv", ["x", "w"], ["y"], int("group", 2n ** 40n))],
        weights: [weight("w", 4n, 4n, 1n, 1n)],
        inputs: wide(4n, 8n),
        outputs: open,
      }),
    "a window as large as a country": () =>
      file({
        nodes: [node("MaxPool", ["x"], ["y"], ints("kernel_shape", 2n ** 33n, 2n ** 33n))],
        inputs: wide(4n, 8n),
        outputs: open,
      }),
    "a padding without end": () =>
      file({
        nodes: [node("Conv", ["x", "w"], ["y"], ints("pads", 2n ** 40n, 0n, 2n ** 40n, 0n))],
        weights: [weight("w", 4n, 4n, 1n, 1n)],
        inputs: wide(4n, 8n),
        outputs: open,
      }),
    "a picture of a square mile": () =>
      file({ inputs: [value("x", 1n, ["batch", 3n, 2n ** 20n, 2n ** 20n])], outputs: open }),
    "a thousand dimensions": () =>
      file({
        weights: [
          message(...dims(...new Array<bigint>(1000).fill(1n)), [2, 1n], [8, "w"], [9, new Uint8Array(4)]),
        ],
      }),
    "300,000 nodes": () => {
      const nodes = new Array<Uint8Array>(300_000).fill(message([1, node("Relu", ["x"], ["z"])]));
      const ends = message([2, "graph"], [11, value("x")], [12, value("y")]);
      return message([1, 8n], [7, Buffer.concat([...nodes, ends])], [8, message([1, ""], [2, 17n])]);
    },
  };
  for (const [name, bytes] of Object.entries(hostile)) {
    it(`a network with ${name}`, () => {
      const start = performance.now();
      let error: unknown;
      try {
        const network = readOnnx(bytes(), { name: "hostile.onnx" });
        inferShapes(network);
        analyseCoupling(network);
      } catch (thrown) {
        error = thrown;
      }
      expect(isEtlError(error, "unsupported") && error.message, String(error)).to.match(
        /\d.*at most \d+ were needed/,
      );
      expect(isEtlError(error) && error.hint).to.contain("ETL_BUDGET=10");
      expect(performance.now() - start).to.be.lessThan(10_000);
    });
  }

  it("a network that is only run: looked at before it is", () => {
    const network = readOnnx(hostile["a padding of a billion channels"](), { name: "hostile.onnx" });
    expect(() => settled({ network, notes: [] })).to.throw(/Pad.*elements in one value, at most/);
  });

  it("what is allowed can be raised", () => {
    const deep = file({
      weights: [
        message(...dims(...new Array<bigint>(40).fill(1n)), [2, 1n], [8, "w"], [9, new Uint8Array(4)]),
      ],
    });
    process.env["ETL_BUDGET"] = "2";
    try {
      expect(readOnnx(deep, { name: "m" }).parameters.get("w")?.shape).to.have.length(40);
      process.env["ETL_BUDGET"] = "no";
      expect(() => readOnnx(deep, { name: "m" })).to.throw("ETL_BUDGET");
    } finally {
      delete process.env["ETL_BUDGET"];
    }
  });

  it("a file beside the model is read once, however many weights lie in it", () => {
    let reads = 0;
    const entry = (key: string, text: string): Uint8Array => message([1, key], [2, text]);
    const weights = Array.from({ length: 200 }, (_, i) =>
      message(
        ...dims(2n),
        [2, 1n],
        [8, `w${i}`],
        [13, entry("location", "w.bin")],
        [13, entry("offset", String(8 * i))],
        [13, entry("length", "8")],
        [14, 1n],
      ),
    );
    const external = (): Uint8Array => {
      reads++;
      return new Uint8Array(1600);
    };
    expect(readOnnx(file({ weights }), { name: "m", external }).parameters.size).to.equal(200);
    expect(reads).to.equal(1);
    const all = Array.from({ length: 1000 }, (_, i) =>
      message(...dims(400n), [2, 1n], [8, `w${i}`], [13, entry("location", "w.bin")], [14, 1n]),
    );
    expect(readOnnx(file({ weights: all }), { name: "m", external }).parameters.size).to.equal(1000);
    const large = Array.from({ length: 20 }, (_, i) =>
      message(...dims(2n ** 20n), [2, 1n], [8, `w${i}`], [13, entry("location", "w.bin")], [14, 1n]),
    );
    const share = (): unknown =>
      readOnnx(file({ weights: large }), { name: "m", external: () => new Uint8Array(2 ** 22) });
    expect(share).to.throw(
      /^m: \d+ bytes of weights, more than twice of what lies beside it, at most 64000000/,
    );
  });

  it("a file of weights of TensorFlow.js that is named again and again", async () => {
    const group = { paths: ["w.bin", "w.bin"], weights: [] };
    const read = (): Promise<Uint8Array> => Promise.resolve(new Uint8Array(4));
    const model = { modelTopology: {}, weightsManifest: [group] };
    const error: unknown = await readTfjs(model, { name: "model.json", read }).catch(
      (thrown: unknown) => thrown,
    );
    expect(isEtlError(error) && error.message).to.contain('"w.bin" twice');
  });

  it("tables with columns and labels without end", async () => {
    const columns = (count: number): string => Array.from({ length: count }, (_, i) => `c${i}`).join();
    expect(() => parseCsv(columns(100_000), "a.csv")).to.throw(/100000 columns, at most 20000/);
    expect(parseCsv(columns(19_000), "a.csv").header).to.have.length(19_000);
    const rows = Array.from({ length: 30_000 }, (_, i) => `f${i}.png,label ${i}`);
    await writeFile(join(root, "labels.csv"), `file,kind\n${rows.join("\n")}\n`);
    const error: unknown = await openDataset({
      data: root,
      task: "categorical",
      label: "kind",
      seed: 0,
    }).catch((thrown: unknown) => thrown);
    expect(isEtlError(error, "unsupported") && error.message, String(error)).to.match(
      /30000 different labels, at most/,
    );
  });

  it("a task of 19,000 outputs: its moments are counted before there is any", async () => {
    const taps = Array.from({ length: 3 }, (_, i) => ({ name: `t${i}`, channels: 24 }));
    // none of it is reached: neither the network nor a batch
    const work = harvest(undefined as never, undefined as never, {
      ...({ taps, outputs: 19_000, foldCount: 5, input: "x" } as unknown as HarvestOptions),
    });
    const error: unknown = await work.catch((thrown: unknown) => thrown);
    expect(isEtlError(error, "unsupported") && error.message, String(error)).to.match(
      /19000 outputs of the task, 3 taps, 5 folds: \d+ numbers of moments, at most 1000000000/,
    );
  });

  it("weights of a small HDF5 file: packed tight, or one dataset under many names", async function () {
    this.timeout(240_000); // 80 MB are packed
    const h5 = await import("h5wasm");
    const library = await h5.ready;
    const written = async (name: string, fill: (layers: Group) => void): Promise<string> => {
      const file = new h5.File(`/${name}`, "w");
      fill(file.create_group("layers"));
      file.close();
      await writeFile(join(root, name), library.FS.readFile(`/${name}`));
      library.FS.unlink(`/${name}`);
      return join(root, name);
    };
    const shape = [2 ** 20, 4];
    const zeros = { shape, data: new Float32Array(2 ** 22), chunks: [2 ** 14, 4], compression: 1 };
    const packed = await written("packed.h5", (layers) => {
      for (let i = 0; i < 5; i++)
        layers
          .create_group(`dense_${i}`)
          .create_group("vars")
          .create_dataset({ name: "0", ...zeros });
    });
    const shared = await written("shared.h5", (layers) => {
      layers
        .create_group("dense")
        .create_group("vars")
        .create_dataset({ name: "0", ...zeros });
      for (let i = 1; i < 100; i++)
        layers.create_group(`dense_${i}`).create_group("vars").create_soft_link("/layers/dense/vars/0", "0");
    });
    for (const path of [packed, shared]) {
      expect((await stat(path)).size, path).to.be.lessThan(1e6);
      const error: unknown = await readKerasFile(path).catch((thrown: unknown) => thrown);
      expect(isEtlError(error, "unsupported") && error.message, String(error)).to.match(
        /\d+ bytes unpacked, at most 64000000 were needed/,
      );
    }
    const one = await written("one.h5", (layers) => {
      layers
        .create_group("dense")
        .create_group("vars")
        .create_dataset({ name: "0", ...zeros });
    });
    expect((await readKerasFile(one)).layers).to.have.length(1);
  });

  const matrix = matrixOf("Pose_Para", [1, 3], [9, Buffer.alloc(24)]);

  it("matrices packed in packed ones, and packed without end", () => {
    const read = (...parts: Buffer[]): string[] => [
      ...readMatFile(matFile(...parts), "a.mat").matrices.keys(),
    ];
    expect(read(packedMatrix(matrix))).to.deep.equal(["Pose_Para"]);
    expect(() => read(packedMatrix(packedMatrix(matrix)))).to.throw("a.mat");
    const bomb = packedMatrix(Buffer.alloc(60e6));
    expect(() => read(bomb, bomb, bomb)).to.throw(/64000001 bytes unpacked, at most/);
  });

  it("many matrices that lie beside pictures: each, and all of them together", async () => {
    const only = new Set(["Pose_Para"]);
    const total = { bytes: 0 };
    const read = (inside: Buffer): string[] => [
      ...readMatBeside(matFile(packedMatrix(inside)), "a.mat", { only, total }).keys(),
    ];
    expect(read(matrix)).to.deep.equal(["Pose_Para"]);
    expect(total.bytes).to.equal(matrix.length);
    expect(() => read(Buffer.alloc(3e6))).to.throw(
      /1000001 bytes of a file beside a picture, at most 1000000/,
    );
    expect(total.bytes, "a bomb counts as far as it was unpacked").to.equal(matrix.length + 1e6);

    const folder = await mkdtemp(join(root, "mats-"));
    const mats = {
      "a.mat": matFile(packedMatrix(matrix)),
      "b.mat": matFile(packedMatrix(Buffer.alloc(3e6))),
      "c.mat": matFile(matrix, Buffer.alloc(3e6)), // not packed, and too long all the same
      "d.mat": matFile(matrix, matrixOf("pt3d_68", [3, 300_000], [2, Buffer.alloc(900_000, 7)])),
    };
    for (const [name, content] of Object.entries(mats)) await writeFile(join(folder, name), content);
    const files = Object.keys(mats);
    const pictures = files.map((name) => name.replace("mat", "jpg"));
    const data = await aflw2000.read({ root: folder, files, pictures, unread: [] });
    expect(data.rows.map(({ file }) => file)).to.deep.equal(["a.jpg", "d.jpg"]);
    expect(data.problems?.map(({ file }) => file)).to.deep.equal(["b.jpg", "c.jpg"]);
    for (const { problem } of data.problems ?? [])
      expect(problem).to.match(/\d{7} bytes of a file beside a picture, at most 1000000 were needed/);
  });
});
