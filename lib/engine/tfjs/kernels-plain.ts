/**
 * Kernels of the wasm backend written as plain loops over its memory: of max pooling's gradient (the backend's own is
 * wrong for some windows: 2 x 2 with stride 2), of the sum by segments (the backend has none), and of slices (the
 * backend's own copies the whole input out of its memory before it cuts).
 */
import * as tf from "@tensorflow/tfjs-core";
import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";

type Four = [number, number, number, number];
/** The parts of the backend that are used. */
type Heap = Pick<BackendWasm, "makeOutput" | "typedArrayFromHeap">;
type Infos = Readonly<Record<string, tf.TensorInfo>>;

interface PoolAttributes {
  readonly filterSize: [number, number] | number;
  readonly strides: [number, number] | number;
  readonly pad: "valid" | "same" | number;
}

/** The gradient goes to the first maximum of each window, row by row. Layout [n, h, w, c]. */
function maxPoolGradient(backend: Heap, { dy, input }: Infos, attributes: PoolAttributes): tf.TensorInfo {
  const { filterSize, strides, pad } = attributes;
  const info = tf.backend_util.computePool2DInfo(input.shape as Four, filterSize, strides, 1, pad);
  const result = backend.makeOutput(input.shape, "float32");
  const [x, d, out] = [input, dy, result].map((tensor) => backend.typedArrayFromHeap(tensor) as Float32Array);
  out.fill(0);
  const { inHeight, inWidth, inChannels: channels, outHeight, outWidth, padInfo } = info;
  let from = 0;
  for (let n = 0; n < info.batchSize; n++) {
    const picture = n * inHeight * inWidth * channels;
    for (let row = 0; row < outHeight; row++) {
      const top = row * info.strideHeight - padInfo.top;
      for (let column = 0; column < outWidth; column++) {
        const left = column * info.strideWidth - padInfo.left;
        const [firstY, lastY] = [Math.max(top, 0), Math.min(top + info.filterHeight, inHeight)];
        const [firstX, lastX] = [Math.max(left, 0), Math.min(left + info.filterWidth, inWidth)];
        for (let c = 0; c < channels; c++, from++) {
          let best = -Infinity;
          let at = -1;
          for (let y = firstY; y < lastY; y++) {
            let position = picture + (y * inWidth + firstX) * channels + c;
            for (let z = firstX; z < lastX; z++, position += channels) {
              if (x[position] > best) {
                best = x[position];
                at = position;
              }
            }
          }
          if (at >= 0) out[at] += d[from];
        }
      }
    }
  }
  return result;
}

/** Rows of `x` added up by their segment, [segments, ...]. */
function segmentSum(backend: Heap, { x, segmentIds }: Infos, count: number): tf.TensorInfo {
  const [, ...rest] = x.shape;
  const width = tf.util.sizeFromShape(rest);
  const result = backend.makeOutput([count, ...rest], "float32");
  const [rows, ids, out] = [x, segmentIds, result].map((tensor) => backend.typedArrayFromHeap(tensor));
  out.fill(0);
  ids.forEach((id, row) => {
    for (let i = 0; i < width; i++) out[id * width + i] += rows[row * width + i];
  });
  return result;
}

interface SliceAttributes {
  readonly begin: number | number[];
  readonly size: number | number[];
}

/** A box out of a tensor, run by run: axes behind the last one that is cut are one run with it. */
function slice(backend: Heap, { x }: Infos, attributes: SliceAttributes): tf.TensorInfo {
  const [begin, size] = tf.slice_util.parseSliceParams(x, attributes.begin, attributes.size);
  const result = backend.makeOutput(size, x.dtype);
  const total = tf.util.sizeFromShape(size);
  if (total === 0) return result;
  const [from, to] = [backend.typedArrayFromHeap(x), backend.typedArrayFromHeap(result)];
  const strides = x.shape.map((_, axis) => tf.util.sizeFromShape(x.shape.slice(axis + 1)));
  let axis = size.length - 1;
  while (axis > 0 && size[axis] === x.shape[axis]) axis--;
  const run = axis < 0 ? 1 : size[axis] * strides[axis];
  const place = begin.map(() => 0);
  const start = begin.reduce((sum, first, i) => sum + first * strides[i], 0);
  for (let at = 0; at < total; at += run) {
    const source = place.reduce((sum, index, i) => sum + index * strides[i], start);
    if (run > 16) to.set(from.subarray(source, source + run), at);
    else for (let i = 0; i < run; i++) to[at + i] = from[source + i];
    for (let i = axis - 1; i >= 0 && ++place[i] === size[i]; i--) place[i] = 0;
  }
  return result;
}

/** Name of a kernel -> what runs it. */
export const plainKernels: Readonly<Record<string, tf.KernelFunc>> = {
  MaxPoolGrad: ({ inputs, attrs, backend }) =>
    maxPoolGradient(backend as Heap, inputs as Infos, attrs as unknown as PoolAttributes),
  Slice: ({ inputs, attrs, backend }) =>
    slice(backend as Heap, inputs as Infos, attrs as unknown as SliceAttributes),
  UnsortedSegmentSum: ({ inputs, attrs, backend }) =>
    segmentSum(backend as Heap, inputs as Infos, attrs?.["numSegments"] as number),
};
