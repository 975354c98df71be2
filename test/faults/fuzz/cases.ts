/** Every kind of file that is read, a whole one to begin from, and its reader. Formats of networks: test/formats. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32, deflateRawSync } from "node:zlib";
import { parseJson } from "../../../lib/core/parse-json.ts";
import { CELEBA_ATTRIBUTES } from "../../../lib/data/sources/celeba-attributes.ts";
import type { Random } from "../../../lib/core/random.ts";
import { float32 } from "../../../lib/network/network.ts";
import { readTfjs } from "../../../lib/formats/tfjs/read.ts";
import { readZip } from "../../../lib/formats/keras/zip.ts";
import { readSafetensors, writeSafetensors } from "../../../lib/formats/safetensors.ts";
import { decodeMoments, encodeMoments } from "../../../lib/math/moments-file.ts";
import { workOf } from "../../../lib/latency/features.ts";
import { clockOf, readLatencyTable, type LatencyTable } from "../../../lib/latency/table.ts";
import { openDataset } from "../../../lib/data/open.ts";
import { openPairs } from "../../../lib/data/pairs.ts";
import { readMatFile } from "../../../lib/data/sources/mat.ts";
import { decodeImage } from "../../../lib/data/images/decode.ts";
import { readBitmap } from "../../../lib/data/images/bitmap.ts";
import { preprocessingOf, outputTasksOf } from "../../../lib/backbones/metadata.ts";
import { comparedNetworks } from "../../../lib/jobs/many/compare.ts";
import { readRecord } from "../../../lib/jobs/many/records.ts";
import { sweepCsv, sweepRows } from "../../../lib/record/sweep.ts";
import { renderReport } from "../../../lib/report/report.ts";
import { commands } from "../../../bin/commands.ts";
import { checkCall, findCommand } from "../../../bin/call.ts";
import { withConfig } from "../../../bin/config.ts";
import { withGroups } from "../../report/extras.ts";
import { sampleRecord } from "../../report/sample.ts";
import { matOfPose } from "../../support/mat.ts";
import { smallBackbone } from "../../support/small-backbone.ts";
import { greyPicture } from "../../data/support.ts";
import { mutate } from "../../formats/mutate.ts";
import { mutateJson, mutateTable } from "./mutations.ts";

/** One kind of file. */
export interface Case {
  readonly name: string;
  readonly mutate: (bytes: Uint8Array, random: Random) => Uint8Array;
  readonly seeds: readonly Uint8Array[];
  /** Reads what was made of it; throws an EtlError, or whatever shows a defect. */
  readonly read: (bytes: Uint8Array) => unknown;
}

const bytesOf = (value: unknown): Uint8Array =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value));

/** All cases. @param root an empty folder, whose neighbour nothing may touch */
export async function casesIn(root: string): Promise<Case[]> {
  return [
    ...(await tables(root)),
    ...(await descriptions(root)),
    ...pictures(root),
    ...containers(),
    ...(await ownFiles(root)),
  ];
}

async function folderOf(
  root: string,
  files: Readonly<Record<string, string | number | Uint8Array>>,
): Promise<string> {
  for (const [name, content] of Object.entries(files)) {
    const path = join(root, name);
    await mkdir(join(path, ".."), { recursive: true });
    await writeFile(path, typeof content === "number" ? await greyPicture(content, 4, 4) : content);
  }
  return root;
}

const count = 24;
const faces = Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${i}.png`, i]));
const labels = [
  "file,split,age,gender,emotion,smiling,glasses,box,identity",
  ...Array.from({ length: count }, (_, i) => {
    const emotion = ["happiness", "sadness", "anger"][i % 3] ?? "";
    return `f${i}.png,${i < 12 ? "train" : i < 18 ? "val" : "test"},${20 + i},${i % 2},${emotion},${i & 1},${(i >> 1) & 1},"0,0,3,3",p${i}`;
  }),
].join("\n");

/** Opens for every task; each of them may be refused. */
async function openAll(data: string, asked: readonly (readonly [string, string?])[]): Promise<void> {
  let refused: unknown;
  for (const [task, label] of asked) {
    try {
      const dataset = await openDataset({ data, task, seed: 1, ...(label !== undefined && { label }) });
      for (const { target, mask } of dataset.items) {
        if (target.length !== dataset.task.outputs)
          throw new Error(`${task}: ${target.length} numbers of a label`);
        const isNumber = target.every((value, i) => Number.isFinite(value) || mask?.[i] === 0);
        if (!isNumber) throw new Error(`${task}: a label that is no number`);
      }
    } catch (error) {
      if (!(error instanceof Error && error.name === "EtlError")) throw error;
      refused = error;
    }
  }
  if (refused !== undefined) throw refused as Error;
}

async function tables(root: string): Promise<Case[]> {
  const table = async (
    name: string,
    file: string,
    what: {
      files: Readonly<Record<string, string | number | Uint8Array>>;
      tasks: readonly (readonly [string, string?])[];
    },
  ): Promise<Case> => {
    const folder = await folderOf(join(root, name.replaceAll(/\W/g, "-")), what.files);
    const whole = what.files[file];
    return {
      name,
      mutate: mutateTable,
      seeds: [typeof whole === "string" ? bytesOf(whole) : (whole as Uint8Array)],
      read: async (bytes) => {
        await writeFile(join(folder, file), bytes);
        await openAll(folder, what.tasks);
      },
    };
  };
  const celeba = Array.from({ length: 12 }, (_, i) => `${String(i + 1).padStart(6, "0")}.jpg`);
  const attributes = (i: number): string =>
    CELEBA_ATTRIBUTES.map((_, a) => ((i + a) % 2 === 0 ? 1 : -1)).join(" ");
  const celebaFiles = {
    ...Object.fromEntries(celeba.map((name, i) => [`img_align_celeba/${name}`, i])),
    "list_attr_celeba.txt": `12\n${CELEBA_ATTRIBUTES.join(" ")}\n${celeba.map((name, i) => `${name}  ${attributes(i)}`).join("\n")}\n`,
    "identity_CelebA.txt": celeba.map((name, i) => `${name} ${i}`).join("\n"),
    "list_eval_partition.txt": celeba.map((name, i) => `${name} ${i % 3}`).join("\n"),
  };
  const fold = (people: readonly number[]): string =>
    [
      "user_id\toriginal_image\tface_id\tage\tgender\tx",
      ...people.map((i) => `u${i}\ta.jpg\t${i}\t(25, 32)\t${"mf"[i % 2]}\t0`),
    ].join("\n");
  const people = [0, 1, 2, 3, 4, 5, 6, 7];
  const adience = {
    "fold_0_data.txt": fold(people.slice(0, 4)),
    "fold_1_data.txt": fold(people.slice(4)),
    ...Object.fromEntries(people.map((i) => [`aligned/u${i}/landmark_aligned_face.${i}.a.jpg`, i])),
  };
  const square = (row: number): string => Array.from({ length: 16 }, (_, i) => i * 9 + row).join(" ");
  const fer = `emotion,pixels,Usage\n${Array.from({ length: 12 }, (_, i) => `${i % 7},${square(i)},${i < 8 ? "Training" : i < 10 ? "PublicTest" : "PrivateTest"}`).join("\n")}\n`;
  const poses: Record<string, number | Uint8Array> = {};
  for (const [i, name] of Object.keys(faces).entries()) {
    poses[name.replace("png", "jpg")] = i;
    poses[name.replace("png", "mat")] = matOfPose([0.1, 0.03 * i, 0.2], i % 2 === 0);
  }
  return [
    await table("labels.csv", "labels.csv", {
      files: {
        ...faces,
        "labels.csv": labels.replaceAll(
          /,([01]),(happiness|sadness|anger),/g,
          (_, code, mood) => `,${code === "0" ? "female" : "male"},${mood},`,
        ),
      },
      tasks: [
        ["age"],
        ["gender"],
        ["emotion"],
        ["categorical", "emotion"],
        ["multi-label", "smiling,glasses"],
      ],
    }),
    await table("list_attr_celeba.txt", "list_attr_celeba.txt", {
      files: celebaFiles,
      tasks: [["gender"], ["attributes"]],
    }),
    await table("list_eval_partition.txt", "list_eval_partition.txt", {
      files: celebaFiles,
      tasks: [["gender"]],
    }),
    await table("fold_0_data.txt (tsv)", "fold_0_data.txt", {
      files: adience,
      tasks: [["gender"]],
    }),
    await table("fer2013.csv", "fer2013.csv", { files: { "fer2013.csv": fer }, tasks: [["emotion"]] }),
    {
      ...(await table("a.mat beside a picture", "f0.mat", { files: poses, tasks: [["head-pose"]] })),
      mutate,
    },
    await pairs(root),
  ];
}

async function pairs(root: string): Promise<Case> {
  const folder = await folderOf(join(root, "pairs"), { ...faces });
  return {
    name: "pairs.csv",
    mutate: mutateTable,
    seeds: [bytesOf("file1,file2,same\nf0.png,f1.png,1\nf2.png,f3.png,0\nf4.png,f5.png,1\n")],
    read: async (bytes) => {
      await writeFile(join(folder, "pairs.csv"), bytes);
      await openPairs(join(folder, "pairs.csv"));
    },
  };
}

async function descriptions(root: string): Promise<Case[]> {
  const folder = await folderOf(join(root, "described"), { ...faces, "labels.csv": labels });
  const description = {
    name: "faces",
    crop: [0.1, 0.1, 0.9, 0.9],
    identity: "identity",
    tasks: {
      gender: { column: "gender", values: { "0": "female", "1": "male" }, mirror: "keep" },
      mood: {
        column: "emotion",
        kind: "categorical",
        values: { happiness: "glad", sadness: "sad", anger: "angry" },
      },
      both: { columns: ["smiling", "glasses"], kind: "multi-label", codes: { "0": "no", "1": "yes" } },
      years: { column: "age", kind: "regression", unit: "years", tolerance: 5 },
    },
  };
  const clip = {
    actor: "A",
    frames: Object.fromEntries(
      Array.from({ length: 6 }, (_, i) => [
        String(i).padStart(5, "0"),
        {
          valence: i - 3,
          arousal: 2,
          landmarks: [
            [1, 1],
            [2, 2],
            [3, 1],
          ],
        },
      ]),
    ),
  };
  const clips = await folderOf(
    join(root, "clips"),
    Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`001/0000${i}.png`, i])),
  );
  return [
    {
      name: "dataset.json",
      mutate: mutateJson,
      seeds: [bytesOf(description)],
      read: async (bytes) => {
        await writeFile(join(folder, "dataset.json"), bytes);
        await openAll(folder, [["gender"], ["mood"], ["both"], ["years"]]);
      },
    },
    {
      name: "001.json of a clip",
      mutate: mutateJson,
      seeds: [bytesOf(clip)],
      read: async (bytes) => {
        await writeFile(join(clips, "001/001.json"), bytes);
        await openAll(clips, [["valence"]]);
      },
    },
  ];
}

/** 5 x 4 pixels in every kind that is decoded here. */
function bitmaps(): Uint8Array[] {
  const values = Array.from({ length: 60 }, (_, i) => (i * 37) % 256);
  const bmp = (bits: 8 | 24): Uint8Array => {
    const row = Math.ceil((5 * bits) / 32) * 4;
    const palette = bits === 8 ? 1024 : 0;
    const bytes = Buffer.alloc(54 + palette + 4 * row, 77);
    bytes.write("BM");
    bytes.writeUInt32LE(54 + palette, 10);
    [40, 5, 4].forEach((value, i) => bytes.writeUInt32LE(value, 14 + 4 * i));
    bytes.writeUInt16LE(1, 26);
    bytes.writeUInt16LE(bits, 28);
    bytes.fill(0, 30, 54);
    return bytes;
  };
  return [
    Buffer.concat([Buffer.from("P5\n# grey\n5 4\n255\n"), Buffer.from(values.slice(0, 20))]),
    Buffer.concat([Buffer.from("P6 5 4 255\n"), Buffer.from(values)]),
    Buffer.from(`P2\n5 4\n255\n${values.slice(0, 20).join(" ")}\n`),
    Buffer.concat([Buffer.from("P4\n5 4\n"), Buffer.from([1, 2, 3, 4])]),
    bmp(8),
    bmp(24),
  ];
}

function pictures(root: string): Case[] {
  const read = (path: string) => async (bytes: Uint8Array) => {
    const bitmap = readBitmapOrNone(bytes);
    if (bitmap !== undefined && bitmap.pixels.length !== bitmap.width * bitmap.height * bitmap.channels)
      throw new Error("a bitmap of another size");
    await writeFile(path, bytes);
    const pixels = await decodeImage(path, [0, 0, 1, 1], { width: 8, height: 8 });
    if (pixels.length !== 192) throw new Error(`${pixels.length} bytes of a decoded picture`);
  };
  return [
    { name: "bitmaps (BMP, PGM, PPM, PBM)", mutate, seeds: bitmaps(), read: read(join(root, "a.bmp")) },
  ];
}

function readBitmapOrNone(bytes: Uint8Array): ReturnType<typeof readBitmap> {
  try {
    return readBitmap(bytes);
  } catch {
    return undefined; // a sentence; decodeImage says with which file
  }
}

/** A zip archive, entries in turn deflated and stored. */
function zipOf(files: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const [bodies, list]: [Buffer[], Buffer[]] = [[], []];
  let at = 0;
  for (const [i, [name, content]] of Object.entries(files).entries()) {
    const packed = i % 2 === 0 ? deflateRawSync(content) : Buffer.from(content);
    const head = Buffer.alloc(30);
    head.writeUInt32LE(0x04034b50, 0);
    head.writeUInt16LE(name.length, 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(i % 2 === 0 ? 8 : 0, 10);
    entry.writeUInt32LE(crc32(content), 16);
    entry.writeUInt32LE(packed.length, 20);
    entry.writeUInt32LE(content.length, 24);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(at, 42);
    bodies.push(head, Buffer.from(name), packed);
    list.push(entry, Buffer.from(name));
    at += 30 + name.length + packed.length;
  }
  const listing = Buffer.concat(list);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Object.keys(files).length, 10);
  end.writeUInt32LE(listing.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...bodies, listing, end]);
}

/** A graph model as tensorflowjs_converter writes it: a convolution, an activation, a mean, a matrix. */
function graphModel(): { readonly model: unknown; readonly bytes: Uint8Array } {
  const s = (value: string) => ({ s: Buffer.from(value).toString("base64") });
  const constant = (name: string, shape: readonly number[], dtype: string) => ({
    name,
    op: "Const",
    attr: {
      dtype: { type: dtype },
      value: { tensor: { dtype, tensorShape: { dim: shape.map((size) => ({ size: String(size) })) } } },
    },
  });
  const shapes = { w: [3, 3, 3, 4], b: [4], fc: [4, 2], axes: [2] };
  const node = [
    {
      name: "x",
      op: "Placeholder",
      attr: {
        dtype: { type: "DT_FLOAT" },
        shape: { shape: { dim: ["-1", "8", "8", "3"].map((size) => ({ size })) } },
      },
    },
    ...Object.entries(shapes).map(([name, shape]) =>
      constant(name, shape, name === "axes" ? "DT_INT32" : "DT_FLOAT"),
    ),
    {
      name: "conv",
      op: "Conv2D",
      input: ["x", "w"],
      attr: { strides: { list: { i: ["1", "2", "2", "1"] } }, padding: s("SAME"), data_format: s("NHWC") },
    },
    { name: "bias", op: "BiasAdd", input: ["conv", "b"], attr: { data_format: s("NHWC") } },
    { name: "relu", op: "Relu", input: ["bias"] },
    { name: "mean", op: "Mean", input: ["relu", "axes"], attr: { keep_dims: { b: false } } },
    { name: "y", op: "MatMul", input: ["mean", "fc"] },
  ];
  const weights = Object.entries(shapes).map(([name, shape]) => ({
    name,
    shape,
    dtype: name === "axes" ? "int32" : "float32",
  }));
  const floats = Float32Array.from({ length: 108 + 4 + 8 }, (_, i) => Math.sin(i));
  const bytes = Buffer.concat([Buffer.from(floats.buffer), Buffer.from(Int32Array.of(1, 2).buffer)]);
  return {
    model: {
      format: "graph-model",
      signature: { inputs: { x: { name: "x:0" } }, outputs: { y: { name: "y:0" } } },
      modelTopology: { node, versions: { producer: 1 } },
      weightsManifest: [{ paths: ["w.bin"], weights }],
    },
    bytes,
  };
}

function containers(): Case[] {
  const tensors = new Map([
    ["a.weight", float32([2, 3], Float32Array.of(1, 2, 3, 4, 5, 6))],
    ["a.bias", float32([2], Float32Array.of(1, 2))],
  ]);
  const names = ["config.json", "metadata.json", "model.weights.h5"];
  const zip = zipOf({
    "config.json": bytesOf({ class_name: "Functional", config: { layers: [] } }),
    "metadata.json": bytesOf({ keras_version: "3.1.0" }),
    "model.weights.h5": Buffer.alloc(500, 3),
  });
  const graph = graphModel();
  const matrices = (bytes: Uint8Array): void => {
    for (const { shape, data } of readMatFile(bytes, "a.mat").matrices.values())
      if (data.length !== shape.reduce((a, b) => a * b, 1)) throw new Error("a matrix of another size");
  };
  return [
    {
      name: "safetensors",
      mutate,
      seeds: [writeSafetensors(tensors, { etl: "x" })],
      read: (bytes) => {
        const read = readSafetensors(bytes, "a.safetensors");
        const held = [...read.tensors.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
        if (held > 2 * bytes.length) throw new Error(`${held} bytes out of ${bytes.length}`);
      },
    },
    {
      name: "header of safetensors",
      mutate: mutateJson,
      seeds: [
        bytesOf({
          __metadata__: { etl: "x", format: "pt" },
          a: { dtype: "F32", shape: [2, 3], data_offsets: [0, 24] },
          b: { dtype: "F16", shape: [4], data_offsets: [24, 32] },
        }),
      ],
      read: (header) => {
        const length = Buffer.alloc(8);
        length.writeBigUInt64LE(BigInt(header.length));
        readSafetensors(Uint8Array.from(Buffer.concat([length, header, Buffer.alloc(32)])), "a.safetensors");
      },
    },
    {
      name: ".mat",
      mutate,
      seeds: [false, true].map((packed) => matOfPose([0.1, 0.2, 0.3], packed)),
      read: matrices,
    },
    { name: ".keras archive", mutate, seeds: [zip], read: (bytes) => readZip(bytes, names, "a.keras") },
    {
      name: "tfjs graph model",
      mutate: mutateJson,
      seeds: [bytesOf(graph.model)],
      read: async (bytes) =>
        readTfjs(parsed(bytes), { name: "model.json", read: () => Promise.resolve(graph.bytes) }),
    },
    {
      name: "metadata of a model",
      mutate: mutateJson,
      seeds: [
        bytesOf({
          preprocessing: { width: 8, height: 8, color: "RGB", mean: [0, 0, 0], scale: [1, 1, 1] },
          task: sampleRecord().task,
        }),
      ],
      read: (bytes) => {
        const facts = Object(parsed(bytes)) as Record<string, unknown>;
        const metadata = {
          "etl.preprocessing": JSON.stringify(facts["preprocessing"] ?? null),
          "etl.task": JSON.stringify(facts["task"] ?? null),
        };
        const network = { ...smallBackbone(), metadata };
        preprocessingOf(network);
        for (const { task } of outputTasksOf(network)) task.classes.map((name) => name.length);
      },
    },
  ];
}

const parsed = (bytes: Uint8Array): unknown => parseJson(Buffer.from(bytes).toString(), "model.json");

async function ownFiles(root: string): Promise<Case[]> {
  const run = await folderOf(join(root, "run"), {});
  await mkdir(run, { recursive: true });
  const record = JSON.parse(JSON.stringify(withGroups(sampleRecord()))) as unknown;
  const assets = { plotly: "", client: "", style: "" } as unknown as Parameters<typeof renderReport>[1];
  const fold = (n: number, p: number, q: number) => {
    const numbers = (length: number): Float64Array => Float64Array.from({ length }, (_, i) => i / 7);
    const sums = { sumX: numbers(p), sumY: numbers(q) };
    return { n, p, q, ...sums, xx: numbers(p * p), xy: numbers(p * q), yy: numbers(q * q) };
  };
  const rates = Object.fromEntries([...workOf(smallBackbone(), 4).keys()].map((kind) => [kind, 1e-9]));
  const times: LatencyTable = {
    ...{ schema: 1, network: "small", cpu: "x", engine: "y", block: 4, batch: 1 },
    entries: [false, true].map((int8) => ({
      ...{ threads: 1, int8, wholeMs: 2, rates },
      ...{ error: { median: 0.01, largest: 0.1 }, networks: 9 },
    })),
  };
  const config = {
    task: "gender",
    data: "synthetic",
    gamma: 0.1,
    learningRates: [0.1, 0.2],
    controls: ["l1"],
    strict: true,
  };
  return [
    {
      name: "record.json",
      mutate: mutateJson,
      seeds: [bytesOf(record)],
      read: async (bytes) => {
        await writeFile(join(run, "record.json"), bytes);
        const read = await readRecord(run, "run");
        renderReport(read, assets);
        renderReport([read, { ...sampleRecord(), title: "other" }], assets);
        comparedNetworks([read]);
        sweepCsv(sweepRows([read]));
      },
    },
    {
      name: "moments",
      mutate,
      seeds: [encodeMoments([{ tap: "a", folds: [fold(9, 3, 1), fold(8, 3, 1)] }])],
      read: (bytes) => decodeMoments(bytes, "a.bin"),
    },
    {
      name: "latency table",
      mutate: mutateJson,
      seeds: [bytesOf(times)],
      read: async (bytes) => {
        await writeFile(join(root, "table.json"), bytes);
        const clock = clockOf(await readLatencyTable(join(root, "table.json")), { int8: false });
        const ms = clock.predict(smallBackbone());
        if (!Number.isFinite(ms)) throw new Error(`a time of ${ms}`);
      },
    },
    {
      name: "config.json",
      mutate: mutateJson,
      seeds: [bytesOf(config)],
      read: async (bytes) => {
        await writeFile(join(root, "config.json"), bytes);
        const command = findCommand("prune", commands);
        checkCall(await withConfig(["prune", "--config", join(root, "config.json")], command), command);
      },
    },
  ];
}
