/**
 * AFLW2000-3D and 300W-LP: `image00002.jpg` with `image00002.mat` beside it: `Pose_Para` (pitch, yaw, roll, ... in radians) and the
 * 68 points `pt3d_68` in pixels, around which the crop is laid.
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { needWithin } from "../../core/budget.ts";
import { messageOf } from "../../core/errors.ts";
import { readBytes } from "../../core/files.ts";
import type { Crop } from "../../core/artifacts.ts";
import type { RawRow } from "../dataset.ts";
import { mapLimit } from "../../core/parallel.ts";
import type { SourceLayout } from "./layout.ts";
import { readMatBeside, type MatMatrix, type Unpacked } from "./mat.ts";

/** What is read of a file; others lie in it that are larger. */
const wanted = new Set(["Pose_Para", "pt3d_68", "pt2d"]);

export const aflw2000: SourceLayout = {
  name: "AFLW2000-3D",
  looks: "pictures with .mat files of the same name",
  detect: (folder) => {
    const pictures = new Set(folder.pictures.map((file) => file.replace(/\.\w+$/, "")));
    return folder.files.some((file) => file.endsWith(".mat") && pictures.has(file.slice(0, -4)));
  },
  read: async (folder) => {
    const files = new Set(folder.files);
    const total: Unpacked = { bytes: 0 };
    const found = await mapLimit(folder.pictures, 16, async (file): Promise<RawRow | string> => {
      const mat = file.replace(/\.\w+$/, ".mat");
      if (!files.has(mat)) return "there is no .mat file beside it";
      const variables = await variablesOf(join(folder.root, mat), mat, total);
      needWithin(folder.root, "allBeside", total.bytes);
      if (typeof variables === "string") return variables;
      const pose = variables.get("Pose_Para");
      if (pose === undefined || pose.data.length < 3) return `${mat} has no Pose_Para`;
      const box = boxOf(variables.get("pt3d_68") ?? variables.get("pt2d"));
      const [pitch, yaw, roll] = pose.data;
      const photograph = photographOf(file);
      const labels = [String(yaw), String(pitch), String(roll)];
      return { file, labels, ...(photograph && { identity: photograph }), ...(box && { box }) };
    });
    const rendered = folder.pictures.some((file) => photographOf(file) !== undefined);
    return {
      name: rendered ? "300W-LP" : "AFLW2000-3D",
      root: folder.root,
      layout: aflw2000.name,
      columns: ["yaw", "pitch", "roll"],
      rows: found.filter((row) => typeof row !== "string"),
      tasks: { "head-pose": { column: "yaw", unit: "radians", mirror: "negate" as const } },
      assumptions: [
        "crop: a square around the 68 points of each .mat file",
        ...(rendered ? ["identity: renderings and flips of one photograph stay in one part"] : []),
      ],
      problems: found.flatMap((row, i) =>
        typeof row === "string" ? [{ file: folder.pictures[i], problem: row }] : [],
      ),
    };
  },
};

/** What a file says, or why it says nothing. */
async function variablesOf(
  path: string,
  name: string,
  total: Unpacked,
): Promise<Map<string, MatMatrix> | string> {
  try {
    needWithin(name, "beside", (await stat(path)).size);
    return readMatBeside(await readBytes(path), name, { only: wanted, total });
  } catch (error) {
    return messageOf(error);
  }
}

/** 300W-LP turns and flips each photograph many times: `AFW_Flip/AFW_134212_1_3.jpg` is one of them. */
function photographOf(file: string): string | undefined {
  const match = /(?:^|\/)(AFW|HELEN|IBUG|LFPW)(?:_Flip)?\/([^/]+)_\d+\.\w+$/i.exec(file);
  return match === null ? undefined : `${match[1].toUpperCase()}/${match[2]}`;
}

/** A square of 1.4 times the larger side of the points' box. @param points [2 or 3, n], column-major */
function boxOf(points: MatMatrix | undefined): Crop | undefined {
  const rows = points?.shape[0] ?? 0;
  if (points === undefined || rows < 2) return undefined;
  const among = (row: number, further: (a: number, b: number) => number): number =>
    points.data.reduce(
      (found, value, i) => (i % rows === row ? further(found, value) : found),
      points.data[row],
    );
  const [left, right] = [among(0, Math.min), among(0, Math.max)];
  const [top, bottom] = [among(1, Math.min), among(1, Math.max)];
  const half = 0.7 * Math.max(right - left, bottom - top);
  const [x, y] = [(left + right) / 2, (top + bottom) / 2];
  return half > 0 && Number.isFinite(half + x + y) ? [x - half, y - half, x + half, y + half] : undefined;
}
