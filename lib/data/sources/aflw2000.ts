/**
 * AFLW2000-3D and 300W-LP: `image00002.jpg` with `image00002.mat` beside it: `Pose_Para` (pitch, yaw, roll, ... in radians) and the
 * 68 points `pt3d_68` in pixels, around which the crop is laid.
 */
import { join } from "node:path";
import { messageOf } from "../../core/errors.ts";
import { readBytes } from "../../core/files.ts";
import type { Crop } from "../../core/artifacts.ts";
import type { RawRow } from "../dataset.ts";
import { mapLimit } from "../../core/parallel.ts";
import type { SourceLayout } from "./layout.ts";
import { readMat, type MatMatrix } from "./mat.ts";

export const aflw2000: SourceLayout = {
  name: "AFLW2000-3D",
  looks: "pictures with .mat files of the same name",
  detect: (folder) => {
    const pictures = new Set(folder.pictures.map((file) => file.replace(/\.\w+$/, "")));
    return folder.files.some((file) => file.endsWith(".mat") && pictures.has(file.slice(0, -4)));
  },
  read: async (folder) => {
    const files = new Set(folder.files);
    const found = await mapLimit(folder.pictures, 16, async (file): Promise<RawRow | string> => {
      const mat = file.replace(/\.\w+$/, ".mat");
      if (!files.has(mat)) return "there is no .mat file beside it";
      let variables: Map<string, MatMatrix>;
      try {
        variables = readMat(await readBytes(join(folder.root, mat)), mat);
      } catch (error) {
        return messageOf(error);
      }
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

/** 300W-LP turns and flips each photograph many times: `AFW_Flip/AFW_134212_1_3.jpg` is one of them. */
function photographOf(file: string): string | undefined {
  const match = /(?:^|\/)(AFW|HELEN|IBUG|LFPW)(?:_Flip)?\/([^/]+)_\d+\.\w+$/i.exec(file);
  return match === null ? undefined : `${match[1].toUpperCase()}/${match[2]}`;
}

/** A square of 1.4 times the larger side of the points' box. @param points [2 or 3, n], column-major */
function boxOf(points: MatMatrix | undefined): Crop | undefined {
  const rows = points?.shape[0] ?? 0;
  if (points === undefined || rows < 2) return undefined;
  const xs = points.data.filter((_, i) => i % rows === 0);
  const ys = points.data.filter((_, i) => i % rows === 1);
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const [top, bottom] = [Math.min(...ys), Math.max(...ys)];
  const half = 0.7 * Math.max(right - left, bottom - top);
  const [x, y] = [(left + right) / 2, (top + bottom) / 2];
  return half > 0 ? [x - half, y - half, x + half, y + half] : undefined;
}
