/**
 * The compute thread of the page: finds the faces of a picture and asks the network about each, by the modules that
 * `etl predict --align` runs, on WebAssembly.
 */
import { createFinder, type AlignedFace } from "../align/finder.ts";
import { cropSide, cropsTensor } from "../align/inputs.ts";
import { workingSize } from "../align/pixels.ts";
import { applySimilarity } from "../align/similarity.ts";
import { DLIB_PADDING, MIN_SCORE } from "../align/template.ts";
import { buildFaceDetector } from "../backbones/nets/face-detector.ts";
import { buildFaceLandmarks } from "../backbones/nets/face-landmarks.ts";
import { preprocessingOf, outputTasksOf, seenPartsOf, type OutputTask } from "../backbones/metadata.ts";
import { nowMs } from "../core/clock.ts";
import { messageOf } from "../core/errors.ts";
import { WHOLE } from "../data/dataset.ts";
import { combined, partViews, readAt } from "../data/images/views.ts";
import { resampleBox } from "../data/images/resample.ts";
import { openInBrowser } from "../engine/tfjs/in-browser.ts";
import type { Tensors } from "../engine/engine.ts";
import { decodeTfjsWeights, parseTfjsManifest } from "../formats/tfjs/manifest.ts";
import { webFiles, type WebModel } from "../formats/web/layout.ts";
import { readWebModel } from "../formats/web/read.ts";
import type { Network, Parameter } from "../network/network.ts";
import type { WorkerScope } from "./dom.ts";
import { linesOf } from "./lines.ts";
import type { Question, WorkerReply, SeenFace } from "./messages.ts";
import { places } from "./places.ts";

const scope = globalThis as unknown as WorkerScope;

type Looker = (question: Extract<Question, { kind: "look" }>) => Promise<WorkerReply>;
let looker: Promise<Looker> | undefined;

scope.onmessage = ({ data }) => {
  const question = data as Question;
  const id = question.kind === "look" ? { id: question.id } : {};
  answer(question).then(
    (reply) => {
      scope.postMessage(reply);
    },
    (error: unknown) => {
      scope.postMessage({ kind: "failed", ...id, message: messageOf(error) } satisfies WorkerReply);
    },
  );
};

async function answer(question: Question): Promise<WorkerReply> {
  if (question.kind === "start") {
    looker = start(question.base);
    await looker;
    return { kind: "ready" };
  }
  if (looker === undefined) throw new Error("the networks are not loaded");
  return (await looker)(question);
}

async function start(base: string): Promise<Looker> {
  const compile = await openInBrowser(new URL(places.runtime, base).href);
  const model = JSON.parse(await textAt(base, webFiles.graph)) as WebModel;
  const network = readWebModel(model, await bytesAt(base, webFiles.numbers), webFiles.graph);
  const preprocessing = preprocessingOf(network);
  if (preprocessing === undefined) throw new Error(`${webFiles.graph}: says nothing of its pictures`);
  const detector = buildFaceDetector(await weightsAt(base, places.detector), places.detector);
  const landmarks = buildFaceLandmarks(await weightsAt(base, places.landmarks), places.landmarks);
  const program = compile(network);
  const parts = seenPartsOf(network, preprocessing);
  const tasks = outputTasksOf(network);
  const known = new Map(tasks.map(({ output, task }) => [output, task]));
  const views = parts && partViews(parts, preprocessing.width, (output) => known.get(output));
  const read = readAt(preprocessing, parts);
  const side = cropSide(read);
  const finder = createFinder(
    {
      detector: compile(detector.network),
      anchors: detector.anchors,
      pointFinder: compile(landmarks),
    },
    { size: side, padding: DLIB_PADDING, minScore: MIN_SCORE },
  );
  const ask = async (crops: readonly AlignedFace["crop"][]): Promise<Tensors> => {
    const x = cropsTensor(crops, WHOLE, read);
    const answers: Tensors[] = [];
    for (const shown of views?.of(x) ?? [x])
      answers.push(await program.run({ [network.inputs[0].name]: shown }));
    return views === undefined ? answers[0] : combined(views, answers);
  };
  const blank = { width: side, height: side, pixels: new Uint8Array(3 * side * side) };
  // Once before the first picture, so that its time is not that of getting ready.
  await finder.detect(blank);
  await ask([blank]);

  return async ({ id, width, height, pixels }) => {
    const began = nowMs();
    const { reduction, ...size } = workingSize({ width, height });
    const full = withoutAlpha(new Uint8Array(pixels));
    const seen = reduction === 1 ? full : resampleBox(full, { width, height }, WHOLE, size);
    const faces = await finder.alignAll({ ...size, pixels: seen });
    const found = nowMs();
    const result = faces.length === 0 ? {} : await ask(faces.map(({ crop }) => crop));
    const done = nowMs();
    return {
      kind: "seen",
      id,
      faces: faces.map((face, i) =>
        describeFace(face, rowsOf(result, network, { number: i, of: faces.length }), { tasks, reduction }),
      ),
      findMs: found - began,
      networkMs: done - found,
    };
  };
}

/** The numbers of one face. */
function rowsOf(
  result: Tensors,
  network: Network,
  row: { readonly number: number; readonly of: number },
): Record<string, number[]> {
  return Object.fromEntries(
    network.outputs.map(({ name }) => {
      const { data } = result[name];
      const width = data.length / row.of;
      return [name, Array.from(data.subarray(row.number * width, (row.number + 1) * width))];
    }),
  );
}

function describeFace(
  { box, score, crop, toPicture }: AlignedFace,
  outputs: Readonly<Record<string, readonly number[]>>,
  { tasks, reduction }: { readonly tasks: readonly OutputTask[]; readonly reduction: number },
): SeenFace {
  const whole = (value: number): number => value * reduction;
  const known: readonly { readonly output: string; readonly task?: OutputTask["task"] }[] =
    tasks.length > 0 ? tasks : [{ output: Object.keys(outputs)[0] }];
  const points = tasks.flatMap(({ output, task }) =>
    task.unit === "crop"
      ? [
          ...applySimilarity(
            toPicture,
            outputs[output].map((x) => x * crop.width),
          ),
        ]
      : [],
  );
  return {
    box: box.map(whole),
    score,
    outputs,
    lines: known.flatMap(({ output, task }) => linesOf(outputs[output], task)),
    points: points.map(whole),
    crop: { side: crop.width, pixels: crop.pixels },
  };
}

function withoutAlpha(rgba: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4, to += 3) {
    rgb[to] = rgba[from];
    rgb[to + 1] = rgba[from + 1];
    rgb[to + 2] = rgba[from + 2];
  }
  return rgb;
}

async function bytesAt(base: string, name: string): Promise<Uint8Array> {
  const response = await fetch(new URL(name, base));
  if (!response.ok) throw new Error(`${name}: the server answers ${response.status}, the file was needed`);
  return new Uint8Array(await response.arrayBuffer());
}

async function textAt(base: string, name: string): Promise<string> {
  return new TextDecoder().decode(await bytesAt(base, name));
}

/** The weights of a manifest that lies beside the page. */
async function weightsAt(base: string, manifest: string): Promise<Map<string, Parameter>> {
  const [group] = parseTfjsManifest(JSON.parse(await textAt(base, manifest)), manifest);
  const folder = manifest.slice(0, manifest.lastIndexOf("/") + 1);
  const [bytes] = await Promise.all(group.paths.map((path) => bytesAt(base, folder + path)));
  return decodeTfjsWeights(group.weights, bytes, manifest);
}
