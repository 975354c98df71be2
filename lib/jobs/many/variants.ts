/** The grammar of `--ablate`: which options the further runs of a sweep change. */
import { EtlError, nearest } from "../../core/errors.ts";
import { pruneTable, type PruneOptions } from "../prune/options.ts";
import { checkOption, type Option } from "../run/option.ts";

/** Options that a variant sets, all else as in the plain run. */
export type Variant = Partial<Omit<PruneOptions, "task" | "data" | "out">>;

const variantOptions: ReadonlyMap<string, readonly [name: string, option: Option]> = new Map(
  Object.entries<Option>(pruneTable)
    .filter(([, option]) => option.variant === true)
    .map(([name, option]) => [option.flag, [name, option]]),
);

/**
 * Reads "scaling=paper,refit=false": one variant an entry; entries joined by + change together.
 *
 * @throws EtlError `usage` for an option that no variant can change, or a value that the option does not take
 */
export function parseVariants(given: readonly string[]): Variant[] {
  return given
    .flatMap((each) => each.split(","))
    .map((entry) => Object.fromEntries(entry.split("+").map((part) => settingOf(part.trim()))) as Variant);
}

function settingOf(part: string): [name: string, value: unknown] {
  const [key, text = ""] = part.split("=");
  const known = variantOptions.get(key);
  if (known === undefined) {
    const names = [...variantOptions.keys()];
    const near = nearest(key, names);
    throw new EtlError("usage", `--ablate: ${JSON.stringify(key)}, one of ${names.join(", ")} was needed`, {
      ...(near !== undefined && { hint: `did you mean ${near}?` }),
    });
  }
  const [name, option] = known;
  const value = readValue(option, text);
  if (value === undefined)
    throw new EtlError("usage", `--ablate: ${part}, a value of --${option.flag} was needed`);
  checkOption(option, value, key);
  return [name, value];
}

function readValue({ kind }: Option, text: string): unknown {
  if (text === "") return undefined;
  if (kind === "switch") return text === "true" ? true : text === "false" ? false : undefined;
  if (kind === "number" || (kind === "block" && text !== "auto")) return Number(text);
  return text;
}
