import { expect } from "chai";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { commands } from "../../bin/commands.ts";
import { main } from "../../bin/main.ts";
import { etlArguments, problemOf, wordsOf } from "./calls.ts";
import { readPages, root } from "./markdown.ts";

interface Line {
  readonly where: string;
  readonly words: readonly string[];
}

/** Command lines of the fenced shell blocks; continued lines joined, comments and prompts dropped. */
function shellLines(): Line[] {
  return readPages().flatMap(({ path, blocks }) =>
    blocks
      .filter(({ language }) => ["sh", "bash", "shell", "console"].includes(language))
      .flatMap(({ text, line }) =>
        text
          .replace(/\\\n\s*/g, " ")
          .split("\n")
          .flatMap((each) => each.split("&&"))
          .map((each) => each.replace(/^\s*\$\s+/, "").replace(/\s#.*$|^#.*$/, ""))
          .filter((each) => each.trim() !== "")
          .map((each) => ({ where: `${path}, block at line ${line}: ${each.trim()}`, words: wordsOf(each) })),
      ),
  );
}

describe("docs: shell", function () {
  this.timeout(120_000);
  const lines = shellLines();
  const calls = lines.flatMap(({ where, words }) => {
    const args = etlArguments(words);
    return args === undefined ? [] : [{ where, args }];
  });

  it("knows a wrong call", () => {
    expect(problemOf(wordsOf("prune --task gender --data x --out y --gama 1"))).to.match(/--gama/);
    expect(problemOf(wordsOf("prune --task gender --data x"))).to.match(/no --out/);
    expect(problemOf(wordsOf("prume"))).to.match(/prume/);
    expect(problemOf(wordsOf("plan --task a --data x --out y --rmse best"))).to.match(/best/);
    expect(problemOf(wordsOf("doctor now"))).to.match(/"now" without an option/);
  });

  it("every etl call names a command and options that exist", () => {
    expect(calls.length).to.be.greaterThan(10);
    const wrong = calls.flatMap(({ where, args }) => {
      const problem = problemOf(args);
      return problem === undefined ? [] : [`${where}: ${problem}`];
    });
    expect(wrong).to.deep.equal([]);
  });

  it("every example of --help is such a call", () => {
    const wrong = commands.flatMap(({ examples }) =>
      examples.flatMap(([example]) => {
        const problem = problemOf(etlArguments(wordsOf(example)) ?? []);
        return problem === undefined ? [] : [`${example}: ${problem}`];
      }),
    );
    expect(wrong).to.deep.equal([]);
  });

  it("every npm script named anywhere exists", () => {
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      scripts: Record<string, string>;
    };
    const named = readPages().flatMap(({ path, text }) =>
      Array.from(text.matchAll(/npm (?:run ([\w:-]+)|(test|start)\b)/g), (m) => ({
        path,
        script: m[1] ?? m[2] ?? "",
      })),
    );
    expect(named).to.not.be.empty;
    expect(named.filter(({ script }) => !Object.hasOwn(scripts, script))).to.deep.equal([]);
  });

  it("files that a shell line runs exist", () => {
    const missing = lines.filter(({ words }) => {
      const file = words.find((word) => /^(fixtures|test|bin)\/[\w./-]+\.(ts|py)$/.test(word));
      return file !== undefined && !existsSync(join(root, file));
    });
    expect(missing).to.deep.equal([]);
  });

  for (const name of ["doctor", "backbones"]) {
    it(`etl ${name} --json runs`, async () => {
      expect(calls.some(({ args }) => args[0] === name)).to.equal(true);
      const written: string[] = [];
      const write = process.stdout.write.bind(process.stdout);
      process.stdout.write = (chunk: string | Uint8Array) => {
        written.push(String(chunk));
        return true;
      };
      let code: number;
      try {
        code = await main([name, "--json"]);
      } finally {
        process.stdout.write = write;
      }
      expect(code).to.equal(0);
      const result = JSON.parse(written.join("")) as { readonly schema: string };
      expect(result.schema).to.equal(`etl/${name}/1`);
    });
  }
});
