/** The page: takes pictures from a file, a drop, the clipboard or the camera, and shows what the thread answers. */
import { messageOf } from "../core/errors.ts";
import type { MediaSource, WebElement, PageFile, WebWindow } from "./dom.ts";
import type { Line } from "./lines.ts";
import type { Question, WorkerReply, SeenFace } from "./messages.ts";

/** Longest side of a camera's picture that is asked for: the detector sees 512 pixels. */
const CAMERA_SIDE = 1280;

type Seen = Extract<WorkerReply, { kind: "seen" }>;

const page = globalThis as unknown as WebWindow;
const { document, navigator } = page;

function element(id: string): WebElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`#${id} is not in the page`);
  return found;
}

const [view, faces, status, video] = ["view", "faces", "status", "video"].map(element);
const [stage, file, camera, turn, drop] = ["stage", "file", "camera", "turn", "drop"].map(element);

const worker = new page.Worker(new URL("./worker.js", import.meta.url), { type: "module" });
const waiting = new Map<number, { done: (seen: Seen) => void; failed: (error: Error) => void }>();
let asked = 0;
let showing = 0;

const ready = new Promise<void>((done, failed) => {
  worker.onerror = ({ message }) => {
    failed(new Error(message ?? "the compute thread does not start"));
  };
  worker.onmessage = ({ data }) => {
    const reply = data as WorkerReply;
    if (reply.kind === "ready") {
      done();
      return;
    }
    const question = reply.id === undefined ? undefined : waiting.get(reply.id);
    if (reply.id !== undefined) waiting.delete(reply.id);
    if (reply.kind === "seen") question?.done(reply);
    else if (question === undefined) failed(new Error(reply.message));
    else question.failed(new Error(reply.message));
  };
  worker.postMessage({ kind: "start", base: document.baseURI } satisfies Question);
});

/** Draws a picture as large as it is and asks the thread about it. */
function look(source: unknown, width: number, height: number): Promise<Seen> {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  const drawing = canvas.getContext("2d", { willReadFrequently: true });
  if (drawing === null) throw new Error("this browser draws no pictures");
  // Behind what is transparent lies the grey that the program puts there.
  drawing.fillStyle = "rgb(128, 128, 128)";
  drawing.fillRect(0, 0, width, height);
  drawing.drawImage(source, 0, 0, width, height);
  const pixels = drawing.getImageData(0, 0, width, height).data.buffer;
  const id = ++asked;
  return new Promise((done, failed) => {
    waiting.set(id, {
      done: (seen) => {
        showPicture(canvas, seen.faces, { width, height });
        done(seen);
      },
      failed,
    });
    worker.postMessage({ kind: "look", id, width, height, pixels } satisfies Question, [pixels]);
  });
}

function say(text: string): void {
  status.textContent = text;
}

async function showFile(picture: PageFile | undefined): Promise<void> {
  if (picture === undefined) return;
  await stopCamera();
  const turnNow = ++showing;
  say(`Looking at ${picture.name} …`);
  try {
    await ready;
    const bitmap = await page.createImageBitmap(picture).catch(() => {
      throw new Error(`${picture.name}: this browser cannot decode it, a JPEG, PNG or WebP was needed`);
    });
    const seen = await look(bitmap, bitmap.width, bitmap.height);
    bitmap.close();
    if (turnNow === showing) report(seen, picture.name);
  } catch (error) {
    say(messageOf(error));
  }
}

function report(seen: Seen, name: string): void {
  const count = seen.faces.length;
  const found = count === 0 ? "no face was found" : count === 1 ? "1 face" : `${count} faces`;
  const each = count === 0 ? "" : `, the network ${(seen.networkMs / count).toFixed(1)} ms per face`;
  say(`${name}: ${found}. Finding and aligning took ${seen.findMs.toFixed(0)} ms${each}.`);
  faces.replaceChildren(...seen.faces.map(faceItem));
}

function faceItem(face: SeenFace, index: number): WebElement {
  const item = document.createElement("li");
  // For whoever builds on this page: the numbers behind the words.
  item.setAttribute("data-outputs", JSON.stringify(face.outputs));
  const title = document.createElement("h2");
  title.textContent = `Face ${index + 1}`;
  const list = document.createElement("dl");
  list.append(...face.lines.flatMap(lineElements));
  const body = document.createElement("div");
  body.append(title, list);
  item.append(cropCanvas(face, index), body);
  return item;
}

function lineElements({ name, value, share }: Line): WebElement[] {
  const [term, answer] = [document.createElement("dt"), document.createElement("dd")];
  term.textContent = name;
  const text = document.createElement("span");
  text.textContent = share === undefined ? (value ?? "") : `${(100 * share).toFixed(1)} %`;
  answer.append(text);
  if (share !== undefined) {
    const bar = document.createElement("meter");
    bar.value = share;
    bar.setAttribute("aria-hidden", "true");
    answer.append(bar);
  }
  return [term, answer];
}

/** The aligned crop, as the network saw it. */
function cropCanvas({ crop: { side, pixels } }: SeenFace, index: number): WebElement {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: side, height: side });
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `Face ${index + 1}, aligned as the network sees it`);
  const image = new page.ImageData(side, side);
  for (let i = 0; i < side * side; i++) {
    image.data.set(pixels.subarray(3 * i, 3 * i + 3), 4 * i);
    image.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d")?.putImageData(image, 0, 0);
  return canvas;
}

/** The picture with a numbered box around each face, and the landmarks that the model found. */
function showPicture(
  source: WebElement,
  seen: readonly SeenFace[],
  size: { readonly width: number; readonly height: number },
): void {
  stage.hidden = false;
  Object.assign(view, size);
  const count = seen.length === 1 ? "1 face" : `${seen.length} faces`;
  view.setAttribute("aria-label", `The picture with ${count} marked`);
  const drawing = view.getContext("2d");
  if (drawing === null) return;
  drawing.drawImage(source, 0, 0, size.width, size.height);
  const unit = Math.max(size.width, size.height) / 320;
  drawing.textBaseline = "top";
  drawing.font = `bold ${12 * unit}px sans-serif`;
  seen.forEach(({ box: [x0, y0, x1, y1], points }, i) => {
    drawing.lineWidth = 1.5 * unit;
    drawing.strokeStyle = "#ffd43b";
    drawing.strokeRect(x0, y0, x1 - x0, y1 - y0);
    const label = String(i + 1);
    drawing.fillStyle = "#ffd43b";
    drawing.fillRect(x0, y0, drawing.measureText(label).width + 6 * unit, 14 * unit);
    for (let k = 0; k + 1 < points.length; k += 2)
      drawing.fillRect(points[k] - unit, points[k + 1] - unit, 2 * unit, 2 * unit);
    drawing.fillStyle = "#000000";
    drawing.fillText(label, x0 + 3 * unit, y0 + unit);
  });
}

let stream: MediaSource | undefined;
let facing: "user" | "environment" = "user";

async function startCamera(): Promise<void> {
  const { mediaDevices } = navigator;
  if (mediaDevices === undefined) {
    say("The camera needs a page from this machine (127.0.0.1) or over https.");
    return;
  }
  const turnNow = ++showing;
  try {
    say("Asking for the camera …");
    stream = await mediaDevices.getUserMedia({
      video: { facingMode: facing, width: { ideal: CAMERA_SIDE } },
      audio: false,
    });
    video.srcObject = stream;
    await video.play();
    await ready;
    cameraIs(true);
    while (turnNow === showing) {
      const { videoWidth: width, videoHeight: height } = video;
      if (width > 0) {
        const seen = await look(video, width, height);
        if (turnNow === showing) report(seen, "Camera");
      }
      await new Promise<void>((next) => {
        page.requestAnimationFrame(next);
      });
    }
  } catch (error) {
    await stopCamera();
    say(`No camera: ${messageOf(error)}`);
  }
}

function stopCamera(): Promise<void> {
  showing++;
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = undefined;
  video.srcObject = null;
  cameraIs(false);
  return Promise.resolve();
}

function cameraIs(on: boolean): void {
  camera.textContent = on ? "Stop the camera" : "Use the camera";
  camera.setAttribute("aria-pressed", String(on));
  turn.hidden = !on;
}

const first = (files: ArrayLike<PageFile> | null | undefined): PageFile | undefined => files?.[0];

file.addEventListener("change", () => {
  void showFile(first(file.files)).then(() => {
    // So that the same file can be chosen once more.
    file.value = "";
  });
});
camera.addEventListener("click", () => {
  void (stream === undefined ? startCamera() : stopCamera());
});
turn.addEventListener("click", () => {
  facing = facing === "user" ? "environment" : "user";
  void stopCamera().then(startCamera);
});
for (const type of ["dragenter", "dragover"]) {
  document.addEventListener(type, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", true);
  });
}
for (const type of ["dragleave", "drop"]) {
  document.addEventListener(type, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", false);
    void showFile(first(event.dataTransfer?.files));
  });
}
document.addEventListener("paste", (event) => {
  void showFile(first(event.clipboardData?.files));
});

ready.then(
  () => {
    say("Ready. Choose a photograph, drop one here, paste one, or use the camera.");
    document.body.setAttribute("data-ready", "true");
  },
  (error: unknown) => {
    say(`This page does not start: ${messageOf(error)}`);
  },
);
