/** Operators that move, cut, join and repeat elements. */
import * as tf from "@tensorflow/tfjs-core";
import { intAttribute, intsAttribute, sizeOf, stringAttribute } from "../../../network/network.ts";
import {
  fromFront,
  padAmounts,
  positionsOf,
  sliceLists,
  sliceRanges,
} from "../../../network/operators/attributes.ts";
import { knownInput, neededInput, type Operator, type Operators, trained, untrained } from "../site.ts";
import { axisIn, commonLayout, operand, perAxis, broadcastTo, TfjsValue } from "../value.ts";

/** The same elements in the same order. */
const reshape: Operator["prepare"] = (site) => {
  const [shape] = site.outputs;
  return (inputs) => [new TfjsValue(shape, tf.reshape(neededInput(inputs, 0).first(), [...shape]))];
};

/** Between the two layouts nothing is moved. */
const transpose: Operator["prepare"] = (site) => {
  const [shape] = site.outputs;
  const rank = shape.length;
  const perm = intsAttribute(
    site.node,
    "perm",
    shape.map((_, i) => rank - 1 - i),
  );
  const axes = shape.map((_, i) => i);
  const isToLast = rank > 2 && perm.join() === perAxis("last", axes).join();
  const isToFirst = rank > 2 && perm.join() === axes.map((i) => axisIn("last", i, rank)).join();
  return (inputs) => {
    const x = neededInput(inputs, 0);
    if (isToLast && x.layout === "last") return [new TfjsValue(shape, tf.clone(x.last()))];
    if (isToFirst && x.layout === "first")
      return [new TfjsValue(shape, tf.clone(x.first()), { layout: "last" })];
    return [new TfjsValue(shape, tf.transpose(x.first(), [...perm]))];
  };
};

const concat: Operator["prepare"] = (site) => {
  const [shape] = site.outputs;
  const rank = shape.length;
  const axis = fromFront(intAttribute(site.node, "axis", 0), rank);
  return (inputs) => {
    const values = inputs.flatMap((value) =>
      value === undefined || sizeOf(value.shape) === 0 ? [] : [value],
    );
    const layout = commonLayout(values, rank);
    const tensors = values.map((value) => value.in(layout));
    const y = tensors.length === 1 ? tf.clone(tensors[0]) : tf.concat(tensors, axisIn(layout, axis, rank));
    return [new TfjsValue(shape, y, { layout })];
  };
};

const split: Operator["prepare"] = (site) => {
  const rank = site.outputs[0].length;
  const axis = fromFront(intAttribute(site.node, "axis", 0), rank);
  return (inputs) => {
    const x = neededInput(inputs, 0);
    const tensor = x.in(x.layout);
    const starts = tensor.shape.map(() => 0);
    const at = axisIn(x.layout, axis, rank);
    return site.outputs.map((shape) => {
      const part = tf.slice(tensor, [...starts], perAxis(x.layout, shape));
      starts[at] += shape[axis];
      return new TfjsValue(shape, part, { layout: x.layout });
    });
  };
};

/** Elements at `indices` along an axis, in that order. */
function taken(tensor: tf.Tensor, indices: readonly number[], axis: number): tf.Tensor {
  return tf.gather(tensor, tf.tensor1d([...indices], "int32"), axis);
}

const slice: Operator["prepare"] = (site) => {
  const shape = site.input(0);
  const [output] = site.outputs;
  const rank = shape.length;
  const lists = sliceLists(site.node, rank, (index, what) => knownInput(site, index, what));
  const begin = shape.map(() => 0);
  const size: number[] = [...shape];
  const stepped: { axis: number; indices: number[] }[] = [];
  for (const [axis, range] of sliceRanges(lists, shape)) {
    if (range.step === 1) [begin[axis], size[axis]] = [range.start, range.count];
    else stepped.push({ axis, indices: positionsOf(range) });
  }
  return (inputs) => {
    const { layout } = neededInput(inputs, 0);
    const cut = tf.slice(neededInput(inputs, 0).in(layout), perAxis(layout, begin), perAxis(layout, size));
    const y = stepped.reduce((x, { axis, indices }) => taken(x, indices, axisIn(layout, axis, rank)), cut);
    return [new TfjsValue(output, y, { layout })];
  };
};

/** Constant padding, also negative; reflected, repeated and wrapped edges by picking elements. */
const pad: Operator["prepare"] = (site) => {
  const shape = site.input(0);
  const rank = shape.length;
  const { before, after } = padAmounts(site.node, rank, (index, what) => knownInput(site, index, what));
  const edges = before.map((size, axis): [number, number] => [size, after[axis]]);
  const mode = stringAttribute(site.node, "mode", "constant");
  const [output] = site.outputs;
  if (mode === "constant") {
    const fill = site.has(2) ? knownInput(site, 2, "values")[0] : 0;
    const begin = edges.map(([before]) => Math.max(0, -before));
    const kept = shape.map((size, i) => size - begin[i] - Math.max(0, -edges[i][1]));
    const isCut = kept.some((size, i) => size !== shape[i]);
    const grown = edges.map(([a, b]): [number, number] => [Math.max(0, a), Math.max(0, b)]);
    return (inputs) => {
      const x = neededInput(inputs, 0);
      const tensor = x.in(x.layout);
      const cut = isCut ? tf.slice(tensor, perAxis(x.layout, begin), perAxis(x.layout, kept)) : tensor;
      return [new TfjsValue(output, tf.pad(cut, perAxis(x.layout, grown), fill), { layout: x.layout })];
    };
  }
  const place =
    places[mode] ?? site.fail(`padding mode ${mode}`, "constant, reflect, edge or wrap was needed");
  return (inputs) => {
    const y = edges.reduce((x, [before, after], axis) => {
      if (before === 0 && after === 0) return x;
      const indices = Array.from({ length: output[axis] }, (_, i) => place(i - before, shape[axis]));
      return taken(x, indices, axis);
    }, neededInput(inputs, 0).first());
    return [new TfjsValue(output, tf.clone(y))];
  };
};

const modulo = (a: number, b: number): number => ((a % b) + b) % b;

/** Mode of padding -> the element of an axis of `size` elements that stands at position `at` of the padded one. */
const places: Readonly<Partial<Record<string, (at: number, size: number) => number>>> = {
  edge: (at, size) => Math.min(Math.max(at, 0), size - 1),
  wrap: modulo,
  reflect: (at, size) => {
    const period = Math.max(1, 2 * (size - 1));
    const within = modulo(at, period);
    return within < size ? within : period - within;
  },
};

/** Indices may be negative; constant ones are brought to the front beforehand. */
const gather: Operator["prepare"] = (site) => {
  const shape = site.input(0);
  const axis = fromFront(intAttribute(site.node, "axis", 0), shape.length);
  const [output] = site.outputs;
  const constant = site.constant(1)?.map((index) => fromFront(index, shape[axis]));
  return (inputs) => {
    const x = neededInput(inputs, 0).first();
    const indices =
      constant === undefined
        ? positive(neededInput(inputs, 1).first(), shape[axis])
        : tf.tensor1d(constant, "int32");
    return [new TfjsValue(output, tf.reshape(tf.gather(x, indices, axis), [...output]))];
  };
};

/** A flat list of indices counted from the front. */
function positive(indices: tf.Tensor, size: number): tf.Tensor1D {
  const flat = tf.cast(tf.reshape(indices, [-1]), "int32");
  return tf.where(
    tf.less(flat, tf.scalar(0, "int32")),
    tf.add(flat, tf.scalar(size, "int32")),
    flat,
  ) as tf.Tensor1D;
}

/** Along one axis each element's own index: a gather from the flat list. */
const gatherElements: Operator["prepare"] = (site) => {
  const shape = site.input(0);
  const axis = fromFront(intAttribute(site.node, "axis", 0), shape.length);
  const [output] = site.outputs;
  const strides = shape.map((_, i) => sizeOf(shape.slice(i + 1)));
  const own = output.map((_, i) => sizeOf(output.slice(i + 1)));
  const base = Int32Array.from({ length: sizeOf(output) }, (_, flat) =>
    output.reduce(
      (sum, size, i) => (i === axis ? sum : sum + (Math.floor(flat / own[i]) % size) * strides[i]),
      0,
    ),
  );
  return (inputs) => {
    const flat = tf.reshape(neededInput(inputs, 0).first(), [-1]);
    const along = tf.mul(
      positive(neededInput(inputs, 1).first(), shape[axis]),
      tf.scalar(strides[axis], "int32"),
    );
    const at = tf.add(along, tf.tensor1d(base, "int32"));
    return [new TfjsValue(output, tf.reshape(tf.gather(flat, at), [...output]))];
  };
};

const expand: Operator["prepare"] = (site) => {
  const [shape] = site.outputs;
  return (inputs) => [
    new TfjsValue(
      shape,
      tf.clone(broadcastTo(operand(neededInput(inputs, 0), shape.length, "first"), shape)),
    ),
  ];
};

const tile: Operator["prepare"] = (site) => {
  const repeats = knownInput(site, 1, "repeats");
  return (inputs) => [new TfjsValue(site.outputs[0], tf.tile(neededInput(inputs, 0).first(), [...repeats]))];
};

/** Blocks of channels become blocks of places, and back. */
const depthToSpace: Operator["prepare"] = (site) => {
  const [n, c, h, w] = site.input(0);
  const block = intAttribute(site.node, "blocksize", 1);
  const isColumnsFirst = stringAttribute(site.node, "mode", "DCR") === "CRD";
  const [shape] = site.outputs;
  const cells = isColumnsFirst ? [n, shape[1], block, block, h, w] : [n, block, block, shape[1], h, w];
  const order = isColumnsFirst ? [0, 1, 4, 2, 5, 3] : [0, 3, 4, 1, 5, 2];
  if (c !== shape[1] * block * block) return site.fail(`${c} channels`, "whole blocks were needed");
  return (inputs) => {
    const split6 = tf.reshape(neededInput(inputs, 0).first(), cells);
    return [new TfjsValue(shape, tf.reshape(tf.transpose(split6, order), [...shape]))];
  };
};

const spaceToDepth: Operator["prepare"] = (site) => {
  const [n, c, h, w] = site.input(0);
  const block = intAttribute(site.node, "blocksize", 1);
  const [shape] = site.outputs;
  return (inputs) => {
    const cells = tf.reshape(neededInput(inputs, 0).first(), [n, c, h / block, block, w / block, block]);
    return [new TfjsValue(shape, tf.reshape(tf.transpose(cells, [0, 3, 5, 1, 2, 4]), [...shape]))];
  };
};

/** Zeros above (or below) the k-th diagonal. */
const trilu: Operator["prepare"] = (site) => {
  const [shape] = site.outputs;
  const [rows, columns] = shape.slice(-2);
  const k = site.has(1) ? knownInput(site, 1, "diagonals")[0] : 0;
  const isUpper = intAttribute(site.node, "upper", 1) === 1;
  const mask = Uint8Array.from({ length: rows * columns }, (_, i) => {
    const distance = (i % columns) - Math.floor(i / columns);
    return Number(isUpper ? distance >= k : distance <= k);
  });
  return (inputs) => {
    const x = neededInput(inputs, 0).first();
    const kept = broadcastTo(tf.tensor(mask, [rows, columns], "bool"), shape);
    return [new TfjsValue(shape, tf.where(kept, x, tf.zerosLike(x)))];
  };
};

export const shapingKernels: Operators = {
  Reshape: trained(reshape),
  Flatten: trained(reshape),
  Squeeze: trained(reshape),
  Unsqueeze: trained(reshape),
  Transpose: trained(transpose),
  Concat: trained(concat),
  Split: trained(split),
  Slice: trained(slice),
  Pad: trained(pad),
  Gather: trained(gather),
  GatherElements: untrained(gatherElements),
  Expand: trained(expand),
  Tile: untrained(tile),
  DepthToSpace: untrained(depthToSpace),
  SpaceToDepth: untrained(spaceToDepth),
  Trilu: untrained(trilu),
};
