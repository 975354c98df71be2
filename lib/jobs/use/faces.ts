/** The faces of photographs, found and aligned as `etl align` does, as inputs of a model. */
import { openAligner } from "../../align/aligner.ts";
import { cropSide, cropsTensor } from "../../align/inputs.ts";
import { readPicture } from "../../align/picture.ts";
import { DLIB_PADDING, MIN_SCORE } from "../../align/template.ts";
import { isEtlError } from "../../core/errors.ts";
import type { Crop, Preprocessing } from "../../core/artifacts.ts";
import { unreadReason } from "../../data/images/decode.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Tensor } from "../../network/network.ts";

/** Where a face is in its picture. */
export interface FacePlace {
  /** Box of the detector: x0, y0, x1, y1 in pixels of the picture, turned as its EXIF tag says. */
  readonly box: readonly [number, number, number, number];
  /** How sure the detector is, in 0..1. */
  readonly score: number;
}

/** The faces of one picture. */
interface FoundFaces {
  readonly faces: readonly FacePlace[];
  /** [faces, 3, height, width] */
  readonly x: Tensor;
}

export interface FaceFinder {
  /** The faces of a picture, the largest first; a text says why there are none. */
  find(file: string): Promise<FoundFaces | string>;
  dispose(): Promise<void>;
}

/**
 * @param crop part of the aligned crop that the model sees, fractions
 * @param preprocessing of the model
 */
export async function openFaceFinder(
  engine: Engine,
  crop: Crop,
  preprocessing: Preprocessing,
): Promise<FaceFinder> {
  const size = cropSide(preprocessing);
  const aligner = await openAligner(engine, { size, padding: DLIB_PADDING, minScore: MIN_SCORE });
  return {
    find: async (file) => {
      let picture;
      try {
        picture = await readPicture(file);
      } catch (error) {
        if (!isEtlError(error, "data") && !isEtlError(error, "io")) throw error;
        return unreadReason(file, error);
      }
      const found = await aligner.alignAll(picture);
      if (found.length === 0) return "no face was found";
      const x = cropsTensor(
        found.map((face) => face.crop),
        crop,
        preprocessing,
      );
      const pixelsOf = (value: number): number => Number((value * picture.reduction).toFixed(2));
      const faces = found.map(({ score, box: [x0, y0, x1, y1] }) => ({
        box: [pixelsOf(x0), pixelsOf(y0), pixelsOf(x1), pixelsOf(y1)] as const,
        score: Number(score.toFixed(4)),
      }));
      return { faces, x };
    },
    dispose: () => aligner.dispose(),
  };
}
