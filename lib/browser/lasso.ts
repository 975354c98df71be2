/** `etl-prune/lasso`: paths, curves and knees on numbers of one's own; runs in a browser. */
export { EtlError, isEtlError } from "../core/errors.ts";
export type { Curve, Knee, LassoPath, Moments, PathPoint, RmseKind, TapMoments } from "../core/artifacts.ts";
export { dealFolds } from "../harvest/folds.ts";
export { chooseCurveKnee, chooseKnee } from "../knee/knee.ts";
export type { ChosenKnee, KneeOptions } from "../knee/knee.ts";
export { bisectGamma, breakpoints } from "../knee/targets.ts";
export type { GammaChoice } from "../knee/targets.ts";
export { characteristicCurve } from "../lasso/curve.ts";
export { leastSquares } from "../lasso/least-squares.ts";
export type { LeastSquares } from "../lasso/least-squares.ts";
export type { MatrixLike } from "../lasso/matrix.ts";
export { lassoPath, lassoPathFromMoments } from "../lasso/path.ts";
export type { LassoOptions } from "../lasso/path.ts";
export { correlationRanking } from "../lasso/ranking.ts";
export type { Ranking } from "../lasso/ranking.ts";
export { createMomentsAccumulator, mergeMoments } from "../math/moments.ts";
export type { MomentsAccumulator, MomentsOrigin } from "../math/moments.ts";
