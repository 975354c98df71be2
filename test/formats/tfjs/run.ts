/** A tfjs model run by tfjs itself, so that what we write is judged by its reader. */
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import * as layers from "@tensorflow/tfjs-layers";
import type { Network, Tensor } from "../../../lib/network/network.ts";
import { permute } from "../../../lib/formats/permute.ts";

interface Manifest {
  readonly modelTopology: object;
  readonly weightsManifest: readonly { paths: readonly string[]; weights: tf.io.WeightsManifestEntry[] }[];
  readonly userDefinedMetadata?: Record<string, unknown>;
}

/** Opens the files of a layers model with plain tfjs. */
export async function openTfjs(files: ReadonlyMap<string, Uint8Array>): Promise<layers.LayersModel> {
  await tf.setBackend("cpu");
  const model = JSON.parse(new TextDecoder().decode(files.get("model.json"))) as Manifest;
  const [group] = model.weightsManifest;
  const own = files.get("layers.js");
  if (own !== undefined) {
    const url = `data:text/javascript;base64,${Buffer.from(own).toString("base64")}`;
    const { registerLayers } = (await import(url)) as { registerLayers: (all: object) => void };
    registerLayers({ ...tf, ...layers });
  }
  const bytes = Buffer.concat(group.paths.map((path) => files.get(path) ?? new Uint8Array()));
  return layers.loadLayersModel(
    tf.io.fromMemory({
      modelTopology: model.modelTopology,
      weightSpecs: group.weights,
      weightData: Uint8Array.from(bytes).buffer,
      ...(model.userDefinedMetadata ? { userDefinedMetadata: model.userDefinedMetadata } : {}),
    }),
  );
}

/** Outputs of a tfjs model, inputs and outputs turned between channels first and channels last. */
export async function runTfjs(
  files: ReadonlyMap<string, Uint8Array>,
  network: Network,
  inputs: Readonly<Record<string, Tensor>>,
): Promise<Record<string, Tensor>> {
  const model = await openTfjs(files);
  try {
    const fed = network.inputs.map(({ name }) => {
      const { data, shape } = inputs[name];
      if (shape.length === 2) return tf.tensor2d(data, [shape[0], shape[1]]);
      const [n, c, h, w] = shape;
      return tf.tensor4d(permute(data, shape, [0, 2, 3, 1]), [n, h, w, c]);
    });
    const made = model.predict(fed.length === 1 ? fed[0] : fed);
    const list = Array.isArray(made) ? made : [made];
    return Object.fromEntries(
      network.outputs.map(({ name }, i): [string, Tensor] => {
        const { shape } = list[i];
        const data = Float32Array.from(list[i].dataSync());
        if (shape.length !== 4) return [name, { shape, data }];
        const [n, h, w, c] = shape;
        return [name, { shape: [n, c, h, w], data: permute(data, shape, [0, 3, 1, 2]) }];
      }),
    );
  } finally {
    model.dispose();
  }
}
