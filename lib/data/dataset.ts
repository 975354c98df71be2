/** What the data part hands on: a labelled set of pictures as plain data. */
import type { Crop, Task } from "../core/artifacts.ts";
import type { CropChoice } from "../core/crop.ts";
import type { DataProblem } from "../record/record.ts";

export type Split = "train" | "val" | "test";

/** One label column, cut into a few groups. */
export interface GroupColumn {
  readonly column: string;
  /** Names of the groups, in order; a code in `Item.groups` indexes them. */
  readonly labels: readonly string[];
}

/** One labelled picture. */
export interface Item {
  /** Relative to the data set's root. */
  readonly file: string;
  readonly split: Split;
  /** [task.outputs], in the task's target units (0/1, one-hot, radians, years, fractions of the crop). */
  readonly target: Float32Array;
  /** Multi-label, or several tasks: beside `target`, 0 where the label is missing, 1 elsewhere. */
  readonly mask?: Float32Array;
  /** Who is on the picture, where known. */
  readonly identity?: string;
  /** The list that a data set with lists of its own for cross-validation has the picture in: its column "fold". */
  readonly fold?: string;
  /** This picture's own face box (from its annotation); overrides the data set's. */
  readonly crop?: Crop;
  /** Test part: the face's group in each of the data set's `groups`; `NO_GROUP` where it has none. */
  readonly groups?: Uint8Array;
  /** Size of the file; 0 where the picture is drawn. */
  readonly bytes: number;
  /** When the file was changed last, milliseconds; part of the cache key, not of the fingerprint. */
  readonly modifiedMs: number;
}

/** A labelled data set, read and split; no pixels. */
export interface Dataset {
  readonly name: string;
  /** Absolute path of the folder; "" where the pictures are drawn. */
  readonly root: string;
  /** Name of the layout that was recognised. */
  readonly layout: string;
  readonly task: Task;
  /** Where there are several: all of them, `task` first. Items then hold their labels side by side (see joint.ts). */
  readonly tasks?: readonly Task[];
  readonly items: readonly Item[];
  /** Face box for every picture without one of its own. */
  readonly crop: Crop;
  /** Label columns that divide the test part: errors are counted by them. */
  readonly groups: readonly GroupColumn[];
  /** What was recognised or assumed, one sentence each: to be printed. */
  readonly assumptions: readonly string[];
  /** What will hurt: a class without pictures to test on, for example. */
  readonly warnings?: readonly string[];
  /** Rows and pictures that were left out, and why. */
  readonly problems: readonly DataProblem[];
  /** Hash of labels, options and file sizes; does not depend on where the folder lies. */
  readonly fingerprint: string;
  /** Absolute path of the verification pairs, where the data set has some. */
  readonly pairs?: string;
}

/** What to read, and how. */
export interface OpenDatasetOptions {
  /** A folder, its labels.csv, or `synthetic`, `synthetic:600`. */
  readonly data: string;
  readonly task: string;
  /** Label column (or several, comma-separated) in place of the task's own. */
  readonly label?: string;
  /** Face box in place of the layout's preset. */
  readonly crop?: CropChoice;
  /** Keep only this part. */
  readonly split?: Split;
  readonly seed: number;
  /** Share of the training part that becomes validation where the data have none; 0 = none. Default 0.15. */
  readonly valFraction?: number;
  /** At most this many pictures, drawn by seed. */
  readonly limit?: number;
  /** Any problem is an error. */
  readonly strict?: boolean;
  /**
   * Class names in output order, of a model that exists already: labels are matched to them by name, and classes
   * without a picture are allowed. For evaluating on another data set.
   */
  readonly classes?: readonly string[];
}

/** What a `dataset.json` (or a layout) says about one task. */
export interface TaskDeclaration {
  readonly column?: string;
  readonly columns?: readonly string[];
  /** code in the label file -> what it means. */
  readonly values?: Readonly<Record<string, string>>;
  /** Multi-label: what each code says. Default: 1 is yes, 0 or -1 no; both of them are ambiguous. */
  readonly codes?: Readonly<Record<string, "yes" | "no" | "unknown">>;
  /** Labels that stand for "not known", "999" for example; an empty list says that all numbers are meant. */
  readonly missing?: readonly string[];
  readonly unit?: string;
  /** Numbers: label x factor is in `unit` (0.08333 for ages in months). Default 1. */
  readonly factor?: number;
  readonly mirror?: Task["mirror"];
  readonly kind?: Task["kind"];
  readonly tolerance?: number;
}

/** One row as the layout found it: text, nothing interpreted. */
export interface RawRow {
  readonly file: string;
  readonly split?: Split;
  readonly identity?: string;
  /** Beside the table's `columns`. "" = no label. */
  readonly labels: readonly string[];
  /** Face box in pixels of the picture: x0, y0, x1, y1. */
  readonly box?: Crop;
}

/** What a layout reads: all labels of a folder, before a task is chosen. */
export interface RawTable {
  readonly name: string;
  readonly root: string;
  readonly layout: string;
  readonly columns: readonly string[];
  readonly rows: readonly RawRow[];
  readonly crop?: Crop;
  readonly pairs?: string;
  readonly tasks: Readonly<Record<string, TaskDeclaration>>;
  readonly assumptions: readonly string[];
  readonly problems: readonly DataProblem[];
  /** Names are given once: two pictures of one name, in whichever folders, show one photograph. */
  readonly namesOnce?: true;
  /** What to do where the names of class folders are not the labels, with the files beside them that may hold them. */
  readonly instead?: string;
  /** Why the labels may be others than those that were read; refused unless the user names the column. */
  readonly doubt?: {
    readonly found: string;
    readonly hint: string;
    /** Also where some of the classes are names that the task knows. */
    readonly always?: boolean;
  };
}

/** The whole picture. */
export const WHOLE: Crop = [0, 0, 1, 1];
