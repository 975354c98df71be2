import { own } from "./own.ts";

/**
 * How messages name an option. They are written as the command line has it (`--val-fraction 0.3`, `--no-augment`); a caller of
 * the library reads its own words (`valFraction 0.3`, `augment: false`).
 */
type Words = "flags" | "names";

/** Where it is kept: a module that is loaded late may be a second copy of this one under some loaders. */
const spoken: unique symbol = Symbol.for("etl-prune: words of options");
const kept = globalThis as { [spoken]?: Words | undefined };

/** Says options like this from here on: the program and its threads as flags. Returns what ends that. */
export function speak(words: Words): () => void {
  const before = kept[spoken];
  kept[spoken] = words;
  return () => {
    kept[spoken] = before;
  };
}

/** Flags that the library knows by another name than their own in one word. */
const others: Readonly<Record<string, string>> = {
  control: "controls",
  "baseline-learning-rate": "baselineLearningRates",
  replace: "replace: true",
};

/** An option of which both words are known. */
export function optionWord(flag: string, name: string): string {
  return kept[spoken] === "flags" ? `--${flag}` : name;
}

/** A message in the caller's words. Commands that are quoted in it stay commands. */
export function worded(text: string): string {
  if (kept[spoken] === "flags") return text;
  return text.replaceAll(
    /\b(?:etl|npm|python) [a-z-][^;),]*|(?<![\w-])--(no-)?([a-z][a-z0-9]*(?:-[a-z0-9]+)*)/g,
    (whole: string, no?: string, flag?: string) => {
      if (flag === undefined) return whole;
      const name =
        own(others, flag) ?? flag.replaceAll(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
      return no === undefined ? name : `${name}: false`;
    },
  );
}
