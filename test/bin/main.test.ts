import { expect } from "chai";
import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const project = resolve(import.meta.dirname, "../..");
const sample = (n: number): string => join(project, `node_modules/@vladmandic/face-api/demo/sample${n}.jpg`);

/** Runs the program as a user does. */
function etl(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((done) => {
    execFile(
      process.execPath,
      ["--import", "tsx", "bin/etl.ts", ...args],
      { cwd: project },
      (error, stdout, stderr) => {
        done({ code: error === null ? 0 : Number(error.code), stdout, stderr });
      },
    );
  });
}

describe("the program", function () {
  this.timeout(120_000);

  it("predicts several pictures; stdout is one JSON object", async () => {
    const { code, stdout } = await etl(
      "predict",
      "--backbone",
      "face-resnet",
      sample(1),
      sample(2),
      "--json",
    );
    expect(code).to.equal(0);
    const { predictions } = JSON.parse(stdout) as { predictions: { file: string; outputs: number[] }[] };
    expect(predictions.map(({ file }) => file)).to.deep.equal([sample(1), sample(2)]);
    expect(predictions.map(({ outputs }) => outputs.length)).to.deep.equal([128, 128]);
  });

  it("takes the last of an option that is given twice", async () => {
    const { code, stderr } = await etl(
      "prune",
      "--task",
      "gender",
      "--data",
      "synthetic:60",
      "--out",
      "/tmp/x",
      "--gamma",
      "0.1",
      "--gamma",
      "2",
    );
    expect(code).to.equal(2);
    expect(stderr).to.contain("--gamma: 2");
  });

  it("answers a truncated model, a broken picture and an unknown command, with exit codes", async () => {
    const folder = await mkdtemp(join(tmpdir(), "etl-bin-"));
    try {
      const model = join(folder, "half.onnx");
      await writeFile(model, Buffer.from([0x08, 0x08, 0x3a, 0xff, 0xff, 0x03]));
      const truncated = await etl("predict", model, sample(1));
      expect(truncated.code).to.equal(1);
      expect(truncated.stderr).to.contain("half.onnx");
      const picture = join(folder, "no.jpg");
      await writeFile(picture, "not a picture");
      const broken = await etl("predict", "--backbone", "face-resnet", picture);
      expect(broken.code).to.equal(1);
      expect(broken.stderr).to.contain("no.jpg");
      const unknown = await etl("prun");
      expect(unknown.code).to.equal(2);
      expect(unknown.stderr).to.contain("did you mean: etl prune?");
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it("goes on to the end where nobody reads what it prints any more", async () => {
    const child = spawn(process.execPath, ["--import", "tsx", "bin/etl.ts", "backbones"], {
      cwd: project,
      stdio: ["ignore", "pipe", "pipe"],
    });
    child.stdout.destroy();
    let said = "";
    child.stderr.on("data", (text: Buffer) => (said += text.toString()));
    const code = await new Promise<number | null>((done) => child.on("close", done));
    expect(said).not.to.contain("EPIPE");
    expect(code).to.equal(0);
  });

  it("a second Ctrl-C ends it at once, in the middle of a computation", async () => {
    const folder = await mkdtemp(join(tmpdir(), "etl-stopped-"));
    const child = spawn(
      process.execPath,
      [
        ...["--import", "tsx", "bin/etl.ts", "harvest", "--task", "gender", "--data", "synthetic"],
        "--out",
        folder,
      ],
      { cwd: project, stdio: ["ignore", "ignore", "pipe"] },
    );
    let said = "";
    const ended = new Promise<NodeJS.Signals | null>((done) => {
      child.on("exit", (_, signal) => {
        done(signal);
      });
    });
    let impatience: NodeJS.Timeout | undefined;
    child.stderr.on("data", (text: Buffer) => {
      said += text.toString();
      if (said.includes("cut off as val")) impatience ??= setInterval(() => child.kill("SIGINT"), 10);
    });
    const signal = await ended;
    clearInterval(impatience);
    await rm(folder, { recursive: true });
    expect(signal).to.equal("SIGINT");
    expect(said).to.contain("Ctrl-C again to stop at once").and.not.contain("terminate");
  });
});
