import { expect } from "chai";
import { styleSheet } from "../../lib/report/style.ts";

type Rgb = readonly [number, number, number];

/** The colours of a theme by their names: the first block is light, the second dark. */
function themes(): ReadonlyMap<string, string>[] {
  const blocks = styleSheet.split("color-scheme: ").filter((block) => block.includes("--card:"));
  return blocks.map(
    (block) =>
      new Map(Array.from(block.matchAll(/(--[\w-]+): ([^;]+);/g), ([, name, value]) => [name, value])),
  );
}

/** A colour as it looks on another. */
function colour(text: string, below: Rgb = [255, 255, 255]): Rgb {
  const digits = /^#(..)(..)(..)$/.exec(text);
  if (digits) return [1, 2, 3].map((i) => parseInt(digits[i], 16)) as unknown as Rgb;
  const [r, g, b, a] = Array.from(text.matchAll(/[\d.]+/g), ([one]) => Number(one));
  return [r, g, b].map((value, i) => a * value + (1 - a) * below[i]) as unknown as Rgb;
}

/** Relative luminance (WCAG 2.2). */
function luminance(rgb: Rgb): number {
  const [r, g, b] = rgb.map((value) =>
    value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4,
  );
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(one: Rgb, other: Rgb): number {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

describe("report: contrast (WCAG AA)", () => {
  for (const [i, name] of ["light", "dark"].entries()) {
    const theme = themes()[i];
    const of = (key: string): string => theme.get(key) ?? expect.fail(key);
    const card = colour(of("--card"));
    const grounds = {
      page: colour(of("--page")),
      card,
      soft: colour(of("--soft")),
      bar: colour(of("--bar"), card),
    };

    it(`${name}: text can be read on every ground it stands on`, () => {
      for (const ink of ["--ink", "--ink-2", "--ink-3", "--link", "--c2-ink"])
        for (const [where, ground] of Object.entries(grounds))
          expect(contrast(colour(of(ink)), ground), `${ink} on ${where}`).to.be.at.least(4.5);
    });

    it(`${name}: bars and lines can be told from the ground`, () => {
      for (const mark of ["--c1", "--c2", "--c3", "--c4", "--mute-2", "--focus"])
        expect(contrast(colour(of(mark)), card), mark).to.be.at.least(3);
    });
  }
});
