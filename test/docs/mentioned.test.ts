import { expect } from "chai";
import { join } from "node:path";
import ts from "typescript";
import { root } from "./markdown.ts";

/** Types of the library that its public signatures mention and that cannot be imported: "Layout of Coupling". */
function unexported(): string[] {
  const config = ts.readConfigFile(join(root, "tsconfig.json"), (path) => ts.sys.readFile(path));
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root);
  const entry = join(root, "lib/index.ts");
  const program = ts.createProgram([entry, join(root, "lib/json.ts")], { ...options, noEmit: true });
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(entry) ?? expect.fail("no lib/index.ts");
  const real = (symbol: ts.Symbol): ts.Symbol =>
    symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  const module = checker.getSymbolAtLocation(source) ?? expect.fail("no module");
  const exported = new Set(checker.getExportsOfModule(module).map(real));
  const found = new Set<string>();
  for (const symbol of exported) {
    const look = (node: ts.Node): void => {
      if (ts.isBlock(node)) return; // what a function does inside is its own affair
      const name = ts.isTypeReferenceNode(node)
        ? node.typeName
        : ts.isExpressionWithTypeArguments(node)
          ? node.expression
          : undefined;
      const target = name && checker.getSymbolAtLocation(name);
      if (target !== undefined) {
        const type = real(target);
        const [declared] = type.declarations ?? [];
        const ours = declared?.getSourceFile().fileName.startsWith(join(root, "lib"));
        // A type that its file keeps to itself is a shorthand: readers see what it stands for.
        const shown = declared && ts.getCombinedModifierFlags(declared) & ts.ModifierFlags.Export;
        if (ours && shown && !exported.has(type)) found.add(`${type.name} of ${symbol.name}`);
      }
      ts.forEachChild(node, look);
    };
    for (const declaration of symbol.declarations ?? [])
      if (!ts.isVariableDeclaration(declaration)) look(declaration);
  }
  return [...found].sort();
}

describe("docs: mentioned types", function () {
  this.timeout(120_000);

  it("every type that a public signature mentions can be imported", () => {
    expect(unexported()).to.deep.equal([]);
  });
});
