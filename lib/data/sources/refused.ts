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

const SCRIPT = "docs/howto-data.md has ten lines that write a labels.csv";

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
  {
    name: "APPA-REAL",
    looks: "gt_avg_train.csv with train/000000.jpg_face.jpg",
    why: "its lists give two ages, the real and the apparent one",
    hint: SCRIPT,
    detect: (folder) => listFiles(folder, /^gt_avg_(train|valid|test)\.csv$/).length > 0,
  },
  {
    name: "MegaAge",
    looks: "train_age.txt with train_name.txt",
    why: "names and ages stand in files of their own",
    hint: SCRIPT,
    detect: (folder) =>
      listFiles(folder, /^train_age\.txt$/).length > 0 && listFiles(folder, /^train_name\.txt$/).length > 0,
  },
  {
    name: "ExpW",
    looks: "label.lst with image/origin/",
    why: "a picture has a line for each of its faces",
    hint: SCRIPT,
    detect: (folder) => listFiles(folder, /^label\.lst$/).length > 0,
  },
  {
    name: "CK+",
    looks: "S005/001/S005_001_00000001.png with ..._emotion.txt",
    why: "its sequences begin neutral, and a label is that of the last picture",
    hint: SCRIPT,
    detect: (folder) =>
      folder.files.some((file) => /(^|\/)S\d{3}_\d{3}_\d{8}(_emotion\.txt|\.png)$/.test(file)) &&
      !folder.files.some((file) => /(^|\/)(anger|happy|fear)\//i.test(file)),
  },
  {
    name: "Oulu-CASIA",
    looks: "P001/Anger/000.jpeg",
    why: "its sequences begin neutral, and a label is that of the last pictures",
    hint: SCRIPT,
    detect: (folder) =>
      folder.pictures.some((file) =>
        /(^|\/)P\d{3}\/(Anger|Disgust|Fear|Happiness|Sadness|Surprise)\/\d{3}\./.test(file),
      ),
  },
  {
    name: "VGGFace2 (identity_meta.csv)",
    looks: "identity_meta.csv with n000001/0001_01.jpg",
    why: "the list gives genders of persons, not of pictures",
    hint: SCRIPT,
    detect: (folder) => listFiles(folder, /^identity_meta\.csv$/).length > 0,
  },
  {
    name: "WIDER Attribute",
    looks: "wider_attribute_trainval.json",
    why: "a picture has several persons",
    hint: SCRIPT,
    detect: (folder) => listFiles(folder, /^wider_attribute_\w+\.json$/).length > 0,
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
