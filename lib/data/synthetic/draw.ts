/**
 * Draws a face: ellipsoids (skull, jaw, nose, ears, hair, neck) are projected along the line of sight into a depth
 * buffer, then every pixel is coloured from the point of the head that it shows. So a turned head looks turned.
 *
 * Head coordinates: x to the right of the picture, y down, z to the viewer; 1 = half of the head's height.
 */
import type { Crop } from "../../core/artifacts.ts";
import { hairColor, paintFace, type Paint } from "./paint.ts";
import type { Traits } from "./traits.ts";

const SKIN = 1;
const NOSE = 2;
const HAIR = 3;
const NECK = 4;
const CLOTHES = 5;

/** An axis-parallel ellipsoid in head coordinates (or, for the body, in the upright frame). */
interface Solid {
  readonly part: number;
  readonly center: readonly [number, number, number];
  readonly radii: readonly [number, number, number];
  readonly upright?: boolean;
  /** Head coordinates -> whether the surface is there. */
  readonly where?: (x: number, y: number, z: number) => boolean;
}

/** Row-major 3x3: head coordinates to camera coordinates. */
type Rotation = readonly number[];

/** @returns RGB, uint8 [height, width, 3] */
export function drawFace(
  traits: Traits,
  crop: Crop,
  size: { readonly width: number; readonly height: number },
): Uint8Array {
  const { width, height } = size;
  const view = {
    width,
    height,
    // pixel -> camera coordinates (head units around the head's centre)
    stepX: (crop[2] - crop[0]) / width / traits.unit,
    stepY: (crop[3] - crop[1]) / height / traits.unit,
    startX: (crop[0] - traits.center[0]) / traits.unit,
    startY: (crop[1] - traits.center[1]) / traits.unit,
  };
  const depth = new Float32Array(width * height).fill(-Infinity);
  const part = new Uint8Array(width * height);
  // Per pixel: the head coordinates of the point shown and the camera-frame normal.
  const surface = new Float32Array(width * height * 6);
  const rotation = headRotation(traits);
  for (const solid of solids(traits)) project(solid, rotation, view, { depth, part, surface });
  const canvas = shade(traits, crop, size, { part, surface });
  return finish(canvas, traits, size);
}

function headRotation(traits: Traits): Rotation {
  const yaw = (-traits.yawDegrees * Math.PI) / 180;
  const [cy, sy] = [Math.cos(yaw), Math.sin(yaw)];
  const [cp, sp] = [Math.cos(traits.pitch), Math.sin(traits.pitch)];
  const [cr, sr] = [Math.cos(traits.roll), Math.sin(traits.roll)];
  const turn = [cy, 0, sy, 0, 1, 0, -sy, 0, cy];
  const nod = [1, 0, 0, 0, cp, -sp, 0, sp, cp];
  const lean = [cr, -sr, 0, sr, cr, 0, 0, 0, 1];
  return multiply(lean, multiply(nod, turn));
}

function multiply(a: Rotation, b: Rotation): Rotation {
  return Array.from({ length: 9 }, (_, i) => {
    const [row, column] = [Math.floor(i / 3) * 3, i % 3];
    return a[row] * b[column] + a[row + 1] * b[column + 3] + a[row + 2] * b[column + 6];
  });
}

function solids(traits: Traits): Solid[] {
  const w = traits.headWidth;
  const skull = { center: [0, -0.24, -0.12], radii: [0.68 * w, 0.76, 0.84] } as const;
  const line = 0.16 + 0.25 * traits.hairline;
  const long = traits.hairLength > 0;
  const all: Solid[] = [
    { part: CLOTHES, center: [0, 2.12, -0.35], radii: [1.5, 0.95, 0.6], upright: true },
    { part: NECK, center: [0, 1.15, -0.22], radii: [0.4 * traits.jaw, 0.95, 0.4], upright: true },
    { part: SKIN, ...skull },
    { part: SKIN, center: [0, 0.17, 0.1], radii: [0.565 * w * traits.jaw, 0.83, 0.62] },
    {
      part: NOSE,
      center: [0, 0.06 + 0.13 * traits.noseLength, 0.66],
      radii: [0.105 * traits.noseWidth, 0.24 * traits.noseLength, 0.22],
    },
    {
      part: NOSE,
      center: [0, 0.04 + 0.27 * traits.noseLength, 0.72],
      radii: [0.135 * traits.noseWidth, 0.09, 0.16],
    },
  ];
  for (const side of [-1, 1]) {
    all.push({ part: SKIN, center: [side * 0.69 * w, 0.02, -0.12], radii: [0.07, 0.19, 0.12] });
  }
  if (!traits.bald) {
    all.push({
      part: HAIR,
      center: skull.center,
      radii: [skull.radii[0] * 1.07, skull.radii[1] * 1.08, skull.radii[2] * 1.06],
      where: (x, y, z) => -0.72 * y - 0.69 * z + 0.05 * Math.sin(17 * x + 5 * y) > line + 0.12 * x * x,
    });
  }
  if (long && !traits.bald) {
    const reach = 0.75 + traits.hairLength * 0.55;
    all.push({
      part: HAIR,
      center: [0, -0.2 + traits.hairLength * 0.5, -0.32],
      radii: [0.84 * w, reach, 0.62],
    });
  }
  return all;
}

interface View {
  readonly width: number;
  readonly height: number;
  readonly stepX: number;
  readonly stepY: number;
  readonly startX: number;
  readonly startY: number;
}

interface Buffers {
  readonly depth: Float32Array;
  readonly part: Uint8Array;
  readonly surface: Float32Array;
}

const UPRIGHT: Rotation = [1, 0, 0, 0, 1, 0, 0, 0, 1];

/** Writes an ellipsoid where it is nearer than what is there. */
function project(solid: Solid, head: Rotation, view: View, { depth, part, surface }: Buffers): void {
  const r = solid.upright === true ? UPRIGHT : head;
  const [cx, cy, cz] = solid.center;
  const camera = [0, 3, 6].map((i) => r[i] * cx + r[i + 1] * cy + r[i + 2] * cz);
  const [ix, iy, iz] = solid.radii.map((radius) => 1 / (radius * radius));
  // The quadratic form of the ellipsoid in camera coordinates, M = R diag(1/r^2) R'.
  const form = (a: number, b: number): number =>
    r[3 * a] * ix * r[3 * b] + r[3 * a + 1] * iy * r[3 * b + 1] + r[3 * a + 2] * iz * r[3 * b + 2];
  const [xx, xy, xz, yy, yz, zz] = [form(0, 0), form(0, 1), form(0, 2), form(1, 1), form(1, 2), form(2, 2)];
  const [rx, ry, rz] = solid.radii;
  const extentX = Math.hypot(r[0] * rx, r[1] * ry, r[2] * rz);
  const extentY = Math.hypot(r[3] * rx, r[4] * ry, r[5] * rz);
  const first = (low: number, start: number, step: number): number =>
    Math.max(0, Math.floor((low - start) / step));
  const fromI = first(camera[0] - extentX, view.startX, view.stepX);
  const toI = Math.min(view.width, Math.ceil((camera[0] + extentX - view.startX) / view.stepX) + 1);
  const fromJ = first(camera[1] - extentY, view.startY, view.stepY);
  const toJ = Math.min(view.height, Math.ceil((camera[1] + extentY - view.startY) / view.stepY) + 1);

  for (let j = fromJ; j < toJ; j++) {
    const y = view.startY + (j + 0.5) * view.stepY - camera[1];
    for (let i = fromI; i < toI; i++) {
      const x = view.startX + (i + 0.5) * view.stepX - camera[0];
      // zz z^2 + 2 b z + c = 0; the nearer solution.
      const b = xz * x + yz * y;
      const c = xx * x * x + 2 * xy * x * y + yy * y * y - 1;
      const discriminant = b * b - zz * c;
      if (discriminant <= 0) continue;
      const z = (Math.sqrt(discriminant) - b) / zz;
      const at = j * view.width + i;
      if (z + camera[2] <= depth[at]) continue;
      const hx = r[0] * x + r[3] * y + r[6] * z + cx;
      const hy = r[1] * x + r[4] * y + r[7] * z + cy;
      const hz = r[2] * x + r[5] * y + r[8] * z + cz;
      if (solid.where !== undefined && !solid.where(hx, hy, hz)) continue;
      depth[at] = z + camera[2];
      part[at] = solid.part;
      const nx = xx * x + xy * y + xz * z;
      const ny = xy * x + yy * y + yz * z;
      const nz = xz * x + yz * y + zz * z;
      const length = 1 / Math.sqrt(nx * nx + ny * ny + nz * nz);
      const o = at * 6;
      surface[o] = hx;
      surface[o + 1] = hy;
      surface[o + 2] = hz;
      surface[o + 3] = nx * length;
      surface[o + 4] = ny * length;
      surface[o + 5] = nz * length;
    }
  }
}

/** Colours every pixel. @returns float32 [height, width, 3], 0..255 */
function shade(
  traits: Traits,
  crop: Crop,
  { width, height }: { readonly width: number; readonly height: number },
  { part, surface }: Pick<Buffers, "part" | "surface">,
): Float32Array {
  const canvas = new Float32Array(width * height * 3);
  const paint: Paint = { r: 0, g: 0, b: 0 };
  const [lx, ly, lz] = traits.light;
  for (let j = 0; j < height; j++) {
    const v = crop[1] + ((j + 0.5) / height) * (crop[3] - crop[1]);
    for (let i = 0; i < width; i++) {
      const at = j * width + i;
      const o = at * 6;
      const kind = part[at];
      if (kind === 0) {
        paintBackground(traits, crop[0] + ((i + 0.5) / width) * (crop[2] - crop[0]), v, paint);
      } else {
        const x = surface[o];
        const y = surface[o + 1];
        const z = surface[o + 2];
        if (kind === SKIN || kind === NOSE) paintFace(traits, x, y, z, kind === NOSE, paint);
        else if (kind === HAIR) hairColor(traits, x, y, z, paint);
        else setColor(paint, kind === NECK ? traits.skin : traits.clothes);
        const facing = surface[o + 3] * lx + surface[o + 4] * ly + surface[o + 5] * lz;
        const neck = kind === NECK ? 0.8 : 1; // in the shadow of the chin
        const lit = neck * (traits.ambient + traits.diffuse * Math.max(0, facing));
        paint.r *= lit;
        paint.g *= lit;
        paint.b *= lit;
      }
      canvas[at * 3] = paint.r;
      canvas[at * 3 + 1] = paint.g;
      canvas[at * 3 + 2] = paint.b;
    }
  }
  return canvas;
}

function paintBackground(traits: Traits, u: number, v: number, paint: Paint): void {
  const [top, bottom] = traits.background;
  const share = Math.min(1, Math.max(0, v));
  paint.r = top[0] + (bottom[0] - top[0]) * share;
  paint.g = top[1] + (bottom[1] - top[1]) * share;
  paint.b = top[2] + (bottom[2] - top[2]) * share;
  for (const { x, y, r, color } of traits.blobs) {
    if ((u - x) ** 2 + (v - y) ** 2 < r * r) setColor(paint, color);
  }
}

function setColor(paint: Paint, color: readonly [number, number, number]): void {
  paint.r = color[0];
  paint.g = color[1];
  paint.b = color[2];
}

/** Softens by a 1-2-1 kernel in both directions (a lens is not sharper than a pixel) and adds noise. */
function finish(
  canvas: Float32Array,
  traits: Traits,
  { width, height }: { readonly width: number; readonly height: number },
): Uint8Array {
  const across = new Float32Array(canvas.length);
  const line = width * 3;
  for (let j = 0; j < height; j++) {
    const row = j * line;
    for (let k = 0; k < line; k++) {
      const left = k < 3 ? k : k - 3;
      const right = k + 3 < line ? k + 3 : k;
      across[row + k] = 0.25 * (canvas[row + left] + canvas[row + right]) + 0.5 * canvas[row + k];
    }
  }
  const out = new Uint8Array(canvas.length);
  let state = traits.noiseSeed | 1;
  // Sum of four uniform bytes: nearly normal, variance 4 * (256^2 - 1) / 12.
  const scale = traits.noise / 147.8;
  for (let j = 0; j < height; j++) {
    const row = j * line;
    const above = j > 0 ? row - line : row;
    const below = j + 1 < height ? row + line : row;
    for (let i = 0; i < line; i += 3) {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      const mixed = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d);
      const sum = (mixed & 255) + ((mixed >>> 8) & 255) + ((mixed >>> 16) & 255) + (mixed >>> 24);
      const noise = (sum - 510) * scale + 0.5;
      for (let c = i; c < i + 3; c++) {
        const value = 0.25 * (across[above + c] + across[below + c]) + 0.5 * across[row + c] + noise;
        out[row + c] = value < 0 ? 0 : value > 255 ? 255 : value;
      }
    }
  }
  return out;
}
