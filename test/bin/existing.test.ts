/**
 * Every command onto what is there already: its own output, finished or not, with the same and with other options; a folder and a
 * file of the user's; its own input. Nothing that was there may be lost, or be told of by files that speak of something else.
 */
import { expect } from "chai";
import { createHash } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { cp, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, extname, join } from "node:path";
import { commands } from "../../bin/commands.ts";
import { readRunState, writeRunState } from "../../lib/jobs/run/state.ts";
import { capture, type Captured } from "../support/program.ts";
import { writeSmallBackbone } from "../support/small-backbone.ts";

interface Writer {
  /** The call that leaves its output at `out`. */
  readonly call: (out: string) => readonly string[];
  /** Options that make another output, or another call that does; undefined where it has none. */
  readonly other?: readonly string[] | ((out: string) => readonly string[]);
  /** Ending of the name where a file is written. */
  readonly ending?: string;
  /** A run folder, which can be unfinished. */
  readonly run?: true;
  /** What other options may change: what can be made again from what is there. */
  readonly changes?: readonly string[];
  /** The file it is made from. */
  readonly input?: string;
}

/** Parts of a prune, and slow ones: with ETL_FAULTS=long, as what is there is looked at in the same places. */
const onlyLong = new Set(["harvest", "curves", "finetune", "crossval", "cut --plan-out"]);
const isLong = process.env["ETL_FAULTS"] === "long";

/** Commands that write nothing where the user says, and why they are called all the same: nothing may change. */
const readers = ["completion", "evaluate", "profile", "predict", "verify", "demo", "backbones", "doctor"];

describe("commands onto what is there", function () {
  this.timeout(600_000);
  const root = mkdtempSync(join(tmpdir(), "etl-existing-"));
  const at = (name: string): string => join(root, name);
  const nameOf = ({ usage }: { readonly usage: string }): string => usage.split(" ")[0];

  /** Bytes of every file below a path. */
  async function tree(path: string): Promise<Record<string, string>> {
    const hash = async (file: string): Promise<string> =>
      createHash("sha256")
        .update(await readFile(file))
        .digest("hex");
    if ((await stat(path)).isFile()) return { "": await hash(path) };
    const entries = await readdir(path, { recursive: true, withFileTypes: true });
    const files = entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
    const found = files.sort().map(async (file) => [file.slice(path.length + 1), await hash(file)] as const);
    return Object.fromEntries(await Promise.all(found));
  }

  const quietly = (argv: readonly string[]): Promise<Captured> => capture([...argv, "--quiet"]);

  const backbone = at("small.onnx");
  const pruned = at("model.onnx");
  const cache = ["--cache-dir", at("cache")];
  const data = ["--data", "synthetic:60", ...cache];
  const light = ["--backbone", backbone];
  const harvest = ["--task", "gender", ...data, ...light];
  const training = ["--epochs", "1", "--baseline-epochs", "1", "--learning-rate", "1e-3", "--distill", "0"];
  const pruning = [...training, "--gamma", "0.3"];
  const small = ["--task", "gender", ...data, "--size", "32", "--epochs", "1", "--runs", "2"];
  const train = ["train", "--backbone", "mobilenet-v1-0.25", ...small];
  const more = ["--limit", "50"];
  const to = (...argv: string[]): Writer => ({ call: (out: string) => [...argv, "--out", out] });
  const exported = (...how: string[]): Writer => to("export", pruned, ...how);
  const writers = new Map<string, Writer>(
    Object.entries({
      prune: { ...to("prune", ...harvest, ...pruning, "--runs", "2"), other: ["--gamma", "0.2"], run: true },
      sweep: {
        ...to("sweep", "--tasks", "gender", ...data, ...light, ...training, "--gammas", "0.3", "--runs", "2"),
        other: ["--epochs", "2", "--baseline-epochs", "2"],
      },
      harvest: { ...to("harvest", ...harvest), other: more, run: true },
      curves: { ...to("curves", ...harvest), other: more, run: true },
      plan: {
        ...to("plan", ...harvest, "--gamma", "0.3"),
        other: ["--gamma", "0.6"],
        run: true,
        changes: ["plan.json", "config.json", "run.json"],
      },
      finetune: { ...to("finetune", ...harvest, ...pruning), other: ["--gamma", "0.2"], run: true },
      merge: {
        ...to("merge", at("shard")),
        other: (out: string) => ["merge", at("less"), "--out", out],
        run: true,
      },
      train: { ...to(...train), other: ["--epochs", "2"], run: true },
      crossval: {
        ...to("crossval", "--backbone", "mobilenet-v1-0.25", ...small, "--folds", "2"),
        other: ["--epochs", "2"],
        run: true,
      },
      cut: {
        ...{ call: (out: string) => ["cut", pruned, "--keep", "0.5", "--no-check", "--out", out] },
        ...{ other: ["--keep", "0.9"], ending: ".onnx", input: pruned },
      },
      "cut --plan-out": {
        call: (out: string) => ["cut", pruned, "--keep", "0.5", "--out", `${out}.onnx`, "--plan-out", out],
        ...{ other: ["--keep", "0.9"], ending: ".json" },
      },
      quantize: {
        ...to("quantize", pruned, "--data", "synthetic:600", ...cache, "--no-check"),
        ...{ other: ["--calibrate", "8"], ending: ".onnx", input: pruned },
      },
      bench: {
        ...to("bench", "--table", ...light, "--threads", "1"),
        ...{ other: ["--batch", "2"], ending: ".json", input: backbone },
      },
      "export onnx": { ...exported(), other: ["--strip"], ending: ".onnx", input: pruned },
      "export tfjs": { ...exported("--format", "tfjs"), other: ["--strip"], ending: ".json" },
      "export safetensors": { ...exported(), ending: ".safetensors" },
      "export web": { ...exported("--format", "web"), other: ["--strip"] },
      align: { call: (out: string) => ["align", at("photos"), out], other: ["--size", "100"] },
      draw: { ...to("draw", "4", "--size", "32"), other: ["--size", "33"] },
      report: {
        ...to("report", at("a")),
        other: [at("b")],
        ending: ".html",
        changes: [""],
        input: at("a/record.json"),
      },
      compare: {
        ...to("compare", at("a")),
        other: [at("b")],
        ending: ".html",
        changes: [""],
        input: at("b/report.html"),
      },
      resume: { call: (out: string) => ["resume", out] },
    }),
  );

  before(async () => {
    await writeSmallBackbone(backbone);
    const photo = dirname(createRequire(import.meta.url).resolve("@vladmandic/face-api/demo/sample1.jpg"));
    await mkdir(at("photos"));
    await cp(join(photo, "sample1.jpg"), at("photos/a.jpg"));
    const shard = ["harvest", ...harvest, "--shard", "1/1"];
    for (const argv of [
      [...shard, "--out", at("shard")],
      [...shard, ...more, "--out", at("less")],
      ["prune", ...harvest, ...pruning, "--runs", "2", "--out", at("a")],
      [...train, "--out", at("b")],
    ]) {
      const { code, stderr } = await quietly(argv);
      expect(code, stderr).to.equal(0);
    }
    await cp(at("a/pruned.onnx"), pruned);
  });
  after(() => rm(root, { recursive: true, force: true }));

  it("every command of the program stands in the table, and each of its formats", () => {
    const known = new Set([...writers.keys()].map((name) => name.split(" ")[0]).concat(readers));
    for (const command of commands) {
      const name = nameOf(command);
      expect(known, `${name} needs an entry`).to.include(name);
      const writes = Object.keys(command.options).some((option) => /(^|-)out$/.test(option));
      if (writes) expect(readers, `${name} writes`).to.not.include(name);
    }
    const formats = commands.find((command) => nameOf(command) === "export")?.options["format"]
      .choices as string[];
    expect(formats.filter((format) => !writers.has(`export ${format}`))).to.deep.equal([]);
  });

  /** Calls, and holds that what was at `path` is as before, but for what may change. */
  async function keeps(
    argv: readonly string[],
    path: string,
    changes: readonly string[] = [],
  ): Promise<Captured> {
    const before = await tree(path);
    const done = await quietly(argv);
    const now = await tree(path).catch(() => ({}));
    const lost = Object.entries(before).filter(([name, sum]) => Reflect.get(now, name) !== sum);
    const names = lost.map(([name]) => name).filter((name) => !changes.includes(name));
    expect(names, `${argv.join(" ")}\n${done.stderr}`).to.deep.equal([]);
    return done;
  }

  for (const [name, { call, other, ending = "", run, changes }] of writers) {
    if (name === "resume") continue;
    const test = isLong || !onlyLong.has(name) ? it : it.skip;
    test(`${name}: its own output, finished and not, stays; other options are refused`, async () => {
      const otherwise = (at: string): readonly string[] =>
        typeof other === "function" ? other(at) : [...call(at), ...(other ?? [])];
      const out = at(`own-${name.replaceAll(" ", "-")}${ending}`);
      const first = await quietly(call(out));
      expect(first.code, `${name}: ${first.stderr}`).to.equal(0);
      const again = await keeps(call(out), out);
      expect(again.code, `${name} again: ${again.stderr}`).to.be.oneOf([0, 2]);
      if (other !== undefined) {
        const third = await keeps(otherwise(out), out, changes);
        if (!["curves", "plan", "report", "compare"].includes(name))
          expect(third.code, `${name}, other options: ${third.stderr}`).to.equal(2);
      }
      if (run !== true) return;
      const state = await readRunState(out);
      if (state === undefined) throw new Error(`${name} left no run.json`);
      await writeRunState(out, { ...state, status: "running" });
      const records = ["run.json", "lock.json"];
      const half = await keeps(call(out), out, [...records, ...(changes ?? [])]);
      expect(half.code, `${name}, unfinished: ${half.stderr}`).to.equal(0);
      if (other === undefined) return;
      await writeRunState(out, { ...state, status: "running" });
      await keeps(otherwise(out), out, [...records, ...(changes ?? [])]);
    });
  }

  it("a folder of the user's files, a plain file, and its own input stay", async () => {
    for (const [name, { call, ending = "", input }] of writers) {
      const folder = at(`mine-${name.replaceAll(" ", "-")}`);
      await mkdir(folder);
      const mine = [
        "notes.txt",
        "config.json",
        "model.json",
        "labels.csv",
        "report.html",
        "index.html",
        "sweep.csv",
      ];
      for (const file of [...mine, "weights.bin", "group1-shard1of1.bin", "face-000000.png", "align.json"])
        await writeFile(join(folder, file), `{"mine": "${file}"}\n`);
      expect((await keeps(call(folder), folder)).code, `${name} into a folder`).to.be.greaterThan(0);
      for (const file of new Set(
        [`file${ending}`, "report.html", "config.json"].filter(
          (each) => extname(each) === ending || ending === "",
        ),
      )) {
        const path = join(folder, file);
        await writeFile(path, "mine\n");
        expect((await keeps(call(path), path)).code, `${name} onto ${file}`).to.be.greaterThan(0);
      }
      if (input === undefined) continue;
      await keeps(call(input), input);
    }
  });

  it("an earlier cut of a file that nobody trained is cut again, the file itself never", async () => {
    const [out, planOut] = [at("cut-twice.onnx"), at("cut-twice-plan.json")];
    const cut = (model: string, keep: string, file = out): Promise<Captured> =>
      quietly(["cut", model, "--keep", keep, "--no-check", "--out", file, "--plan-out", planOut]);
    expect((await cut(backbone, "0.9")).code).to.equal(0);
    const first = await tree(out);
    const again = await cut(backbone, "0.5");
    expect(again.code, again.stderr).to.equal(0);
    expect(await tree(out)).to.not.deep.equal(first);
    const kept = await tree(out);
    expect((await cut(out, "0.5")).code, "onto what is cut").to.equal(2);
    expect((await cut(backbone, "0.5", backbone)).code).to.equal(2);
    expect(await tree(out)).to.deep.equal(kept);
  });

  it("files of a run are not written over, asked for or not", async () => {
    for (const argv of [
      ["export", at("model.onnx"), "--strip", "--out", at("a/pruned.onnx"), "--replace"],
      ["cut", at("model.onnx"), "--keep", "0.5", "--no-check", "--out", at("a/baseline.onnx"), "--replace"],
      ["quantize", at("model.onnx"), "--data", "synthetic:60", "--out", at("b/model.onnx"), "--replace"],
      ["report", at("b"), "--out", at("a/report.html")],
      ["compare", at("a"), at("b"), "--out", at("a/report.html")],
      ["bench", "--table", "--backbone", at("small.onnx"), "--out", at("a/metrics.json"), "--replace"],
      [
        "cut",
        at("model.onnx"),
        "--keep",
        "0.5",
        "--out",
        at("x.onnx"),
        "--plan-out",
        at("a/plan.json"),
        "--replace",
      ],
    ]) {
      const { code, stderr } = await keeps(argv, at("a"));
      expect(code, argv.join(" ")).to.equal(2);
      expect(stderr).to.contain("another place was needed");
    }
    // Elsewhere --replace does what it says.
    const out = at("again.onnx");
    await writeFile(out, "mine\n");
    const done = await quietly(["export", at("model.onnx"), "--out", out, "--replace"]);
    expect(done.code, done.stderr).to.equal(0);
    expect((await stat(out)).size).to.be.greaterThan(100);
  });
});
