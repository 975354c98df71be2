/** Runs the TypeScript cells of a notebook without Jupyter: all of them in order, as one module. */
import { randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { inspect } from "node:util";

const root = join(import.meta.dirname, "../..");
export const notebookFolder = join(root, "notebooks");

export type Output =
  | { readonly output_type: "stream"; readonly name: "stdout"; readonly text: readonly string[] }
  | {
      readonly output_type: "display_data";
      readonly data: Readonly<Record<string, readonly string[]>>;
      readonly metadata: object;
    };

export interface Cell {
  readonly cell_type: "code" | "markdown";
  readonly id: string;
  readonly metadata: object;
  readonly source: readonly string[];
  readonly execution_count?: number | null;
  readonly outputs?: readonly Output[];
}

export interface Notebook {
  readonly cells: readonly Cell[];
  readonly metadata: object;
  readonly nbformat: number;
  readonly nbformat_minor: number;
}

/** File names of the notebooks, in order. */
export async function notebookNames(): Promise<string[]> {
  return (await readdir(notebookFolder)).filter((name) => name.endsWith(".ipynb")).sort();
}

export async function readNotebook(name: string): Promise<Notebook> {
  return JSON.parse(await readFile(join(notebookFolder, name), "utf8")) as Notebook;
}

export function codeCells(notebook: Notebook): Cell[] {
  return notebook.cells.filter(({ cell_type }) => cell_type === "code");
}

/** The cells as one module. `before` gives the text in front of each cell. */
export function moduleText(notebook: Notebook, before: (cell: number) => string = () => ""): string {
  return codeCells(notebook)
    .map(({ source }, i) => `${before(i)}${source.join("")}\n`)
    .join("\n");
}

/** The outputs of the cell that is running. */
let current: Output[] = [];

/** Records something shown. */
export function show(type: string, text: string): void {
  current.push({ output_type: "display_data", data: { [type]: linesOf(text) }, metadata: {} });
}

/** Text as notebooks hold it: a list of lines with their ends. */
function linesOf(text: string): string[] {
  return text.split(/(?<=\n)/);
}

function print(...parts: unknown[]): void {
  const text = `${parts.map((part) => (typeof part === "string" ? part : inspect(part))).join(" ")}\n`;
  const last = current.at(-1);
  if (last?.output_type === "stream") {
    current[current.length - 1] = { ...last, text: [...last.text, ...linesOf(text)] };
  } else current.push({ output_type: "stream", name: "stdout", text: linesOf(text) });
}

/** Modules that notebooks import by name, and what stands for them here. */
const modules = { "etl-prune": "lib/index.ts", tslab: "test/notebooks/tslab.ts" } as const;

/** Runs all cells; returns the outputs of each code cell. */
export async function execute(notebook: Notebook): Promise<Output[][]> {
  const outputs: Output[][] = codeCells(notebook).map(() => []);
  const key = `etl-notebook-${randomUUID()}`;
  const begin = (cell: number): void => {
    current = outputs[cell];
  };
  Object.assign(globalThis, { [key]: { console: { ...console, log: print }, begin } });
  let text = moduleText(notebook, (cell) => `__begin(${cell});\n`);
  for (const [name, file] of Object.entries(modules)) {
    text = text.replaceAll(
      ` from "${name}"`,
      ` from ${JSON.stringify(pathToFileURL(join(root, file)).href)}`,
    );
  }
  // Below the project, so that other packages resolve as they do for a notebook there.
  const folder = join(root, "node_modules/.cache/etl-notebooks");
  const path = join(folder, `${key}.mts`);
  await mkdir(folder, { recursive: true });
  const head = `const { console, begin: __begin } = (globalThis as any)[${JSON.stringify(key)}];\n`;
  await writeFile(path, head + text);
  try {
    await import(pathToFileURL(path).href);
  } finally {
    await rm(path);
    Reflect.deleteProperty(globalThis, key);
  }
  return outputs;
}
