/** The modules of this program that run in a page, and the libraries they need, as files of a folder. */
import { createRequire } from "node:module";
import { dirname, join, posix, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { EtlError } from "../../core/errors.ts";
import { readBytes, readText } from "../../core/files.ts";
import { places } from "../../web/places.ts";

/** Packages that the page's modules import, and the file of each that browsers read. */
const libraries: Readonly<Record<string, { readonly from: string; readonly as: string }>> = {
  "@tensorflow/tfjs-core": { from: "dist/tf-core.fesm.min.js", as: "tf-core.js" },
  "@tensorflow/tfjs-backend-wasm": { from: "dist/tf-backend-wasm.fesm.min.js", as: "tf-backend-wasm.js" },
};

/** WebAssembly of the backend: with vector instructions, and for browsers without. */
const wasmFiles = ["tfjs-backend-wasm-simd.wasm", "tfjs-backend-wasm.wasm"];

/** Stands in for the modules of Node.js that the backend names and, in a browser, does not use. */
const NOTHING = "nothing.js";

const here = dirname(fileURLToPath(import.meta.url));
const lib = join(here, "..", "..");

/** Whether the sources run, as in a clone, not the built package. */
const isSource = import.meta.url.endsWith(".ts");

/** The start of an import or a re-export at the beginning of a line, and the name of its module. */
const imported = /^(?:(?:import|export)\s[^"'`;()]*?\bfrom\s*|import\s*)"([^"]+)"/gm;

/**
 * The modules that begin with `entries` (paths in `lib`, without ending) and all that they import.
 *
 * @returns path in the page's folder -> text
 */
export async function pageModules(entries: readonly string[]): Promise<Map<string, string>> {
  const ending = isSource ? ".ts" : ".js";
  const found = new Map<string, string>();
  const pending = entries.map((entry) => join(lib, entry + ending));
  const seen = new Set(pending);
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    const script = await readScript(path);
    const name = posix.join(places.code, inPage(path));
    const text = script.replace(imported, (whole, module: string) => {
      const target = targetOf(path, module);
      if (target.file !== undefined && !seen.has(target.file)) {
        seen.add(target.file);
        pending.push(target.file);
      }
      return whole.replace(`"${module}"`, JSON.stringify(besides(name, target.name)));
    });
    found.set(name, text);
  }
  return found;
}

/** Where a module lies in the page's folder; `file` where it is one of ours. */
function targetOf(importer: string, module: string): { readonly name: string; readonly file?: string } {
  if (module.startsWith(".")) {
    const file = join(dirname(importer), isSource ? module.replace(/\.js$/, ".ts") : module);
    return { name: posix.join(places.code, inPage(file)), file };
  }
  const library = Object.hasOwn(libraries, module) ? libraries[module] : undefined;
  if (library !== undefined) return { name: places.runtime + library.as };
  throw new Error(`${importer}: imports ${module}, which no browser has`);
}

/** Path of a module of ours inside `lib`, as a browser asks for it. */
function inPage(path: string): string {
  return relative(lib, path).split(sep).join("/").replace(/\.ts$/, ".js");
}

/** One name of the page's folder as seen from another. */
function besides(from: string, to: string): string {
  const path = posix.relative(posix.dirname(from), to);
  return path.startsWith(".") ? path : `./${path}`;
}

/** The module as JavaScript. In a clone the compiler of the sources is there; the built package holds JavaScript. */
async function readScript(path: string): Promise<string> {
  const text = await readText(path);
  if (!isSource) return text;
  const { default: ts } = await import("typescript");
  const { outputText } = ts.transpileModule(text, {
    fileName: path,
    compilerOptions: {
      module: ts.ModuleKind.ESNext,
      target: ts.ScriptTarget.ES2023,
      verbatimModuleSyntax: true,
      rewriteRelativeImportExtensions: true,
    },
  });
  return outputText;
}

/**
 * TensorFlow.js for browsers, from where it is installed.
 *
 * @returns path in the page's folder -> bytes
 * @throws EtlError `engine` where it is not installed
 */
export async function pageRuntime(): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  const put = (name: string, bytes: Uint8Array): void => void files.set(places.runtime + name, bytes);
  put(NOTHING, new TextEncoder().encode("export default {};\n"));
  for (const [name, { from, as }] of Object.entries(libraries)) {
    const text = await readText(join(folderOf(name), from));
    const inPlace = text.replace(/\bfrom\s*"([^"]+)"/g, (_, module: string) =>
      Object.hasOwn(libraries, module) ? `from"./${libraries[module].as}"` : `from"./${NOTHING}"`,
    );
    put(as, new TextEncoder().encode(inPlace));
  }
  for (const name of wasmFiles)
    put(name, await readBytes(join(folderOf("@tensorflow/tfjs-backend-wasm"), "dist", name)));
  return files;
}

function folderOf(name: string): string {
  try {
    return dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
  } catch (cause) {
    throw new EtlError("engine", `${name}: not installed, a page runs its network with it`, {
      hint: `npm install ${Object.keys(libraries).join(" ")}`,
      cause,
    });
  }
}
