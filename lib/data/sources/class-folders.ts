/** An image folder: one sub-folder per class, or `train/`, `val/` and `test/` with one sub-folder per class each. */
import { basename } from "node:path";
import type { RawRow } from "../dataset.ts";
import { partOf } from "./names.ts";
import type { Folder, SourceLayout } from "./layout.ts";

/** Why a picture has no class. */
export const OUTSIDE = "lies outside the class folders";

export const classFolders: SourceLayout = {
  name: "image folder",
  looks: "one sub-folder of pictures per class, perhaps inside train/ and test/",
  detect: (folder) => depthOf(folder) !== undefined,
  read: (folder) => {
    const inParts = depthOf(folder) === 2;
    const problems: { file: string; problem: string }[] = [];
    const rows = folder.pictures.flatMap((file): RawRow[] => {
      const parts = file.split("/");
      const split = inParts ? partOf(parts[0]) : undefined;
      const depth = inParts ? 2 : 1;
      if (parts.length <= depth || (inParts && split === undefined)) {
        problems.push({ file, problem: OUTSIDE });
        return [];
      }
      return [{ file, labels: [parts[depth - 1]], ...(split !== undefined && { split }) }];
    });
    for (const { file, problem } of folder.unread) problems.push({ file, problem });
    return Promise.resolve({
      name: basename(folder.root),
      root: folder.root,
      layout: classFolders.name,
      columns: ["class"],
      rows,
      tasks: {},
      assumptions: ["labels: the names of the sub-folders"],
      problems,
    });
  },
};

/** 1: classes at the top; 2: classes inside parts; undefined: no class folders. */
function depthOf(folder: Folder): 1 | 2 | undefined {
  const nested = folder.pictures.filter((file) => file.includes("/"));
  const top = new Set(nested.map((file) => file.slice(0, file.indexOf("/"))));
  // Where parts divide the pictures, they lie at the top, all of them, with classes below. A class may be called "test".
  const divided = [...top].every((name) => partOf(name) !== undefined);
  const deep = nested.some((file) => file.split("/").length > 2);
  if (top.size > 0 && divided) return deep ? 2 : undefined;
  const hasTraining = [...top].some((name) => partOf(name) === "train");
  const below = nested.filter((file) => partOf(file.slice(0, file.indexOf("/"))) !== undefined);
  if (hasTraining && below.some((file) => file.split("/").length > 2)) return 2;
  return top.size >= 1 ? 1 : undefined;
}
