/**
 * face-api itself, as the reference: run as a process of its own, because its browser bundle wants a `window`.
 * Arguments: files of 150x150 RGB bytes. Prints one JSON list of descriptors.
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

interface FaceApi {
  readonly tf: Tensorflow;
  readonly FaceRecognitionNet: new () => {
    loadFromWeightMap(weights: object): void;
    forward(input: object): Promise<{ data(): Promise<Float32Array> }>;
  };
}

const document = {};
Object.assign(globalThis, { document, window: { document } });
const locate = createRequire(import.meta.url).resolve;
const model = locate("@vladmandic/face-api/model/face_recognition_model-weights_manifest.json");
const bundle = pathToFileURL(locate("@vladmandic/face-api/dist/face-api.esm.js")).href;
console.info = console.log = console.warn = console.error;
const { tf, FaceRecognitionNet } = (await import(bundle)) as FaceApi;
await tf.setBackend("cpu");
await tf.ready();

const manifest = JSON.parse(await readFile(model, "utf8")) as { weights: unknown }[];
const bytes = await readFile(model.replace("-weights_manifest.json", ".bin"));
const net = new FaceRecognitionNet();
net.loadFromWeightMap(tf.io.decodeWeights(Uint8Array.from(bytes).buffer, manifest[0].weights));
const descriptors: number[][] = [];
for (const file of process.argv.slice(2)) {
  const pixels = Float32Array.from(await readFile(file));
  const output = await net.forward(tf.tensor4d(pixels, [1, 150, 150, 3]));
  descriptors.push(Array.from(await output.data()));
}
process.stdout.write(JSON.stringify(descriptors));
