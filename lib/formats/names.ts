/** File formats that a model can be written in. Apart from the writers, so that a help text does not load them. */
import { extname } from "node:path";

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
