import { expect } from "chai";
import { join } from "node:path";
import ts from "typescript";
import { moduleText, notebookNames, readNotebook } from "../notebooks/execute.ts";
import { readPages, root } from "./markdown.ts";

/** Fenced `ts` blocks, as files beside the project's own: name -> text. Nothing is written to disk. */
function blockFiles(): Map<string, string> {
  const files = new Map<string, string>();
  for (const page of readPages()) {
    for (const { language, text, line } of page.blocks) {
      if (language !== "ts") continue;
      const name = `${page.path.replace(/[^\w]+/g, "-")}-line-${line}.ts`;
      // A block without an import is a script otherwise, and its names would meet those of the others.
      files.set(join(root, "test/docs", name), `${text}\nexport {};\n`);
    }
  }
  return files;
}

/** The cells of each notebook, as files beside those of the project. */
async function notebookFiles(): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const name of await notebookNames()) {
    const text = moduleText(await readNotebook(name));
    files.set(join(root, "test/docs", `${name.replace(/\W+/g, "-")}.ts`), `${text}\nexport {};\n`);
  }
  return files;
}

/** What the compiler says about `files`, with "etl-prune" mapped to the public surface. */
function check(files: ReadonlyMap<string, string>): string[] {
  const config = ts.readConfigFile(join(root, "tsconfig.json"), (path) => ts.sys.readFile(path));
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root);
  const settings: ts.CompilerOptions = {
    ...options,
    noEmit: true,
    noUnusedLocals: false,
    noUnusedParameters: false,
    paths: {
      "etl-prune": [join(root, "lib/index.ts")],
      tslab: [join(root, "test/notebooks/tslab.ts")],
    },
  };
  const disk = ts.createCompilerHost(settings);
  const host: ts.CompilerHost = {
    ...disk,
    fileExists: (path) => files.has(path) || disk.fileExists(path),
    readFile: (path) => files.get(path) ?? disk.readFile(path),
    getSourceFile: (path, version, ...rest) => {
      const text = files.get(path);
      return text === undefined
        ? disk.getSourceFile(path, version, ...rest)
        : ts.createSourceFile(path, text, version);
    },
  };
  const program = ts.createProgram([...files.keys()], settings, host);
  const found: string[] = [];
  for (const path of files.keys()) {
    const source = program.getSourceFile(path);
    if (source === undefined) throw new Error(`${path} was not compiled`);
    for (const problem of [
      ...program.getSyntacticDiagnostics(source),
      ...program.getSemanticDiagnostics(source),
    ]) {
      const line = source.getLineAndCharacterOfPosition(problem.start ?? 0).line + 1;
      const message = ts.flattenDiagnosticMessageText(problem.messageText, " ");
      found.push(`${path.slice(root.length + 1)}, line ${line} of the block: ${message}`);
    }
  }
  return found;
}

describe("docs: code", function () {
  this.timeout(240_000);

  it("every ts block and every notebook type-checks, and a wrong one does not", async () => {
    const files = new Map([...blockFiles(), ...(await notebookFiles())]);
    expect(files.size).to.be.greaterThan(6);
    const wrong = join(root, "test/docs/wrong.ts");
    const text = 'import { prune } from "etl-prune";\nawait prune({ task: 1 });\n';
    const found = check(new Map([...files, [wrong, text]]));
    expect(found.filter((each) => each.includes("wrong.ts"))).to.not.be.empty;
    expect(found.filter((each) => !each.includes("wrong.ts"))).to.deep.equal([]);
  });
});
