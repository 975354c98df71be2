/**
 * face-api itself, as the reference: run as a process of its own, because its browser bundle wants a `window`.
 * Arguments: what to do, then files of RGB bytes. Prints one JSON list, an entry for each file.
 *
 * - `describe` (150x150): the 128 numbers of the descriptor
 * - `landmarks` (112x112): x0, y0, ... of the 68 points in fractions of the input
 * - `detect` (512x512): the faces as { score, box: x0, y0, x1, y1 in fractions of the input }
 */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

interface Tensorflow {
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
  tensor4d(values: Float32Array, shape: number[]): object;
  readonly io: { decodeWeights(bytes: ArrayBuffer, specs: unknown): object };
}

interface Net {
  loadFromWeightMap(weights: object): void;
  forward(input: object): Promise<{ data(): Promise<Float32Array> }>;
}

interface Detection {
  readonly score: number;
  readonly relativeBox: {
    readonly x: number;
    readonly y: number;
    readonly width: number;
    readonly height: number;
  };
}

interface Detector extends Net {
  locateFaces(input: object, options: { minConfidence: number }): Promise<Detection[]>;
}

interface FaceApi {
  readonly tf: Tensorflow;
  readonly FaceRecognitionNet: new () => Net;
  readonly FaceLandmark68Net: new () => Net;
  readonly SsdMobilenetv1: new () => Detector;
}

const document = {};
Object.assign(globalThis, { document, window: { document } });
const locate = createRequire(import.meta.url).resolve;
const bundle = pathToFileURL(locate("@vladmandic/face-api/dist/face-api.esm.js")).href;
console.info = console.log = console.warn = console.error;
const { tf, FaceRecognitionNet, FaceLandmark68Net, SsdMobilenetv1 } = (await import(bundle)) as FaceApi;
await tf.setBackend("cpu");
await tf.ready();

async function load<T extends Net>(net: T, model: string): Promise<T> {
  const path = locate(`@vladmandic/face-api/model/${model}-weights_manifest.json`);
  const manifest = JSON.parse(await readFile(path, "utf8")) as { weights: unknown }[];
  const bytes = await readFile(path.replace("-weights_manifest.json", ".bin"));
  net.loadFromWeightMap(tf.io.decodeWeights(Uint8Array.from(bytes).buffer, manifest[0].weights));
  return net;
}

async function open(what: string): Promise<{ side: number; run: (input: object) => Promise<unknown> }> {
  if (what === "detect") {
    const net = await load(new SsdMobilenetv1(), "ssd_mobilenetv1_model");
    const run = async (input: object) =>
      (await net.locateFaces(input, { minConfidence: 0.5 })).map(({ score, relativeBox }) => {
        const { x, y, width, height } = relativeBox;
        return { score, box: [x, y, x + width, y + height] };
      });
    return { side: 512, run };
  }
  const net =
    what === "landmarks"
      ? await load(new FaceLandmark68Net(), "face_landmark_68_model")
      : await load(new FaceRecognitionNet(), "face_recognition_model");
  const run = async (input: object) => Array.from(await (await net.forward(input)).data());
  return { side: what === "landmarks" ? 112 : 150, run };
}

const [what, ...files] = process.argv.slice(2);
const { side, run } = await open(what);
const results: unknown[] = [];
for (const file of files) {
  const pixels = Float32Array.from(await readFile(file));
  results.push(await run(tf.tensor4d(pixels, [1, side, side, 3])));
}
process.stdout.write(JSON.stringify(results));
