/**
 * Cuts a box with fractional borders out of a picture and resizes it, by a triangle (bilinear) kernel that widens when
 * reducing. Whole-pixel boxes would shift a small face by a visible share of its width. Beyond the picture's border the
 * edge pixel is repeated.
 */

/** RGB, uint8 [height, width, 3]. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** Where each output pixel of one axis comes from. */
interface Axis {
  /** Source pixels per output pixel. */
  readonly taps: number;
  /** [output, taps], clamped to the picture. */
  readonly index: Int32Array;
  /** [output, taps], each row sums to 1. */
  readonly weight: Float32Array;
}

/**
 * @param box x0, y0, x1, y1 in pixels of the source, any real numbers
 * @returns RGB, uint8 [height, width, 3]
 */
export function resample(
  source: Pixels,
  box: readonly [number, number, number, number],
  size: { readonly width: number; readonly height: number },
): Uint8Array {
  const x = axisOf(box[0], box[2], source.width, size.width);
  const y = axisOf(box[1], box[3], source.height, size.height);
  // Rows rise with the output: the first and the last tap are the outermost.
  const first = y.index[0];
  const last = y.index[y.index.length - 1];
  const across = resampleRows(source, first, last, x);
  return resampleColumns(across, first, y, size);
}

function axisOf(from: number, to: number, pixels: number, wanted: number): Axis {
  const step = (to - from) / wanted;
  const support = Math.max(1, step);
  const taps = Math.ceil(2 * support) + 1;
  const index = new Int32Array(wanted * taps);
  const weight = new Float32Array(wanted * taps);
  for (let i = 0; i < wanted; i++) {
    const center = from + (i + 0.5) * step;
    const start = Math.floor(center - support);
    let sum = 0;
    for (let t = 0; t < taps; t++) {
      const value = Math.max(0, 1 - Math.abs(start + t + 0.5 - center) / support);
      index[i * taps + t] = Math.min(pixels - 1, Math.max(0, start + t));
      weight[i * taps + t] = value;
      sum += value;
    }
    for (let t = 0; t < taps; t++) weight[i * taps + t] /= sum;
  }
  return { taps, index, weight };
}

/** Horizontal pass over the rows that are needed. @returns float32 [last - first + 1, wanted, 3] */
function resampleRows(source: Pixels, first: number, last: number, axis: Axis): Float32Array {
  const { taps, index, weight } = axis;
  const wanted = index.length / taps;
  const out = new Float32Array((last - first + 1) * wanted * 3);
  const { data } = source;
  let to = 0;
  for (let row = first; row <= last; row++) {
    const line = row * source.width;
    for (let k = 0; k < index.length; k += taps) {
      let r = 0;
      let g = 0;
      let b = 0;
      for (let t = k; t < k + taps; t++) {
        const w = weight[t];
        const at = (line + index[t]) * 3;
        r += w * data[at];
        g += w * data[at + 1];
        b += w * data[at + 2];
      }
      out[to++] = r;
      out[to++] = g;
      out[to++] = b;
    }
  }
  return out;
}

/** Vertical pass, row by row. @param across float32 [rows from `first`, width, 3] */
function resampleColumns(
  across: Float32Array,
  first: number,
  axis: Axis,
  size: { readonly width: number; readonly height: number },
): Uint8Array {
  const line = size.width * 3;
  const out = new Uint8Array(size.height * line);
  const sum = new Float32Array(line);
  for (let j = 0; j < size.height; j++) {
    sum.fill(0.5); // rounds when cut to whole numbers; weights are not negative, so nothing leaves 0..255
    for (let t = j * axis.taps; t < (j + 1) * axis.taps; t++) {
      const w = axis.weight[t];
      if (w === 0) continue;
      const from = (axis.index[t] - first) * line;
      for (let k = 0; k < line; k++) sum[k] += w * across[from + k];
    }
    out.set(sum, j * line);
  }
  return out;
}
