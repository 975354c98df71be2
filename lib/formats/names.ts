/** File formats that a model can be written in. Apart from the writers, so that a help text does not load them. */
import { extname } from "node:path";
import { EtlError } from "../core/errors.ts";

const modelFormats = ["onnx", "tfjs"] as const;

export type ModelFormat = (typeof modelFormats)[number];

/** What `export` writes beside whole models: the weights alone, under PyTorch's names, and a page. */
export const exportFormats = [...modelFormats, "safetensors", "web"] as const;

export type ExportFormat = (typeof exportFormats)[number];

/** The format that a name asks for: `.onnx`, tfjs for `.json`, `.safetensors`; undefined where the name does not say. */
export function namedFormat(path: string): Exclude<ExportFormat, "web"> | undefined {
  const ending = extname(path).toLowerCase();
  if (ending === ".onnx") return "onnx";
  if (ending === ".safetensors") return "safetensors";
  return ending === ".json" ? "tfjs" : undefined;
}

/** The options of export that mean something for each format. */
const meant: Readonly<Record<ExportFormat, readonly string[]>> = {
  onnx: ["strip", "for", "size"],
  tfjs: ["strip", "size"],
  safetensors: [],
  web: ["strip", "size", "precision"],
};

/**
 * @param given names of options that a call gives
 * @throws EtlError `usage` for an option that would change nothing
 */
export function refuseIdle(given: readonly string[], format: ExportFormat, out: string): void {
  const others = Object.entries(meant);
  const idle = given.find(
    (name) => !meant[format].includes(name) && others.some(([, own]) => own.includes(name)),
  );
  if (idle === undefined) return;
  const where = others.flatMap(([other, own]) => (own.includes(idle) ? [other] : []));
  throw new EtlError(
    "usage",
    `--${idle}: ${out} is written as ${format}, where it means nothing; one of ${where.join(", ")} was needed`,
    { hint: `leave --${idle} out, or choose another --format` },
  );
}
