/**
 * AFEW-VA: one folder per clip (`001/001.json` with valence, arousal and 68 landmarks per frame, `001/00000.png`, ...).
 * The actor is the identity; the crop is a square around the landmarks.
 */
import { isRecord } from "../../core/own.ts";
import { dirname, join } from "node:path";
import { readJson } from "../../core/files.ts";
import type { Crop } from "../../core/artifacts.ts";
import type { DataProblem } from "../../record/record.ts";
import type { RawRow } from "../dataset.ts";
import { mapLimit } from "../../core/parallel.ts";
import type { Folder, SourceLayout } from "./layout.ts";

const CLIP = /^(?:.*\/)?(\d{3})\/\1\.json$/;

export const afewVa: SourceLayout = {
  name: "AFEW-VA",
  looks: "folders 001/ with 001.json and frames",
  detect: (folder) => folder.files.some((file) => CLIP.test(file)),
  read: async (folder) => {
    const clips = folder.files.filter((file) => CLIP.test(file));
    const found = await mapLimit(clips, 16, (clip) => readClip(folder, clip));
    return {
      name: "AFEW-VA",
      root: folder.root,
      layout: afewVa.name,
      columns: ["valence", "arousal"],
      rows: found.flatMap(({ rows }) => rows),
      // Labels run from -10 to 10.
      tasks: {
        emotion: { column: "valence", kind: "regression" as const, tolerance: 2 },
        valence: { column: "valence", tolerance: 2 },
      },
      assumptions: ["identity: the actor", "crop: a square around the landmarks of each frame"],
      problems: found.flatMap(({ problems }) => problems),
    };
  },
};

async function readClip(folder: Folder, clip: string): Promise<{ rows: RawRow[]; problems: DataProblem[] }> {
  const json = await readJson(join(folder.root, clip));
  const { actor, frames } = isRecord(json) ? json : {};
  if (!isRecord(frames)) return { rows: [], problems: [{ file: clip, problem: 'has no "frames"' }] };
  const rows: RawRow[] = [];
  const problems: DataProblem[] = [];
  for (const [name, frame] of Object.entries(frames)) {
    const file = `${dirname(clip)}/${name}.png`;
    if (!isRecord(frame)) {
      problems.push({ file, problem: "frame is not an object" });
      continue;
    }
    const box = boxOf(frame["landmarks"]);
    rows.push({
      file,
      labels: [numberText(frame["valence"]), numberText(frame["arousal"])],
      identity: typeof actor === "string" && actor !== "" ? actor : `clip ${dirname(clip)}`,
      ...(box && { box }),
    });
  }
  return { rows, problems };
}

/** A square of 1.4 times the larger side of the points' box. */
function boxOf(landmarks: unknown): Crop | undefined {
  if (!Array.isArray(landmarks)) return undefined;
  const points = (landmarks as unknown[]).filter(
    (point): point is [number, number] =>
      Array.isArray(point) && typeof point[0] === "number" && typeof point[1] === "number",
  );
  if (points.length < 2) return undefined;
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const half = 0.7 * Math.max(right - left, bottom - top);
  const [x, y] = [(left + right) / 2, (top + bottom) / 2];
  return half > 0 ? [x - half, y - half, x + half, y + half] : undefined;
}

function numberText(value: unknown): string {
  return typeof value === "number" ? String(value) : "";
}
