import { expect } from "chai";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { problemOf } from "./calls.ts";
import { root } from "./markdown.ts";

const folder = join(root, "docs/scale-out");
const shards = 8;

/** The script in a manifest: the block under `args: - |`, or the whole file. */
function scriptOf(file: string): string {
  const text = readFileSync(join(folder, file), "utf8");
  if (!file.endsWith(".yaml")) return text;
  const [, indent = "", block = ""] = /args:\n *- \|\n( +)([^]*?)\n {1,11}\w/.exec(text) ?? [];
  return block.replaceAll(`\n${indent}`, "\n");
}

describe("docs: manifests of scale-out", () => {
  let scratch: string;

  before(() => {
    scratch = mkdtempSync(join(tmpdir(), "etl-scale-out-"));
    // A program named etl that writes down its arguments, one a line.
    writeFileSync(join(scratch, "etl"), '#!/bin/sh\nprintf "%s\\n" "$@"\necho END\n');
    chmodSync(join(scratch, "etl"), 0o755);
    for (let i = 1; i <= shards; i++) mkdirSync(join(scratch, "runs/shards", String(i)), { recursive: true });
  });
  after(() => {
    rmSync(scratch, { recursive: true });
  });

  /** Runs a script with that program; its calls. */
  function callsOf(file: string, variables: Record<string, string>): string[][] {
    const text = execFileSync("sh", ["-c", scriptOf(file).replaceAll("/runs/", `${scratch}/runs/`)], {
      encoding: "utf8",
      env: {
        ...{ PATH: `${scratch}:${process.env["PATH"] ?? ""}`, RUNS: join(scratch, "runs"), FACES: "/faces" },
        ...{ SLURM_CPUS_PER_TASK: "4", SLURM_ARRAY_TASK_COUNT: String(shards), SHARDS: String(shards) },
        ...variables,
      },
    });
    return text
      .split("END\n")
      .filter((call) => call !== "")
      .map((call) => call.trimEnd().split("\n"));
  }

  const harvests = {
    "kubernetes.yaml": (i: number) => ({ JOB_COMPLETION_INDEX: String(i) }),
    "slurm-harvest.sh": (i: number) => ({ SLURM_ARRAY_TASK_ID: String(i + 1) }),
  };
  const merges = ["kubernetes-merge.yaml", "slurm-prune.sh"];

  it("every manifest is one of these", () => {
    const files = readdirSync(folder).filter((file) => file !== "Dockerfile");
    expect(files.sort()).to.deep.equal([...Object.keys(harvests), ...merges].sort());
  });

  for (const [file, variables] of Object.entries(harvests)) {
    it(`${file}: the tasks harvest every shard once, each in a folder of its own`, () => {
      const calls = Array.from({ length: shards }, (_, i) => callsOf(file, variables(i))).flat();
      expect(calls.map(problemOf)).to.deep.equal(calls.map(() => undefined));
      const value = (call: string[], option: string): string => call[call.indexOf(option) + 1] ?? "";
      expect(calls.map((call) => value(call, "--shard"))).to.deep.equal(
        Array.from({ length: shards }, (_, i) => `${i + 1}/${shards}`),
      );
      expect(new Set(calls.map((call) => value(call, "--out"))).size).to.equal(shards);
      const text = readFileSync(join(folder, file), "utf8");
      expect(text).to.match(file.endsWith(".yaml") ? /completions: 8\n[^]*value: "8"/ : /--array=1-8\n/);
    });
  }

  for (const file of merges) {
    it(`${file}: merges all shards, and prunes with the harvest's options`, () => {
      const calls = callsOf(file, {});
      expect(calls.map(([command]) => command)).to.deep.equal(["merge", "prune"]);
      expect(calls.map(problemOf)).to.deep.equal([undefined, undefined]);
      expect(calls[0].filter((word) => word.includes("/shards/")).length).to.equal(shards);
      expect(calls[0].at(-1)).to.equal(calls[1][calls[1].indexOf("--out") + 1]);
      const shared = ["--task", "gender", "--data", "/faces", "--seed", "0"];
      expect(calls[1].join(" ")).to.contain(shared.join(" "));
      const [harvest] = callsOf("slurm-harvest.sh", { SLURM_ARRAY_TASK_ID: "1" });
      expect(harvest.join(" ")).to.contain(shared.join(" "));
    });
  }
});
