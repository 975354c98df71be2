/** The faces of photographs, found and aligned as `etl align` does, as inputs of a model. */
import { openAligner } from "../../align/aligner.ts";
import { readPicture } from "../../align/picture.ts";
import { DLIB_PADDING } from "../../align/template.ts";
import { isEtlError, messageOf } from "../../core/errors.ts";
import type { Crop, Preprocessing } from "../../core/artifacts.ts";
import { normalise } from "../../data/images/decode.ts";
import { resampleBox } from "../../data/images/resample.ts";
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
  const { width, height } = preprocessing;
  const size = Math.max(width, height);
  const aligner = await openAligner(engine, { size, padding: DLIB_PADDING, minScore: 0.5 });
  return {
    find: async (file) => {
      let picture;
      try {
        picture = await readPicture(file);
      } catch (error) {
        if (!isEtlError(error, "data") && !isEtlError(error, "io")) throw error;
        return messageOf(error);
      }
      const found = await aligner.alignAll(picture);
      if (found.length === 0) return "no face was found";
      const data = new Float32Array(found.length * 3 * width * height);
      found.forEach(({ crop: { pixels } }, i) => {
        const seen = resampleBox(pixels, { width: size, height: size }, crop, { width, height });
        data.set(normalise(seen, preprocessing), i * 3 * width * height);
      });
      const pixelsOf = (value: number): number => Number((value * picture.reduction).toFixed(2));
      const faces = found.map(({ score, box: [x0, y0, x1, y1] }) => ({
        box: [pixelsOf(x0), pixelsOf(y0), pixelsOf(x1), pixelsOf(y1)] as const,
        score: Number(score.toFixed(4)),
      }));
      return { faces, x: { shape: [found.length, 3, height, width], data } };
    },
    dispose: () => aligner.dispose(),
  };
}
