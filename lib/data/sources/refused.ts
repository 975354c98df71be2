/** Public sets that are recognised so that nothing else takes them for what they are not: what to do instead is said. */
import { EtlError } from "../../core/errors.ts";
import type { Folder, SourceLayout } from "./layout.ts";
import { listFiles } from "./lists.ts";

interface Refused {
  readonly name: string;
  readonly looks: string;
  readonly why: string;
  readonly hint: string;
  readonly detect: (folder: Folder) => boolean;
}

const SETS: readonly Refused[] = [
  {
    name: "FER+ (csv)",
    looks: "fer2013new.csv",
    why: "its rows are votes of ten annotators",
    hint: "docs/howto-data.md has ten lines that write a labels.csv of the emotion with most votes",
    detect: (folder) => listFiles(folder, /^fer2013new\.csv$/).length > 0,
  },
  {
    name: "AffectNet (npy)",
    looks: "annotations/0_exp.npy beside images/0.jpg",
    why: "each label is a .npy file",
    hint: "docs/howto-data.md has ten lines that write a labels.csv of them",
    detect: (folder) => folder.files.some((file) => /(^|\/)annotations\/\d+_exp\.npy$/.test(file)),
  },
  {
    name: "BIWI Kinect",
    looks: "01/frame_00003_rgb.png with frame_00003_pose.txt",
    why: "its poses are rotation matrices, and no file says where the face is",
    hint: "docs/howto-data.md has ten lines that write a labels.csv of the yaw; then etl align finds the faces",
    detect: (folder) => folder.files.some((file) => /(^|\/)frame_\d+_pose\.txt$/.test(file)),
  },
];

/** One layout for each: recognised, and refused. */
export const refusedLayouts: readonly SourceLayout[] = SETS.map(({ name, looks, why, hint, detect }) => ({
  name,
  looks: `${looks}: not read, ${why}`,
  detect,
  read: (folder: Folder) =>
    Promise.reject(
      new EtlError("data", `--data: ${folder.root} is ${name}: ${why}, a layout that is read was needed`, {
        hint,
      }),
    ),
}));
