/** `--data synthetic` and `synthetic:600`: drawn faces as a labelled table. */
import type { Crop } from "../../core/artifacts.ts";
import { EtlError } from "../../core/errors.ts";
import type { RawTable } from "../dataset.ts";
import { drawFace } from "./draw.ts";
import { traitsOf } from "./traits.ts";

const DEFAULT_COUNT = 1000;
const LARGEST_COUNT = 1_000_000;

/** Name of the drawn data set. */
export const SYNTHETIC_NAME = "synthetic faces";

/** The labels of the drawn set; every fourth face is in the test part. A shorter set is the start of a longer one. */
export function syntheticTable(data: string): RawTable {
  const text = data.slice("synthetic:".length);
  const count = data === "synthetic" ? DEFAULT_COUNT : Number(text);
  if (!Number.isInteger(count) || count < 1 || count > LARGEST_COUNT) {
    throw new EtlError(
      "usage",
      `--data: found "${data}", synthetic or synthetic:N with N from 1 to ${LARGEST_COUNT} was needed`,
    );
  }
  return {
    name: SYNTHETIC_NAME,
    root: "",
    layout: "synthetic",
    columns: ["gender", "age", "emotion", "valence", "yaw"],
    rows: Array.from({ length: count }, (_, index) => {
      const { gender, age, emotion, valence, yawDegrees } = traitsOf(index);
      return {
        file: `face-${String(index).padStart(6, "0")}`,
        split: index % 4 === 3 ? "test" : "train",
        labels: [gender, String(age), emotion, String(valence), String(yawDegrees)],
      };
    }),
    crop: [0, 0, 1, 1],
    tasks: {
      "head-pose": { column: "yaw", unit: "degrees", mirror: "negate" },
      valence: { column: "valence", tolerance: 0.2 },
    },
    assumptions: [],
    problems: [],
  };
}

/** Draws the face that a row of the table names. @returns RGB, uint8 [height, width, 3] */
export function drawNamed(
  file: string,
  crop: Crop,
  size: { readonly width: number; readonly height: number },
): Uint8Array {
  return drawFace(traitsOf(Number(file.slice("face-".length))), crop, size);
}
