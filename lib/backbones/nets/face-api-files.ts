/** The files of the installed package `@vladmandic/face-api`, and its two networks that find faces. */
import { createRequire } from "node:module";
import { EtlError } from "../../core/errors.ts";
import { readTfjsWeights } from "../../formats/tfjs/weights.ts";
import type { Network } from "../../network/network.ts";
import { buildFaceDetector, type FaceDetector } from "./face-detector.ts";
import { buildFaceLandmarks } from "./face-landmarks.ts";

/** The package's models that find a face in a photograph and its landmarks. */
export const faceModels = { detector: "ssd_mobilenetv1_model", landmarks: "face_landmark_68_model" } as const;

/**
 * The weight manifest of one of the package's models.
 *
 * @param model file name up to `-weights_manifest.json`, for example `face_recognition_model`
 */
export function faceApiManifest(model: string): string {
  const file = `@vladmandic/face-api/model/${model}-weights_manifest.json`;
  try {
    return createRequire(import.meta.url).resolve(file);
  } catch (cause) {
    throw new EtlError("io", `${file}: not found, the package with the weights was needed`, {
      hint: "run npm install: @vladmandic/face-api is one of the dependencies",
      cause,
    });
  }
}

/** The face detector with the weights of a manifest (default: those of the installed package). */
export async function loadFaceDetector(
  manifest: string = faceApiManifest(faceModels.detector),
): Promise<FaceDetector> {
  return buildFaceDetector(await readTfjsWeights(manifest), manifest);
}

/** The landmark network with the weights of a manifest (default: those of the installed package). */
export async function loadFaceLandmarks(
  manifest: string = faceApiManifest(faceModels.landmarks),
): Promise<Network> {
  return buildFaceLandmarks(await readTfjsWeights(manifest), manifest);
}
