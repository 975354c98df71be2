/** From a picture to aligned crops: detect, find landmarks, bring them onto the template. Runs in a browser, too. */
import { faceDetectorPreprocessing, faceDetectorValues } from "../backbones/nets/face-detector.ts";
import { faceLandmarksPreprocessing, faceLandmarksValues } from "../backbones/nets/face-landmarks.ts";
import type { Program } from "../engine/engine.ts";
import { areaOf, detectionsOf, overlapOf, type Box, type Detection } from "./detections.ts";
import { faceSquare, squarePixels, squareTensor, wholeSquare, type Square } from "./inputs.ts";
import type { Picture } from "./pixels.ts";
import { fitSimilarity, type Similarity } from "./similarity.ts";
import { templateLandmarks, templatePoints } from "./template.ts";
import { warp } from "./warp.ts";

/** A face of a picture; all places in pixels of the picture. */
interface Face {
  readonly score: number;
  readonly box: Box;
}

/** The face that was taken, and its crop. */
export interface AlignedFace extends Face {
  /** x0, y0, ... of the 68 points. */
  readonly landmarks: Float64Array;
  /** Brings pixels of the crop to pixels of the picture. */
  readonly toPicture: Similarity;
  readonly crop: Picture;
  /** How many faces were found in the picture. */
  readonly faces: number;
  /** Whether it was found only with a margin around the picture: the face fills it. */
  readonly margin: boolean;
}

export interface AlignerOptions {
  /** Side of the crops in pixels. */
  readonly size: number;
  /** Room around the mean face on every side, in its widths. */
  readonly padding: number;
  /** How sure the detector must be, in 0..1. */
  readonly minScore: number;
}

/** What the finder computes with: the two networks, compiled, and the boxes that the detector's outputs are relative to. */
export interface FinderParts {
  readonly detector: Pick<Program, "run">;
  readonly anchors: Float32Array;
  readonly pointFinder: Pick<Program, "run">;
}

export interface Finder {
  /** All faces, the surest first. With `margin`, the picture is searched with so much black around it (of its side). */
  detect(picture: Picture, margin?: number): Promise<Face[]>;
  /** The 68 points of a face. @returns x0, y0, ... in pixels of the picture */
  landmarks(picture: Picture, box: Box): Promise<Float64Array>;
  /**
   * The largest face, aligned; undefined where there is none.
   *
   * @param near a box in pixels of the picture: the face that it is about is taken, and no other
   */
  align(picture: Picture, near?: Box): Promise<AlignedFace | undefined>;
  /** Every face, aligned, the largest first. */
  alignAll(picture: Picture): Promise<AlignedFace[]>;
}

/** Margin of the second look at a picture in which no face was found: a face that fills its picture is missed. */
const MARGIN = 0.5;

/** The finder, whatever engine runs its networks. */
export function createFinder(
  { detector, anchors, pointFinder }: FinderParts,
  { size, padding, minScore }: AlignerOptions,
): Finder {
  const template = templatePoints(size, padding);

  const detect = async (picture: Picture, margin = 0): Promise<Face[]> => {
    const square = wholeSquare(picture, margin);
    const inside: Box = [0, 0, picture.width, picture.height];
    const pixels = squarePixels(picture, square, { inside, size: faceDetectorPreprocessing.width });
    const { input, boxes, scores } = faceDetectorValues;
    const outputs = await detector.run({ [input]: squareTensor(pixels, faceDetectorPreprocessing) });
    const candidates = { scores: outputs[scores].data, encoded: outputs[boxes].data, anchors };
    return detectionsOf(candidates, { minScore }).flatMap((found) => inPicture(found, square, inside));
  };

  const landmarks = async (picture: Picture, box: Box): Promise<Float64Array> => {
    const square = faceSquare(box);
    const pixels = squarePixels(picture, square, { inside: box, size: faceLandmarksPreprocessing.width });
    const { input, points } = faceLandmarksValues;
    const outputs = await pointFinder.run({ [input]: squareTensor(pixels, faceLandmarksPreprocessing) });
    return Float64Array.from(
      outputs[points].data,
      (value, i) => (i % 2 === 0 ? square.x : square.y) + value * square.side,
    );
  };

  const find = async (picture: Picture): Promise<{ faces: Face[]; margin: boolean }> => {
    const near = await detect(picture);
    const margin = near.length === 0;
    const faces = margin ? await detect(picture, MARGIN) : near;
    return { faces: faces.toSorted((a, b) => areaOf(b.box) - areaOf(a.box)), margin };
  };

  const alignFirst = async (picture: Picture, most: number, near?: Box): Promise<AlignedFace[]> => {
    const { faces, margin } = await find(picture);
    const wanted = near === undefined ? faces : facesAt(faces, near);
    const aligned: AlignedFace[] = [];
    for (const face of wanted.slice(0, most)) {
      const points = await landmarks(picture, face.box);
      const toPicture = steady(fitSimilarity(template, templateLandmarks(points)));
      const crop = warp(picture, toPicture, size);
      aligned.push({ ...face, landmarks: points, toPicture, crop, faces: faces.length, margin });
    }
    return aligned;
  };

  return {
    detect,
    landmarks,
    align: async (picture, near) => (await alignFirst(picture, 1, near)).at(0),
    alignAll: (picture) => alignFirst(picture, Infinity),
  };
}

/** Faces whose middle lies in a box, the one that covers it best first. */
function facesAt(faces: readonly Face[], near: Box): Face[] {
  const [x0, y0, x1, y1] = near;
  return faces
    .filter(({ box }) => {
      const [x, y] = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
      return x >= x0 && x <= x1 && y >= y0 && y <= y1;
    })
    .toSorted((a, b) => overlapOf(b.box, near) - overlapOf(a.box, near));
}

/** A detection in pixels of the picture, cut at its edge; none where nothing of it lies inside. */
function inPicture({ score, box }: Detection, { x, y, side }: Square, inside: Box): Face[] {
  const cut: Box = [
    Math.max(inside[0], x + box[0] * side),
    Math.max(inside[1], y + box[1] * side),
    Math.min(inside[2], x + box[2] * side),
    Math.min(inside[3], y + box[3] * side),
  ];
  const [x0, y0, x1, y1] = cut.map((value) => onGrid(value, BOX_STEPS));
  return x1 > x0 && y1 > y0 ? [{ score, box: [x0, y0, x1, y1] }] : [];
}

/**
 * Engines round differently, and a crop has whole steps of brightness: without a grid for the box and the transform,
 * a hundred-thousandth of a pixel moves some of the crop's values by a step, and the answer in its fourth digit.
 */
const BOX_STEPS = 16;
/** Of a pixel, for shifts. */
const SHIFT_STEPS = 64;
/** For the turn: a step is a fiftieth of a pixel at the far side of a crop of 150. */
const TURN_STEPS = 8192;

function onGrid(value: number, steps: number): number {
  return Math.round(value * steps) / steps;
}

function steady({ a, b, tx, ty }: Similarity): Similarity {
  return {
    a: onGrid(a, TURN_STEPS),
    b: onGrid(b, TURN_STEPS),
    tx: onGrid(tx, SHIFT_STEPS),
    ty: onGrid(ty, SHIFT_STEPS),
  };
}
