/** The one file that makes random numbers. Same seed, same numbers, on every machine. */

/** A stream of random numbers. */
export interface Random {
  /** Uniform in [0, 1). */
  uniform(): number;
  /** Standard normal (Box-Muller). */
  normal(): number;
  /** Uniform integer in 0..n-1. */
  integer(n: number): number;
  /** A new array, shuffled (Fisher-Yates). */
  shuffle<T>(items: readonly T[]): T[];
  /** An independent stream, named: the same label always gives the same stream. */
  fork(label: string | number): Random;
}

/**
 * A seeded stream (sfc32, seeded through splitmix32).
 *
 * @param seed any integer or text
 */
export function createRandom(seed: number | string): Random {
  const key = typeof seed === "number" ? `#${seed}` : seed;
  let mix = hash(key);
  const split = (): number => {
    mix = (mix + 0x9e3779b9) | 0;
    let z = mix;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return z ^ (z >>> 15);
  };
  let [a, b, c, counter] = [split(), split(), split(), 1];
  const next = (): number => {
    const t = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + t) | 0;
    return t >>> 0;
  };
  for (let i = 0; i < 12; i++) next();

  const uniform = (): number => (next() * 2 ** 21 + (next() >>> 11)) / 2 ** 53;
  const integer = (n: number): number => Math.floor(uniform() * n);
  return {
    uniform,
    integer,
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    shuffle: <T>(items: readonly T[]): T[] => {
      const result = items.slice();
      for (let i = result.length - 1; i > 0; i--) {
        const j = integer(i + 1);
        [result[i], result[j]] = [result[j], result[i]];
      }
      return result;
    },
    fork: (label) => createRandom(`${key}/${label}`),
  };
}

/** 32-bit FNV-1a hash of a text. */
export function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h;
}
