import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { expect } from "chai";
import ts from "typescript";
import { groupBy } from "../../lib/core/group-by.ts";
import { operatorsWhere } from "../../lib/network/operators/facts.ts";

const root = join(import.meta.dirname, "../..");

const filesOf = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true })
    .map((name) => join(folder, String(name)).replaceAll("\\", "/"))
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts"));
const files = filesOf("lib");

const parsed = (file: string): ts.SourceFile =>
  ts.createSourceFile(file, readFileSync(join(root, file), "utf8"), ts.ScriptTarget.Latest, true);

/** Names that a file declares and exports; what it hands on from another file is not declared there. */
function exportsOf(file: string): string[] {
  const isExported = (statement: ts.Statement): boolean =>
    ts.canHaveModifiers(statement) &&
    (ts.getModifiers(statement) ?? []).some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
  const bound = (name: ts.BindingName): string[] =>
    ts.isIdentifier(name)
      ? [name.text]
      : name.elements.flatMap((each) => (ts.isBindingElement(each) ? bound(each.name) : []));
  return parsed(file)
    .statements.filter(isExported)
    .flatMap((statement) => {
      if (ts.isVariableStatement(statement))
        return statement.declarationList.declarations.flatMap(({ name }) => bound(name));
      const named = statement as ts.Statement & { readonly name?: ts.Identifier };
      return named.name === undefined ? [] : [named.name.text];
    });
}

/** Every list of three or more texts in a file: arrays, what stands in a Set, words in a text that is split. */
function textListsOf(file: string): string[][] {
  const lists: string[][] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isArrayLiteralExpression(node))
      lists.push(node.elements.flatMap((each) => (ts.isStringLiteralLike(each) ? [each.text] : [])));
    if (ts.isStringLiteralLike(node)) lists.push(node.text.split(" "));
    node.forEachChild(visit);
  };
  visit(parsed(file));
  return lists.filter(({ length }) => length >= 3);
}

describe("the house: names", () => {
  it("an exported name means one thing in the whole library", () => {
    const homes = new Map<string, Set<string>>();
    for (const file of files)
      for (const name of exportsOf(file)) homes.set(name, (homes.get(name) ?? new Set()).add(file));
    expect(homes.size).to.be.greaterThan(1000);
    const double = [...homes].filter(([, places]) => places.size > 1);
    expect(double.map(([name, places]) => `${name}: ${[...places].join(", ")}`)).to.deep.equal([]);
  });

  it("a folder has at most 25 files", () => {
    const folders = groupBy([...files, ...filesOf("bin")], dirname);
    const full = [...folders].filter(([, inside]) => inside.length > 25);
    expect(full.map(([folder, inside]) => `${folder}: ${inside.length} files`)).to.deep.equal([]);
  });

  it("no two siblings share a word before a hyphen: that is a folder (published names of networks apart)", () => {
    const hyphened = [...files, ...filesOf("bin")].filter((file) => basename(file).includes("-"));
    const heaps = groupBy(
      hyphened.filter((file) => !file.startsWith("lib/backbones/nets/")),
      (file) => join(dirname(file), basename(file).split("-")[0]),
    );
    expect([...heaps.values()].filter(({ length }) => length > 1)).to.deep.equal([]);
  });

  it("no list of operators stands outside network/operators (what an ONNX version has is that format's own)", () => {
    const operators = new Set(operatorsWhere(() => true));
    const homes = /^lib\/(network\/operators|formats\/onnx)\//;
    const lists = files
      .filter((file) => !homes.test(file))
      .flatMap((file) =>
        textListsOf(file)
          .filter((texts) => texts.every((text) => operators.has(text)))
          .map((texts) => `${file}: ${texts.join(" ")}`),
      );
    expect(lists).to.deep.equal([]);
  });

  it("windows are read in network/operators alone, free names are found in network/edit", () => {
    const says = (pattern: RegExp, home: string): string[] =>
      files.filter((file) => file !== home && pattern.test(readFileSync(join(root, file), "utf8")));
    const windows = /Attribute\(\s*[\w.]+,\s*"(auto_pad|kernel_shape|strides|dilations|pads|ceil_mode)"/;
    expect(says(windows, "lib/network/operators/attributes.ts")).to.deep.equal([]);
    const naming = /for \(let \w+ = \d; [\w.]+\.has\(/;
    const others = says(naming, "lib/network/edit.ts").filter((file) => !file.startsWith("lib/data/"));
    expect(others).to.deep.equal([]);
  });

  it("engines are called by name in lib/engine alone", () => {
    const named = [...files, ...filesOf("bin")]
      .filter((file) => !file.startsWith("lib/engine/"))
      .flatMap((file) => {
        const found: string[] = [];
        const visit = (node: ts.Node): void => {
          if (ts.isStringLiteralLike(node) && node.text === "ort") found.push(file);
          node.forEachChild(visit);
        };
        visit(parsed(file));
        return found;
      });
    expect(named).to.deep.equal([]);
  });
});
