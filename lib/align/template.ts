/**
 * Where dlib's face chips have their landmarks (`get_face_chip_details`): what `face-resnet` was trained on. The
 * positions are those of a mean face, 0 = its left and upper edge, 1 = its right and lower edge.
 */

/** Room around the mean face on every side, in its widths: dlib's choice for the recognition network. */
export const DLIB_PADDING = 0.25;

/** How sure the detector must be where nobody says otherwise, in 0..1. */
export const MIN_SCORE = 0.5;

/** First landmark of the lists below: jaw points are not in dlib's mean face. */
const FIRST = 17;

// prettier-ignore
const MEAN_X = [
  0.000213256, 0.0752622, 0.18113, 0.29077, 0.393397, 0.586856, 0.689483, 0.799124, 0.904991, 0.98004, 0.490127,
  0.490127, 0.490127, 0.490127, 0.36688, 0.426036, 0.490127, 0.554217, 0.613373, 0.121737, 0.187122, 0.265825,
  0.334606, 0.260918, 0.182743, 0.645647, 0.714428, 0.793132, 0.858516, 0.79751, 0.719335, 0.254149, 0.340985,
  0.428858, 0.490127, 0.551395, 0.639268, 0.726104, 0.642159, 0.556721, 0.490127, 0.423532, 0.338094, 0.290379,
  0.428096, 0.490127, 0.552157, 0.689874, 0.553364, 0.490127, 0.42689,
];

// prettier-ignore
const MEAN_Y = [
  0.106454, 0.038915, 0.0187482, 0.0344891, 0.0773906, 0.0773906, 0.0344891, 0.0187482, 0.038915, 0.106454, 0.203352,
  0.307009, 0.409805, 0.515625, 0.587326, 0.609345, 0.628106, 0.609345, 0.587326, 0.216423, 0.178758, 0.179852,
  0.231733, 0.245099, 0.244077, 0.231733, 0.179852, 0.178758, 0.216423, 0.244077, 0.245099, 0.780233, 0.745405,
  0.727388, 0.742578, 0.727388, 0.745405, 0.780233, 0.864805, 0.902192, 0.909281, 0.902192, 0.864805, 0.784792,
  0.778746, 0.785343, 0.778746, 0.784792, 0.824182, 0.831803, 0.824182,
];

/** The landmarks that are fitted: nose, eyes and upper lip. Brows and lower lip move with the expression. */
export const templateIndices: readonly number[] = Array.from({ length: 68 }, (_, i) => i).filter(
  (i) => i >= 27 && !(i >= 55 && i <= 59) && i < 65,
);

/**
 * The template of a square crop.
 *
 * @param size side of the crop in pixels
 * @param padding room around the mean face on every side, in its widths
 * @returns x, y in pixels of the crop for each of {@link templateIndices}
 */
export function templatePoints(size: number, padding: number): Float64Array {
  const place = (mean: number): number => (size * (padding + mean)) / (1 + 2 * padding);
  return Float64Array.from(
    templateIndices.flatMap((i) => [place(MEAN_X[i - FIRST]), place(MEAN_Y[i - FIRST])]),
  );
}

/** The same landmarks out of all 68. */
export function templateLandmarks(landmarks: ArrayLike<number>): Float64Array {
  return Float64Array.from(templateIndices.flatMap((i) => [landmarks[2 * i], landmarks[2 * i + 1]]));
}
