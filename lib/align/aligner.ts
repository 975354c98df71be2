/** The finder of faces on an engine of this program, with the networks of the installed package. */
import { loadFaceDetector, loadFaceLandmarks } from "../backbones/nets/face-api-files.ts";
import type { Engine } from "../engine/engine.ts";
import { createFinder, type AlignerOptions, type Finder } from "./finder.ts";

/** The two networks, compiled. Whoever opens it disposes. */
export interface Aligner extends Finder {
  dispose(): Promise<void>;
}

/** Compiles detector and landmark network. */
export async function openAligner(engine: Engine, options: AlignerOptions): Promise<Aligner> {
  const { network, anchors } = await loadFaceDetector();
  const detector = await engine.compile(network);
  const pointFinder = await engine.compile(await loadFaceLandmarks());
  return {
    ...createFinder({ detector, anchors, pointFinder }, options),
    dispose: async () => {
      await detector.dispose();
      await pointFinder.dispose();
    },
  };
}
