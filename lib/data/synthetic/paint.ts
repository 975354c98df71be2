/** The colour of a point of the head: eyes, brows, mouth, beard, wrinkles; before lighting. */
import type { Traits } from "./traits.ts";

/** A colour that is written in place, 0..255. */
export interface Paint {
  r: number;
  g: number;
  b: number;
}

const EYE_Y = -0.02;
const MOUTH_Y = 0.6;

/** 0 below `low`, 1 above `high`, smooth between. */
function smooth(low: number, high: number, x: number): number {
  const t = Math.min(1, Math.max(0, (x - low) / (high - low)));
  return t * t * (3 - 2 * t);
}

function cover(paint: Paint, r: number, g: number, b: number, share: number): void {
  paint.r += (r - paint.r) * share;
  paint.g += (g - paint.g) * share;
  paint.b += (b - paint.b) * share;
}

function darken(paint: Paint, factor: number): void {
  paint.r *= factor;
  paint.g *= factor;
  paint.b *= factor;
}

/** @param x, y, z head coordinates of the point */
export function hairColor(traits: Traits, x: number, y: number, z: number, paint: Paint): void {
  const strand = 0.88 + 0.16 * Math.sin(37 * x + 9 * Math.sin(6 * y) + 21 * z);
  paint.r = traits.hair[0] * strand;
  paint.g = traits.hair[1] * strand;
  paint.b = traits.hair[2] * strand;
}

/** @param x, y, z head coordinates of the point; @param nose whether it is on the nose */
export function paintFace(
  traits: Traits,
  x: number,
  y: number,
  z: number,
  nose: boolean,
  paint: Paint,
): void {
  paint.r = traits.skin[0];
  paint.g = traits.skin[1];
  paint.b = traits.skin[2];
  if (z < 0) return;
  const ax = Math.abs(x);
  if (nose) {
    const nostril = ((ax - 0.065) / 0.032) ** 2 + ((y - 0.055 - 0.29 * traits.noseLength) / 0.028) ** 2;
    if (nostril < 1.6) darken(paint, 0.45 + 0.55 * smooth(0.4, 1.6, nostril));
    return;
  }
  // Warm cheeks.
  const cheek = ((ax - 0.33) / 0.16) ** 2 + ((y - 0.3) / 0.16) ** 2;
  if (cheek < 5)
    cover(paint, traits.skin[0], traits.skin[1] * 0.82, traits.skin[2] * 0.8, 0.5 * Math.exp(-cheek));
  paintWrinkles(traits, ax, y, paint);
  paintBeard(traits, x, y, paint);
  if (y > 0.4 && y < 0.95) paintMouth(traits, x, y, paint);
  if (y > -0.5 && y < 0.22) {
    paintEye(traits, x, y, paint);
    paintBrow(traits, ax, y, paint);
    if (traits.glasses) paintGlasses(traits, ax, y, paint);
  }
}

/** A dark line of this half width; `strength` in its middle. */
function crease(paint: Paint, distance: number, width: number, strength: number): void {
  const d = distance / width;
  if (d > -3 && d < 3) darken(paint, 1 - strength * Math.exp(-d * d));
}

function paintWrinkles(traits: Traits, ax: number, y: number, paint: Paint): void {
  const depth = Math.min(1, traits.wrinkles);
  // Folds from the nose to the mouth: with age, and with a smile.
  if (y > 0.26 && y < 0.72 && ax < 0.5) {
    const fold = 0.16 + 0.35 * (y - 0.26) + 0.05 * Math.max(0, traits.mouthCurve);
    crease(
      paint,
      ax - fold,
      0.02,
      (0.3 * depth + 0.12 * Math.max(0, traits.mouthCurve)) * smooth(0.74, 0.5, y),
    );
  }
  if (depth < 0.05) return;
  // Forehead.
  if (y < -0.32 && y > -0.75) {
    const wave = y + 0.03 * Math.cos(7 * ax);
    const lines = Math.cos((wave * 2 * Math.PI) / 0.1);
    darken(paint, 1 - 0.3 * depth * smooth(0.3, 1, lines) * smooth(0.5, 0.3, ax));
  }
  // Crow's feet and bags.
  if (ax > 0.4 && ax < 0.56 && y > -0.14 && y < 0.12) {
    const fan = Math.cos((y - EYE_Y) * (95 - 60 * (ax - 0.4)));
    darken(paint, 1 - 0.28 * depth * smooth(0.4, 1, fan) * smooth(0.4, 0.44, ax));
  }
  if (y > EYE_Y && y < 0.22) {
    const bag = y - (EYE_Y + 0.13 - 0.5 * (ax - traits.eyeGap) ** 2);
    if (Math.abs(ax - traits.eyeGap) < 0.15) crease(paint, bag, 0.016, 0.3 * depth);
  }
}

function paintBeard(traits: Traits, x: number, y: number, paint: Paint): void {
  if (traits.beard === 0 || y < 0.25) return;
  const ax = Math.abs(x);
  const chin = smooth(0.42, 0.62, y + 0.55 * ax * ax);
  const moustache = Math.exp(-(((y - 0.47) / 0.045) ** 2)) * smooth(0.27, 0.2, ax);
  const clear = 1 - Math.exp(-((ax / 0.16) ** 2) - ((y - MOUTH_Y) / 0.06) ** 2);
  const grain = 0.82 + 0.18 * Math.sin(71 * x + 13 * y) * Math.sin(67 * y - 29 * x);
  const share = 0.85 * traits.beard * Math.max(chin, moustache) * clear * grain;
  cover(paint, traits.hair[0], traits.hair[1], traits.hair[2], share);
}

function paintMouth(traits: Traits, x: number, y: number, paint: Paint): void {
  const half = traits.mouthWidth * (1 - 0.25 * Math.min(1, traits.mouthOpen));
  const t = x / half;
  if (t < -1.15 || t > 1.15) return;
  const middle = MOUTH_Y - 0.13 * traits.mouthCurve * (t * t - 0.35);
  const taper = Math.max(0, 1 - t * t);
  const open = 0.11 * traits.mouthOpen * Math.sqrt(taper);
  const top = middle - open * 0.55;
  const bottom = middle + open;
  const soft = 0.012;
  const upper = 0.042 * taper * (1 - 0.25 * Math.exp(-((t / 0.12) ** 2)));
  const lower = 0.056 * taper;
  const lips =
    smooth(top - upper - soft, top - upper + soft, y) *
    smooth(bottom + lower + soft, bottom + lower - soft, y);
  cover(paint, traits.lips[0], traits.lips[1], traits.lips[2], lips * smooth(1.08, 0.95, Math.abs(t)));
  const inside =
    smooth(top - soft, top + soft, y) *
    smooth(bottom + soft, bottom - soft, y) *
    smooth(1.02, 0.9, Math.abs(t));
  const teeth = y < top + 0.055 && traits.mouthOpen > 0.18 && traits.mouthCurve > -0.3;
  if (teeth) cover(paint, 236, 230, 220, inside);
  else cover(paint, 62, 20, 22, inside * (open > 0.008 ? 1 : 0.65));
}

function paintEye(traits: Traits, x: number, y: number, paint: Paint): void {
  const side = x < 0 ? -1 : 1;
  const dx = x - side * traits.eyeGap;
  const dy = y - EYE_Y;
  const socket = (dx / 0.17) ** 2 + ((dy + 0.03) / 0.11) ** 2;
  if (socket < 6) darken(paint, 1 - 0.22 * Math.exp(-socket));
  const half = 0.125 * traits.eyeSize;
  const t = dx / half;
  if (t < -1.25 || t > 1.25) return;
  const taper = Math.max(0, 1 - t * t);
  const top = -0.062 * traits.eyeSize * traits.eyeOpen * taper ** 0.8;
  const bottom = 0.045 * traits.eyeSize * (0.6 + 0.4 * traits.eyeOpen) * taper;
  const inside =
    smooth(top - 0.008, top + 0.008, dy) * smooth(bottom + 0.008, bottom - 0.008, dy) * (taper > 0 ? 1 : 0);
  if (inside > 0) {
    cover(paint, 238, 234, 230, inside);
    const gx = dx - 0.03 * traits.gaze;
    const radius = Math.hypot(gx, dy + 0.005) / (0.056 * traits.eyeSize);
    if (radius < 1.2) {
      cover(paint, traits.iris[0], traits.iris[1], traits.iris[2], inside * smooth(1.12, 0.92, radius));
      cover(paint, 14, 12, 12, inside * smooth(0.52, 0.42, radius));
      const glint = Math.hypot(gx + 0.018, dy + 0.024) / 0.014;
      cover(paint, 255, 255, 255, inside * smooth(1.2, 0.7, glint));
    }
  }
  const lid = Math.abs(dy - top) / (traits.gender === "female" ? 0.02 : 0.014);
  if (lid < 1.5 && Math.abs(t) < 1.08) cover(paint, 34, 24, 22, 0.85 * smooth(1.5, 0.5, lid));
  const fold = Math.abs(dy - top + 0.045) / 0.014;
  if (fold < 1.5 && Math.abs(t) < 1) darken(paint, 1 - 0.22 * smooth(1.5, 0.4, fold));
}

function paintBrow(traits: Traits, ax: number, y: number, paint: Paint): void {
  const t = (ax - traits.eyeGap) / 0.17;
  if (t < -1.1 || t > 1.15) return;
  // t = -1 at the inner end, 1 at the outer one. Tilt above 0 lifts the inner end.
  const arch = 0.03 * (1 - t * t);
  const middle = EYE_Y - 0.185 - 0.09 * traits.browRaise - arch + 0.07 * traits.browTilt * t;
  const thick = traits.browThickness * (1 - 0.45 * smooth(0.1, 1.1, t)) * smooth(-1.1, -0.85, t);
  const distance = Math.abs(y - middle) / Math.max(0.004, thick);
  if (distance > 1.4) return;
  const [r, g, b] = traits.hair;
  cover(paint, r * 0.7, g * 0.7, b * 0.7, 0.85 * smooth(1.35, 0.7, distance));
}

function paintGlasses(traits: Traits, ax: number, y: number, paint: Paint): void {
  const d = Math.hypot((ax - traits.eyeGap) / 0.21, (y - EYE_Y) / 0.17);
  const rim = Math.abs(d - 1) / 0.09;
  const bridge = ax < traits.eyeGap - 0.2 && Math.abs(y - EYE_Y + 0.05) < 0.016;
  if (rim < 1.3 || bridge) cover(paint, 40, 36, 38, bridge ? 0.9 : 0.9 * smooth(1.3, 0.7, rim));
}
