import { expect } from "chai";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { commands } from "../../bin/commands.ts";
import { main } from "../../bin/main.ts";
import { readPages, root } from "./markdown.ts";

interface Line {
  readonly where: string;
  readonly words: readonly string[];
}

/** Options that every command has; held against `etl --help` below. */
const common = new Set(["json", "quiet", "verbose", "seed", "threads", "engine", "help", "version"]);
const switches = new Set(["json", "quiet", "verbose", "help", "version"]);

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

function wordsOf(text: string): string[] {
  return Array.from(text.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g), (m) => m[1] ?? m[2] ?? m[3] ?? "");
}

/** The arguments of an `etl` call; undefined for other programs. */
function etlArguments(words: readonly string[]): readonly string[] | undefined {
  if (words[0] === "etl") return words.slice(1);
  if (words[0] === "npx" && words[1] === "etl") return words.slice(2);
  if (words[0] === "npm" && words[1] === "run" && words[2] === "etl") return words.slice(4);
  return undefined;
}

/** What is wrong with a call, against the command table; undefined = nothing. */
function problemOf(args: readonly string[]): string | undefined {
  const [name, ...rest] = args;
  if (name === "--help" || name === "--version") return undefined;
  const command = commands.find(({ usage }) => usage.split(" ")[0] === name);
  if (command === undefined) return `no command "${name ?? ""}"`;
  const seen = new Set<string>();
  let positionals = 0;
  for (let i = 0; i < rest.length; i++) {
    if (!rest[i].startsWith("--")) {
      positionals++;
      continue;
    }
    const [given, inline] = rest[i].slice(2).split("=");
    const option = given.startsWith("no-") ? given.slice(3) : given;
    const known = command.options[option];
    if (known === undefined && !common.has(option)) return `no option --${given}`;
    seen.add(option);
    const boolean = known === undefined ? switches.has(option) : known.type === "boolean";
    if (given !== option && !boolean) return `--${given}: ${option} is not a switch`;
    if (boolean) continue;
    const value = inline ?? rest[++i];
    if (value === undefined || value.startsWith("--")) return `--${given} without a value`;
    if (known?.type === "number" && !Number.isFinite(Number(value))) return `--${given} ${value}: no number`;
    if (known?.choices !== undefined && !known.choices.includes(value))
      return `--${given} ${value}: no choice`;
  }
  if (seen.has("help")) return undefined;
  const missing = Object.entries(command.options).find(
    ([option, { demandOption, hidden }]) => Boolean(demandOption) && hidden !== true && !seen.has(option),
  );
  if (missing !== undefined) return `--${missing[0]} is missing`;
  const slots = command.usage.split(" ").slice(1);
  const least = slots.filter((slot) => slot.startsWith("<")).length;
  const most = slots.some((slot) => slot.includes("..")) ? Infinity : slots.length;
  if (positionals < least || positionals > most) return `${positionals} arguments, ${command.usage}`;
  return undefined;
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
    expect(problemOf(wordsOf("prune --task gender --data x"))).to.match(/--out is missing/);
    expect(problemOf(wordsOf("prume"))).to.match(/prume/);
    expect(problemOf(wordsOf("plan --task a --data x --out y --rmse best"))).to.match(/best/);
    expect(problemOf(wordsOf("doctor now"))).to.match(/1 arguments/);
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
      const result: unknown = JSON.parse(written.join("").trim().split("\n").at(-1) ?? "");
      expect(result).to.be.an(name === "doctor" ? "object" : "array");
    });
  }
});
