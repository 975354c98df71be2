/** A network as a tfjs layers model: `model.json` and binary shards, to be opened with `tf.loadLayersModel`. */
import { EtlError } from "../../core/errors.ts";
import type { Network } from "../../network/network.ts";
import { inferShapes } from "../../network/shapes/infer.ts";
import { addLayer, asImage, createEmitter, plain, refuse, type Emitter } from "./emit.ts";
import { graphKey, graphOf } from "./graph.ts";
import { layersFile, layersSource, responseLayer } from "./response.ts";
import { operatorWriters } from "./operators.ts";

/** Bytes of a shard: what browsers cache well, and tfjs's own choice. */
const shardBytes = 4 * 1024 * 1024;

/** Operators that can be written, sorted. */
const tfjsOperators: readonly string[] = Object.keys(operatorWriters).sort();

/**
 * Writes a network for tfjs. Images have their channels last there; everything else about the function stays. The
 * network's metadata and its own graph become the model's `userDefinedMetadata`.
 *
 * @returns file name -> bytes: `model.json`, `group1-shard1of2.bin` ..., and `layers.js` where a layer is none of tfjs's own
 * @throws EtlError kind `unsupported` that names the node which no stock layer of tfjs can replace
 */
export function writeTfjs(network: Network): Map<string, Uint8Array> {
  for (const { name, shape, type } of network.inputs) {
    const sizes = shape.slice(1);
    if (
      type !== "float32" ||
      (shape.length !== 4 && shape.length !== 2) ||
      sizes.some((dim) => typeof dim === "string")
    ) {
      throw new EtlError(
        "unsupported",
        `${network.name}: input "${name}" is ${type} [${shape.join(", ")}], float32 [n, channels, height, width] of fixed size was needed for tfjs`,
        { hint: "where height and width are open, say them with --size HEIGHTxWIDTH" },
      );
    }
  }
  const emitter = createEmitter(network, inferShapes(network));
  const inputs = network.inputs.map(({ name, shape }) => {
    const [channels, height, width] = shape.slice(1);
    const last = shape.length === 4 ? [height, width, channels] : [channels];
    const config = { batch_input_shape: [null, ...last], sparse: false };
    const layer = addLayer(emitter, "InputLayer", [], { label: name, config, weights: {} });
    emitter.held.set(name, plain(layer));
    return layer;
  });
  for (const node of network.nodes) {
    if (emitter.fused.has(node.name)) continue;
    const op = { emitter, node };
    if (node.domain !== "" || !Object.hasOwn(operatorWriters, node.op)) {
      throw refuse(op, "no stock layer of tfjs does this", `one of ${tfjsOperators.join(", ")}`);
    }
    emitter.held.set(node.outputs[0], operatorWriters[node.op](op));
  }
  return filesOf(emitter, inputs);
}

function filesOf(emitter: Emitter, inputs: readonly string[]): Map<string, Uint8Array> {
  const { network, layers, weights, origins, held } = emitter;
  const outputs = network.outputs.map(({ name }) => {
    const value = held.get(name);
    if (value !== undefined) return asImage(emitter, value);
    throw new EtlError(
      "unsupported",
      `${network.name}: output "${name}" is a constant, a computed value was needed`,
    );
  });
  const reference = (layer: string): unknown => [layer, 0, 0];
  const modelConfig = {
    class_name: "Model",
    config: {
      name: network.name,
      layers,
      input_layers: inputs.map(reference),
      output_layers: outputs.map(reference),
    },
  };
  const bytes = Buffer.concat(
    weights.map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength)),
  );
  const count = Math.ceil(bytes.length / shardBytes);
  const paths = Array.from({ length: count }, (_, i) => `group1-shard${i + 1}of${count}.bin`);
  const model = {
    format: "layers-model",
    generatedBy: "etl-prune",
    convertedBy: null,
    modelTopology: { keras_version: "2.4.0", backend: "tensorflow", model_config: modelConfig },
    weightsManifest: [
      { paths, weights: weights.map(({ name, shape }) => ({ name, shape, dtype: "float32" })) },
    ],
    userDefinedMetadata: { ...network.metadata, [graphKey]: graphOf(network, origins, modelConfig) },
  };
  const files = new Map<string, Uint8Array>([
    ["model.json", new TextEncoder().encode(JSON.stringify(model))],
  ]);
  paths.forEach((path, i) => {
    files.set(path, Uint8Array.from(bytes.subarray(i * shardBytes, (i + 1) * shardBytes)));
  });
  if (layers.some(({ class_name }) => class_name === responseLayer))
    files.set(layersFile, new TextEncoder().encode(layersSource));
  return files;
}
