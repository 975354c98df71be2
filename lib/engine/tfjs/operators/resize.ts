/** Resize: along each axis a product with a matrix of interpolation weights, so that one rule covers every mode. */
import * as tf from "@tensorflow/tfjs-core";
import { floatAttribute, intAttribute, intsAttribute, stringAttribute } from "../../../network/network.ts";
import { fromFront } from "../../../network/operators/attributes.ts";
import { knownInput, neededInput, type Operator, type Operators, type TfjsSite, trained } from "../site.ts";
import { TfjsValue } from "../value.ts";
import { tensorProduct } from "./products.ts";

interface Axis {
  readonly axis: number;
  readonly size: number;
  readonly output: number;
  readonly scale: number;
  /** Start and end of the region of `tf_crop_and_resize`, as fractions. */
  readonly region: readonly [number, number];
}

const resize: Operator["prepare"] = (site) => {
  const shape = site.input(0);
  const [output] = site.outputs;
  if (intAttribute(site.node, "antialias", 0) === 1)
    return site.fail("antialiasing", "resizing without it was needed");
  const rank = shape.length;
  const axes = axesOf(site).filter(
    ({ axis, scale, region }) =>
      output[axis] !== shape[axis] || scale !== 1 || region[0] !== 0 || region[1] !== 1,
  );
  const matrices = axes.map((axis) => ({ axis: axis.axis, matrix: weights(site, axis) }));
  return (inputs) => {
    const y = matrices.reduce((x, { axis, matrix }) => {
      const order = [...x.shape.keys()].filter((i) => i !== axis).concat(axis);
      const back = [...x.shape.keys()].map((i) => order.indexOf(i));
      const size = x.shape[axis];
      const rows = tf.reshape(tf.transpose(x, order), [-1, size]);
      const made = tensorProduct(rows, tf.tensor(matrix, [size, output[axis]]));
      const wide = order.map((i) => (i === axis ? output[axis] : x.shape[i]));
      return tf.transpose(tf.reshape(made, wide), back);
    }, neededInput(inputs, 0).first());
    return [new TfjsValue(output, rank === 0 || matrices.length === 0 ? tf.clone(y) : y)];
  };
};

function axesOf(site: TfjsSite): Axis[] {
  const { node } = site;
  const shape = site.input(0);
  const rank = shape.length;
  const axes = intsAttribute(
    node,
    "axes",
    shape.map((_, i) => i),
  ).map((axis) => fromFront(axis, rank));
  const listed = (index: number, what: string): readonly number[] | undefined =>
    site.has(index) && site.input(index)[0] !== 0 ? knownInput(site, index, what) : undefined;
  const sizes = listed(3, "sizes");
  const scales = sizes === undefined ? listed(2, "scales") : undefined;
  const isCrop =
    stringAttribute(node, "coordinate_transformation_mode", "half_pixel") === "tf_crop_and_resize";
  const roi = isCrop ? knownInput(site, 1, "regions") : [];
  const ratios = axes.map((axis, i) => (sizes === undefined ? 1 : sizes[i] / shape[axis]));
  const policy = stringAttribute(node, "keep_aspect_ratio_policy", "stretch");
  const common = policy === "not_larger" ? Math.min(...ratios) : Math.max(...ratios);
  return axes.map((axis, i) => ({
    axis,
    size: shape[axis],
    output: site.outputs[0][axis],
    scale: scales?.[i] ?? (policy === "stretch" ? ratios[i] : common),
    region: isCrop ? [roi[i], roi[i + axes.length]] : [0, 1],
  }));
}

/** Where output position `x` lies in the input; names are ONNX's. */
function coordinate(site: TfjsSite, x: number, { size, output, scale, region: [start, end] }: Axis): number {
  const mode = stringAttribute(site.node, "coordinate_transformation_mode", "half_pixel");
  switch (mode) {
    case "half_pixel":
      return (x + 0.5) / scale - 0.5;
    case "half_pixel_symmetric": {
      const adjustment = output / (scale * size);
      return (size / 2) * (1 - adjustment) + (x + 0.5) / scale - 0.5;
    }
    case "pytorch_half_pixel":
      return output > 1 ? (x + 0.5) / scale - 0.5 : 0;
    case "align_corners":
      return output > 1 ? (x * (size - 1)) / (output - 1) : 0;
    case "asymmetric":
      return x / scale;
    case "tf_crop_and_resize":
      return output > 1
        ? start * (size - 1) + (x * (end - start) * (size - 1)) / (output - 1)
        : 0.5 * (start + end) * (size - 1);
    default:
      return site.fail(`coordinates "${mode}"`, "a mode of the ONNX operator was needed");
  }
}

/** Matrix [size, output]: column j holds the weights of output j. */
function weights(site: TfjsSite, axis: Axis): Float32Array {
  const { node } = site;
  const { size, output } = axis;
  const mode = stringAttribute(node, "mode", "nearest");
  const isCrop = stringAttribute(node, "coordinate_transformation_mode", "") === "tf_crop_and_resize";
  const outside = floatAttribute(node, "extrapolation_value", 0);
  const matrix = new Float32Array(size * output);
  for (let j = 0; j < output; j++) {
    const x = coordinate(site, j, axis);
    if (isCrop && (x < 0 || x > size - 1)) {
      if (outside !== 0) site.fail("values from outside the picture", "a region inside it was needed");
      continue;
    }
    for (const [at, weight] of taps(site, mode, x, size)) {
      matrix[Math.min(Math.max(at, 0), size - 1) * output + j] += weight;
    }
  }
  return matrix;
}

/** Positions and weights that make the value at `x`. */
function taps(site: TfjsSite, mode: string, x: number, size: number): [number, number][] {
  const low = Math.floor(x);
  const t = x - low;
  if (mode === "nearest") return [[nearest(site, x), 1]];
  if (mode === "linear") {
    return [
      [low, 1 - t],
      [low + 1, t],
    ];
  }
  if (mode !== "cubic") return site.fail(`resizing "${mode}"`, "nearest, linear or cubic was needed");
  const a = floatAttribute(site.node, "cubic_coeff_a", -0.75);
  const near = (d: number): number => ((a + 2) * d - (a + 3)) * d * d + 1;
  const far = (d: number): number => ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
  const four: [number, number][] = [
    [low - 1, far(t + 1)],
    [low, near(t)],
    [low + 1, near(1 - t)],
    [low + 2, far(2 - t)],
  ];
  if (intAttribute(site.node, "exclude_outside", 0) !== 1) return four;
  const inside = four.filter(([at]) => at >= 0 && at < size);
  const total = inside.reduce((sum, [, weight]) => sum + weight, 0);
  return inside.map(([at, weight]) => [at, weight / total]);
}

function nearest(site: TfjsSite, x: number): number {
  const mode = stringAttribute(site.node, "nearest_mode", "round_prefer_floor");
  switch (mode) {
    case "floor":
      return Math.floor(x);
    case "ceil":
      return Math.ceil(x);
    case "round_prefer_ceil":
      return Math.floor(x + 0.5);
    case "round_prefer_floor":
      return Math.ceil(x - 0.5);
    default:
      return site.fail(`rounding "${mode}"`, "a mode of the ONNX operator was needed");
  }
}

export const resizing: Operators = { Resize: trained(resize) };
