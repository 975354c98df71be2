/** Who a drawn face is: labels, and the looks that follow from them with much overlap. */
import { createRandom, type Random } from "../../core/random.ts";

type Rgb = readonly [number, number, number];

const EMOTIONS = ["neutral", "happiness", "sadness", "surprise", "anger"] as const;
type Emotion = (typeof EMOTIONS)[number];

/** Lengths in head units (1 = half of the head's height), angles in radians, shares in 0..1. */
export interface Traits {
  readonly gender: "female" | "male";
  /** Whole years. */
  readonly age: number;
  readonly emotion: Emotion;
  /** -1..1, two decimals. */
  readonly valence: number;
  /** Whole degrees; positive = the nose points to the left side of the picture (as in Pointing'04). */
  readonly yawDegrees: number;

  readonly pitch: number;
  readonly roll: number;
  /** Position of the head and length of a head unit, in fractions of the picture. */
  readonly center: readonly [number, number];
  readonly unit: number;
  readonly skin: Rgb;
  readonly hair: Rgb;
  readonly iris: Rgb;
  readonly lips: Rgb;
  readonly clothes: Rgb;
  readonly background: readonly [Rgb, Rgb];
  /** Round things behind the head: x, y, radius (fractions of the picture), colour. */
  readonly blobs: readonly {
    readonly x: number;
    readonly y: number;
    readonly r: number;
    readonly color: Rgb;
  }[];
  readonly jaw: number;
  readonly headWidth: number;
  readonly noseWidth: number;
  readonly noseLength: number;
  readonly eyeSize: number;
  readonly eyeGap: number;
  readonly browThickness: number;
  /** How far hair reaches below the middle of the head; below 0 = short. */
  readonly hairLength: number;
  /** Larger = higher hairline. */
  readonly hairline: number;
  readonly bald: boolean;
  readonly beard: number;
  readonly wrinkles: number;
  readonly glasses: boolean;
  /** Mouth: corners up (+) or down (-), opening, half width. */
  readonly mouthCurve: number;
  readonly mouthOpen: number;
  readonly mouthWidth: number;
  /** Brows: inner ends up (+, sad) or down (-, angry), and raised as a whole. */
  readonly browTilt: number;
  readonly browRaise: number;
  readonly eyeOpen: number;
  readonly gaze: number;
  /** Direction to the light (unit length), its strength and that of the ambient light. */
  readonly light: readonly [number, number, number];
  readonly diffuse: number;
  readonly ambient: number;
  /** Standard deviation of pixel noise, 0..255. */
  readonly noise: number;
  readonly noiseSeed: number;
}

/** What a face of each emotion does, before the person's own variation. */
const EXPRESSIONS: Readonly<
  Record<Emotion, { curve: number; open: number; tilt: number; raise: number; eyes: number; valence: number }>
> = {
  neutral: { curve: 0, open: 0.05, tilt: 0, raise: 0, eyes: 1, valence: 0 },
  happiness: { curve: 1, open: 0.4, tilt: 0.05, raise: 0.1, eyes: 0.75, valence: 0.75 },
  sadness: { curve: -0.8, open: 0.03, tilt: 0.9, raise: 0.05, eyes: 0.75, valence: -0.55 },
  surprise: { curve: -0.05, open: 0.95, tilt: 0.1, raise: 0.9, eyes: 1.45, valence: 0.15 },
  anger: { curve: -0.4, open: 0.15, tilt: -1, raise: -0.55, eyes: 0.85, valence: -0.7 },
};

const SKINS: readonly Rgb[] = [
  [246, 214, 190],
  [234, 192, 160],
  [214, 168, 130],
  [186, 136, 98],
  [146, 100, 68],
  [102, 68, 48],
];
const HAIRS: readonly Rgb[] = [
  [28, 22, 20],
  [52, 34, 24],
  [92, 60, 36],
  [140, 96, 52],
  [196, 160, 96],
  [124, 52, 28],
];
const IRISES: readonly Rgb[] = [
  [64, 40, 24],
  [88, 60, 32],
  [72, 104, 136],
  [84, 112, 76],
];

/** The traits of the face with this number: always the same. */
export function traitsOf(index: number): Traits {
  const random = createRandom("synthetic faces 1").fork(index);
  const pick = <T>(list: readonly T[]): T => list[random.integer(list.length)];
  const between = (low: number, high: number): number => low + (high - low) * random.uniform();
  const gender = random.uniform() < 0.5 ? "female" : "male";
  const male = gender === "male";
  const age = Math.round(4 + 80 * random.uniform() ** 1.15);
  const emotion = pick(EMOTIONS);
  const strength = between(0.8, 1.2);
  const yaw = random.uniform() < 0.75 ? 15 * random.normal() : between(-90, 90);
  const face = expression(emotion, strength, random);
  const old = Math.min(1, Math.max(0, (age - 25) / 55));
  const child = Math.min(1, Math.max(0, (16 - age) / 12));
  const adult = 1 - child;
  const skin = vary(pick(SKINS), 10, random);
  const grey = random.uniform() < 1 / (1 + Math.exp(-(age - 55) / 6));
  const plain = vary(pick(HAIRS), 10, random);
  const long = random.uniform() < (male ? 0.06 : 0.88);
  const redLips = !male && adult > 0.9 && random.uniform() < 0.7;
  const beard = male && age > 17 && random.uniform() < 0.65 ? between(0.35, 1) : 0;
  return {
    gender,
    age,
    emotion,
    valence: face.valence,
    yawDegrees: Math.round(Math.max(-90, Math.min(90, yaw))),
    pitch: 0.09 * random.normal(),
    roll: 0.07 * random.normal(),
    center: [0.5 + 0.025 * random.normal(), 0.39 + 0.02 * random.normal()],
    unit: between(0.4, 0.465),
    skin,
    hair: grey ? vary([188, 186, 184], 18, random) : plain,
    iris: vary(pick(IRISES), 8, random),
    lips: redLips
      ? mix(skin, vary([186, 28, 52], 18, random), between(0.45, 0.85))
      : mix(skin, [168, 84, 80], between(0.25, 0.5)),
    clothes: [between(20, 230), between(20, 230), between(20, 230)],
    background: [randomColor(random), randomColor(random)],
    blobs: Array.from({ length: random.integer(5) }, () => ({
      x: between(-0.1, 1.1),
      y: between(-0.1, 1.1),
      r: between(0.05, 0.35),
      color: randomColor(random),
    })),
    jaw: 1 + (male ? 0.1 : -0.07) * adult + 0.03 * child + 0.04 * random.normal(),
    headWidth: 1 + 0.04 * random.normal() + 0.05 * child,
    noseWidth: (1 + 0.14 * random.normal() + (male ? 0.08 : -0.06)) * (1 - 0.2 * child),
    noseLength: (1 + 0.08 * random.normal() + 0.08 * old) * (1 - 0.25 * child),
    eyeSize: (1 + 0.07 * random.normal() - (male ? 0.05 : -0.05)) * (1 + 0.25 * child),
    eyeGap: 0.265 + 0.015 * random.normal(),
    browThickness: 0.034 + (male ? 0.014 : -0.011) * adult + 0.006 * random.normal(),
    hairLength: long ? between(0.35, 1.2) : between(-0.5, -0.1),
    hairline: 0.1 * random.normal() + (male ? 0.16 * old : 0.03 * old),
    bald: male && random.uniform() < 0.45 * old,
    beard,
    wrinkles: Math.max(0, old + 0.12 * random.normal()),
    glasses: random.uniform() < 0.08 + 0.15 * old,
    ...face.shape,
    mouthWidth: 0.24 * (1 + 0.08 * random.normal()) * (1 + 0.18 * Math.max(0, face.shape.mouthCurve)),
    gaze: 0.3 * random.normal(),
    light: lightDirection(random),
    diffuse: between(0.35, 0.75),
    ambient: between(0.4, 0.65),
    noise: between(1, 7),
    noiseSeed: random.integer(2 ** 31),
  };
}

function expression(
  emotion: Emotion,
  strength: number,
  random: Random,
): {
  valence: number;
  shape: Pick<Traits, "mouthCurve" | "mouthOpen" | "browTilt" | "browRaise" | "eyeOpen">;
} {
  const base = EXPRESSIONS[emotion];
  const mouthCurve = base.curve * strength + 0.12 * random.normal();
  const valence = base.valence * strength + 0.3 * (mouthCurve - base.curve * strength);
  const opens = random.uniform() < 0.2 ? 0.4 : 0; // somebody is just speaking
  return {
    valence: Math.round(100 * Math.max(-1, Math.min(1, valence))) / 100,
    shape: {
      mouthCurve,
      mouthOpen: Math.max(0, base.open * strength + opens * random.uniform() + 0.06 * random.normal()),
      browTilt: base.tilt * strength + 0.13 * random.normal(),
      browRaise: base.raise * strength + 0.13 * random.normal(),
      eyeOpen: Math.max(0.35, 1 + (base.eyes - 1) * strength + 0.1 * random.normal()),
    },
  };
}

function lightDirection(random: Random): [number, number, number] {
  const x = 0.55 * random.normal();
  const y = -0.45 + 0.3 * random.normal();
  const z = 1;
  const length = Math.hypot(x, y, z);
  return [x / length, y / length, z / length];
}

function randomColor(random: Random): Rgb {
  const grey = 30 + 200 * random.uniform();
  return vary([grey, grey, grey], 30, random);
}

function vary(color: Rgb, spread: number, random: Random): Rgb {
  const all = spread * random.normal();
  return [
    color[0] + all + 0.3 * spread * random.normal(),
    color[1] + all,
    color[2] + all + 0.3 * spread * random.normal(),
  ];
}

/** `share` of b, the rest of a. */
function mix(a: Rgb, b: Rgb, share: number): Rgb {
  return [a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share];
}
