import { expect } from "chai";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commands } from "../../bin/commands.ts";
import type { FailureJson } from "../../lib/json.ts";
import { capture } from "../support/program.ts";
import { writeSmallBackbone } from "../support/small-backbone.ts";

interface Result {
  readonly schema: string;
  readonly [key: string]: unknown;
}

/** The one object on stdout. */
async function json(...argv: string[]): Promise<Result> {
  const { code, stdout, stderr } = await capture([...argv, "--json", "--quiet"]);
  expect(code, stderr).to.equal(0);
  expect(stdout.trim().split("\n"), stdout).to.have.length(1);
  const value = JSON.parse(stdout) as Result;
  expect(Object.keys(value)[0], "first key").to.equal("schema");
  expect(stdout, "typed arrays are not plain lists").to.not.contain('{"0":');
  return value;
}

describe("--json and --config", function () {
  this.timeout(300_000);
  let folder: string;
  let common: string[];
  const at = (name: string): string => join(folder, name);
  const seen = new Set<string>();
  const expectOf = (name: string, value: Result, ...keys: string[]): void => {
    expect(value.schema).to.equal(`etl/${name}/1`);
    expect(value).to.include.all.keys(keys);
    seen.add(name);
  };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "etl-json-"));
    const backbone = await writeSmallBackbone(at("small.onnx"));
    common = [
      "--task",
      "gender",
      "--data",
      "synthetic:120",
      "--backbone",
      backbone,
      "--cache-dir",
      at("cache"),
    ];
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it("prune takes a file of options, and leaves one that makes the same run again", async () => {
    await writeFile(
      at("etl.json"),
      JSON.stringify({
        ...{ task: "gender", data: "synthetic:120", backbone: at("small.onnx"), cacheDir: at("cache") },
        ...{ gamma: 0.5, learningRates: [1e-3], baselineEpochs: 1, epochs: 1, runs: 2, roundTo: 1 },
        ...{ controls: ["random"], refit: false, distill: 0, distillOutputs: 0, crop: [0, 0, 1, 1], seed: 3 },
      }),
    );
    // What stands on the command line counts.
    const first = await json("prune", "--config", at("etl.json"), "--gamma", "0.3", "--out", at("run"));
    expectOf("prune", first, "pruned", "baseline", "dataset", "reduction");
    const kept = JSON.parse(await readFile(at("run/config.json"), "utf8")) as Record<string, unknown>;
    expect(kept).to.include({ gamma: 0.3, refit: false, seed: 3, epochs: 1 });
    expect(kept["controls"]).to.deep.equal(["random"]);
    expect(kept).to.not.have.any.keys("out", "command");
    const again = await json("prune", "--config", at("run/config.json"), "--out", at("again"));
    const state = async (run: string) =>
      JSON.parse(await readFile(join(at(run), "run.json"), "utf8")) as { config: Record<string, unknown> };
    const one = { ...(await state("run")).config, out: "" };
    const two = { ...(await state("again")).config, out: "" };
    expect(two).to.deep.equal(one);
    expect((again["pruned"] as Result)["accuracy"]).to.equal((first["pruned"] as Result)["accuracy"]);
    expectOf("prune", await json("resume", at("run")), "pruned");
    seen.add("resume");
  });

  it("an empty list in a file is one that was not given", async () => {
    await writeFile(
      at("empty.json"),
      JSON.stringify({ controls: [], tasks: "gender", data: at("none"), gammas: [] }),
    );
    const { stderr } = await capture(["sweep", "--config", at("empty.json"), "--out", at("no")]);
    expect(stderr).to.contain("none: cannot open the data");
  });

  it("a file of options is refused by the key that is wrong", async () => {
    const refused = async (options: unknown, command = "prune") => {
      await writeFile(at("bad.json"), JSON.stringify(options));
      const { code, stderr } = await capture([command, "--config", at("bad.json"), "--out", at("no")]);
      expect(code).to.be.oneOf([1, 2]);
      return stderr;
    };
    expect(await refused({ gama: 0.1 }))
      .to.contain('"gama"')
      .and.contain('did you mean "gamma"?');
    expect(await refused({ task: "gender", refit: "no" })).to.contain(
      'refit: "no", true or false was needed',
    );
    expect(await refused({ task: "gender", gamma: true })).to.contain("gamma: true, a value was needed");
    expect(await refused({ task: "gender", gamma: "much" })).to.contain(
      '--gamma: "much", a number was needed',
    );
    expect(await refused([])).to.contain("no object");
    expect(await refused({ arhc: "resnet18" }, "train")).to.contain('did you mean "arch"?');
    const missing = await capture(["prune", "--config", at("none.json")]);
    expect(missing.stderr).to.contain("none.json: cannot read, there is no such file");
  });

  it("the commands of a run and of its networks", async () => {
    const options = [...common, "--out", at("stages")];
    expectOf("harvest", await json("harvest", ...options), "folder", "n", "taps");
    expectOf("curves", await json("curves", ...options), "folder", "curves");
    expectOf("plan", await json("plan", ...options, "--gamma", "0.3"), "before", "after", "layers");
    const quick = ["--gamma", "0.3", "--epochs", "1", "--baseline-epochs", "1", "--learning-rate", "1e-3"];
    expectOf("finetune", await json("finetune", ...options, ...quick), "folder", "files");
    await json("harvest", ...common, "--shard", "1/1", "--out", at("shard"));
    expectOf(
      "merge",
      await json("merge", at("shard"), "--out", at("merged")),
      "folder",
      "shards",
      "n",
      "taps",
    );
    expectOf("evaluate", await json("evaluate", at("run"), "--data", "synthetic:60"), "accuracy", "n");
    expectOf("profile", await json("profile", at("run"), "--runs", "2"), "models");
    expectOf(
      "export",
      await json("export", at("run"), "--out", at("out.onnx")),
      "file",
      "files",
      "bytes",
      "format",
    );
    expectOf("report", await json("report", at("run")), "file", "runs");
    expectOf("compare", await json("compare", at("run")), "networks");
    expectOf("cut", await json("cut", at("run"), "--keep", "0.5", "--out", at("cut.onnx")), "layers", "out");
    expectOf("plan", await json("plan", at("small.onnx")), "layers", "groups");
    expectOf("draw", await json("draw", "4", "--out", at("faces")), "folder", "pictures", "labels");
    const one = await json("predict", at("run"), at("faces/face-000000.png"));
    expectOf("predict", one, "predictions", "leftOut");
    expect(one["leftOut"]).to.deep.equal([]);
    await writeFile(at("broken.jpg"), "<html>");
    const some = await json("predict", at("run"), at("broken.jpg"), at("faces/face-000000.png"));
    expect(some["predictions"]).to.have.length(1);
    const [left] = some["leftOut"] as { file: string; problem: string }[];
    expect(left.file).to.equal(at("broken.jpg"));
    expect(left.problem).to.match(/^cannot be decoded/);
    expectOf("bench", await json("bench", "--backbone", at("small.onnx"), "--rounds", "1"), "forwardMs");
    expectOf("backbones", await json("backbones"), "backbones");
    expectOf("doctor", await json("doctor"), "engines", "uses");
    const sweep = [
      "--tasks",
      "gender",
      ...common.slice(2),
      "--gammas",
      "0.3",
      ...quick.slice(2),
      "--runs",
      "2",
    ];
    expectOf("sweep", await json("sweep", ...sweep, "--out", at("sweep")), "rows", "runs");
    const again = JSON.parse(await readFile(at("sweep/config.json"), "utf8")) as Record<string, unknown>;
    expect(again).to.deep.include({ gammas: [0.3], tasks: [{ task: "gender", data: "synthetic:120" }] });
    expectOf("sweep", await json("sweep", "--config", at("sweep/config.json"), "--out", at("sweep")), "rows");
  });

  it("every failure is one object too, and the exit code stays", async () => {
    const failed = async (...argv: string[]) => {
      const { code, stdout } = await capture([...argv, "--json"]);
      const { schema, error } = JSON.parse(stdout) as FailureJson;
      expect(schema).to.equal("etl/error/1");
      return { code, ...error };
    };
    expect(await failed("prune", "--gama", "1")).to.deep.equal({
      code: 2,
      kind: "usage",
      message: "etl prune: unknown option --gama, one of those that it has was needed",
      hint: "did you mean --gamma?",
    });
    expect(await failed("prnue")).to.include({ code: 2, kind: "usage" });
    expect(await failed("export", at("none/x"), "--out", at("x.onnx"))).to.include({
      code: 2,
      kind: "usage",
    });
    await writeFile(at("broken.onnx"), Buffer.from([0x08, 0x08, 0x3a, 0xff, 0xff, 0x03]));
    expect(await failed("profile", at("broken.onnx"))).to.include({ code: 1, kind: "format" });
    expect(await failed("evaluate", at("run"), "--data", at("none"))).to.include({ code: 1, kind: "io" });
  });

  it("docs/json.md has a row for each command", async () => {
    const page = await readFile(join(import.meta.dirname, "../../docs/json.md"), "utf8");
    const rows = Array.from(page.matchAll(/^\| `(\w+)` +\| `etl\/(\w+)\/1`/gm), ([, name]) => name);
    expect(rows).to.deep.equal(commands.map(({ usage }) => usage.split(" ")[0]));
  });

  it("each command was looked at here, or needs more than a drawn face", () => {
    const rest = commands.map(({ usage }) => usage.split(" ")[0]).filter((name) => !seen.has(name));
    expect(rest).to.deep.equal(["quantize", "train", "crossval", "verify", "align", "demo"]);
  });
});
