/** Where things lie in the folder of the page. */
export const places = {
  /** The `.wasm` files and the libraries, with a slash behind. */
  runtime: "runtime/",
  /** Weight manifests of the networks that find faces. */
  detector: "faces/ssd_mobilenetv1_model-weights_manifest.json",
  landmarks: "faces/face_landmark_68_model-weights_manifest.json",
  /** The modules of this program that run in the page, as they lie in `lib`. */
  code: "lib/",
} as const;
