/**
 * What the program touches outside the files it was given: seen by strace, from outside of Node.js, with CI unset (which
 * hides onnxruntime's telemetry) and an empty home.
 */
import { expect } from "chai";
import { execFile, spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { root } from "../docs/markdown.ts";
import { requireOrSkip } from "../support/require.ts";
import { writeSmallBackbone } from "../support/small-backbone.ts";

const run = promisify(execFile);

/** Whether processes can be traced here at all. */
const traces = spawnSync("strace", ["-f", "-e", "trace=network", "true"]).status === 0;

/** The dependencies that run native code or that programs load for their own use of networks. */
const dependencies = [
  "onnxruntime-node",
  "sharp",
  "h5wasm",
  "ml-matrix",
  "ml-regression",
  "yargs",
  "plotly.js-dist-min",
];

describe("nothing leaves the machine", function () {
  this.timeout(600_000);
  let folder = "";
  before(async function () {
    requireOrSkip(this, "strace", traces);
    folder = await mkdtemp(join(tmpdir(), "etl-quiet-"));
    await writeSmallBackbone(join(folder, "small.onnx"));
    await mkdir(join(folder, "work"));
  });
  after(async () => {
    if (folder !== "") await rm(folder, { recursive: true, force: true });
  });

  /** Runs Node.js under strace. @returns attempts to connect or send, and files that were written in the empty home */
  async function traced(
    name: string,
    args: readonly string[],
  ): Promise<{ calls: string[]; files: string[]; written: string[]; trace: string }> {
    const home = join(folder, `home-${name}`);
    await mkdir(home);
    const kept = Object.entries(process.env).filter(
      ([key]) => !/^(CI|GITHUB_|TF_BUILD|ORT_|XDG_|BUILD_|JENKINS|TMPDIR|NODE_)/.test(key),
    );
    const xdg = ["CACHE_HOME", "CONFIG_HOME", "DATA_HOME", "STATE_HOME"].map((key) => [
      `XDG_${key}`,
      join(home, key),
    ]);
    const log = join(folder, `${name}.trace`);
    await run(
      "strace",
      [
        "-f",
        "-qq",
        "--seccomp-bpf",
        "-e",
        "signal=none",
        "-e",
        "trace=connect,sendto,sendmsg,openat,creat",
        "-o",
        log,
        process.execPath,
        "--import",
        "tsx",
        ...args,
      ],
      {
        cwd: root,
        env: {
          ...Object.fromEntries(kept),
          ...(Object.fromEntries(xdg) as Record<string, string>),
          HOME: home,
          TSX_DISABLE_CACHE: "1",
        },
        maxBuffer: 2 ** 26,
      },
    );
    const trace = await readFile(log, "utf8");
    const lines = trace.split("\n");
    // tsx itself speaks with its own parent over a socket file; no address of a network is one.
    const calls = lines.filter(
      (line) => /\b(connect|sendto|sendmsg)\(/.test(line) && /AF_INET|AF_NETLINK|sin6?_addr/.test(line),
    );
    const written = lines.filter(
      (line) => /O_(WRONLY|RDWR|CREAT)|creat\(/.test(line) && !/"\/(dev|proc)\/|ENOENT|\/tsx-/.test(line),
    );
    const atHome = written.filter((line) => line.includes(home));
    return { calls, files: [...(await readdir(home, { recursive: true })), ...atHome], written, trace };
  }

  const etl = join(root, "bin/etl.ts");
  const lib = JSON.stringify(pathToFileURL(join(root, "lib/index.ts")).href);

  it("sees what it looks for: a program that connects and writes", async () => {
    const source = `
      import { connect } from "node:net";
      import { writeFileSync } from "node:fs";
      import { join } from "node:path";
      writeFileSync(join(process.env.HOME, "device-id"), "x");
      await new Promise((done) => connect(9, "127.0.0.1").on("error", done).on("connect", done));
      process.exit(0);`;
    const { calls, files } = await traced("control", ["--input-type=module", "--eval", source]);
    expect(calls.join("\n")).to.contain("AF_INET");
    expect(files.join("\n")).to.contain("device-id");
  });

  it("prune and predict connect nowhere and leave nothing in a home", async () => {
    const out = join(folder, "work/run");
    // The decoded pictures are the program's own, and documented: they go where they are told to.
    const prune = await traced("prune", [
      ...[
        etl,
        "prune",
        "--task",
        "gender",
        "--data",
        "synthetic:40",
        "--backbone",
        join(folder, "small.onnx"),
      ],
      ...[
        "--gamma",
        "0.3",
        "--epochs",
        "1",
        "--baseline-epochs",
        "1",
        "--runs",
        "2",
        "--threads",
        "1",
        "--cache-dir",
        join(folder, "work/cache"),
        "--out",
        out,
      ],
    ]);
    expect(prune.calls).to.deep.equal([]);
    expect(prune.files).to.deep.equal([]);
    expect(prune.trace).to.contain("onnxruntime");
    const drawn = join(folder, "work/drawn");
    const draw = await traced("draw", [etl, "draw", "1", "--out", drawn]);
    const predict = await traced("predict", [etl, "predict", out, join(drawn, "face-000000.png")]);
    for (const { calls, files } of [draw, predict]) {
      expect(calls).to.deep.equal([]);
      expect(files).to.deep.equal([]);
    }
  });

  it("report, evaluate, quantize, bench, profile, export and cut write where they are told to, and connect nowhere", async () => {
    const work = (name: string): string => join(folder, "work", name);
    const [run, cache] = [work("run"), ["--cache-dir", work("cache")]];
    const drawn = ["--data", work("drawn")];
    const calls: Readonly<Record<string, readonly string[]>> = {
      report: [run],
      evaluate: [run, "--data", "synthetic:40", ...cache],
      quantize: [run, ...drawn, "--no-check", "--calibrate", "1", "--out", work("bytes.onnx"), ...cache],
      bench: ["--backbone", join(folder, "small.onnx"), "--batch", "1", "--rounds", "1"],
      profile: [run, "--runs", "1"],
      export: [run, "--format", "web", "--out", work("page")],
      cut: [run, "--keep", "0.9", "--out", work("cut.onnx")],
    };
    for (const [name, args] of Object.entries(calls)) {
      const seen = await traced(name, [etl, name, ...args, "--threads", "1"]);
      expect(seen.calls, name).to.deep.equal([]);
      expect(seen.files, name).to.deep.equal([]);
      const outside = seen.written.filter((line) => !line.includes(work("")));
      expect(outside, name).to.deep.equal([]);
    }
  });

  it("nor does a program that uses the library", async () => {
    const source = `
      const { openEngine, predictImages } = await import(${lib});
      const answers = await predictImages(${JSON.stringify(join(folder, "work/run"))}, [${JSON.stringify(join(folder, "work/drawn/face-000000.png"))}]);
      if (answers.length !== 1) throw new Error("no answer");`;
    const { calls, files } = await traced("library", ["--input-type=module", "--eval", source]);
    expect(calls).to.deep.equal([]);
    expect(files).to.deep.equal([]);
  });

  it("nor does loading any dependency, onnxruntime as we load it", async () => {
    const { default: manifest } = (await import("../../package.json", { with: { type: "json" } })) as {
      default: { dependencies: Record<string, string> };
    };
    const names = Object.keys(manifest.dependencies);
    expect(names).to.include.members(dependencies.filter((name) => names.includes(name)));
    const source = `
      process.env.ORT_DISABLE_TELEMETRY = "1";
      for (const name of ${JSON.stringify(names)}) await import(name).catch((error) => {
        // Made for a browser (it asks for a window), or a package whose files alone are read.
        const why = String(error) + " " + String(error.code);
        if (!/is not defined|ERR_PACKAGE_PATH_NOT_EXPORTED|MODULE_NOT_FOUND/.test(why)) throw error;
      });
      process.exit(0);`;
    const { calls, files } = await traced("load", ["--input-type=module", "--eval", source]);
    expect(calls).to.deep.equal([]);
    expect(files).to.deep.equal([]);
  });
});
