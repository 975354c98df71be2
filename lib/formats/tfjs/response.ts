/**
 * Local response normalisation, for which TensorFlow.js has a kernel but no stock layer: a layer of our own, whose few lines
 * are written beside the model (`layers.js`), to be registered before it is opened.
 */
import { floatAttribute, intAttribute } from "../../network/network.ts";
import { emit, layerOf, plain, refuse, shapeInOp, type Held, type WriteOp } from "./emit.ts";

/** Class of the layer in `model.json`. */
export const responseLayer = "LocalResponseNormalization";

/** LRN as ONNX defines it: x / (bias + alpha / size * sum of the squares of `size` neighbouring channels) ^ beta. */
export function responseNormalization(op: WriteOp): Held {
  const { node } = op;
  const rank = shapeInOp(op, node.inputs[0]).length;
  if (rank !== 4) throw refuse(op, `a value of ${rank} axes`, "an image");
  const config = {
    size: intAttribute(node, "size", 1),
    alpha: floatAttribute(node, "alpha", 1e-4),
    beta: floatAttribute(node, "beta", 0.75),
    bias: floatAttribute(node, "bias", 1),
  };
  return plain(emit(op, responseLayer, [layerOf(op, 0)], { config }));
}

/** File beside a `model.json` that has layers of our own. */
export const layersFile = "layers.js";

/** Only operations that every backend has, WebAssembly too, which has no kernel for the whole. */
export const layersSource = `// The layers of model.json that TensorFlow.js does not bring. Register them once, before the model is opened:
//
//   import { registerLayers } from "./layers.js";
//   registerLayers(tf);
//   const model = await tf.loadLayersModel("model.json");
//
// tf is @tensorflow/tfjs, or { ...tfjs-core, ...tfjs-layers }.
export function registerLayers(tf) {
  class ${responseLayer} extends tf.layers.Layer {
    static className = "${responseLayer}";

    constructor(config) {
      super(config);
      this.numbers = { size: config.size, alpha: config.alpha, beta: config.beta, bias: config.bias };
    }

    computeOutputShape(shape) {
      return shape;
    }

    call(inputs) {
      return tf.tidy(() => {
        const x = Array.isArray(inputs) ? inputs[0] : inputs;
        const { size, alpha, beta, bias } = this.numbers;
        const before = Math.floor((size - 1) / 2);
        const around = [[0, 0], [0, 0], [0, 0], [before, size - 1 - before]];
        const squares = tf.pad(tf.mul(x, x), around);
        const sums = Array.from({ length: size }, (_, i) => tf.slice(squares, [0, 0, 0, i], x.shape));
        const sum = sums.reduce((a, b) => tf.add(a, b));
        return tf.div(x, tf.pow(tf.add(tf.mul(sum, alpha / size), bias), tf.scalar(beta)));
      });
    }

    getConfig() {
      return { ...super.getConfig(), ...this.numbers };
    }
  }
  tf.serialization.registerClass(${responseLayer});
}
`;
