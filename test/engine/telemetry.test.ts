import { expect } from "chai";
import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { root } from "../docs/markdown.ts";

const run = promisify(execFile);
const open = JSON.stringify(pathToFileURL(join(root, "lib/engine/open.ts")).href);
const small = JSON.stringify(pathToFileURL(join(root, "test/support/small-backbone.ts")).href);

/** Runs a module in a process of its own, as on a user's machine: without CI, with a home of its own. */
async function inProcess(source: string, env: Record<string, string> = {}) {
  const home = await mkdtemp(join(tmpdir(), "etl-home-"));
  try {
    const kept = Object.entries(process.env).filter(
      ([name]) => !/^(CI|GITHUB_|TF_BUILD|ORT_|XDG_|BUILD_|JENKINS)/.test(name),
    );
    const { stdout, stderr } = await run(
      process.execPath,
      ["--import", "tsx", "--input-type=module", "--eval", source],
      {
        cwd: root,
        env: { ...Object.fromEntries(kept), HOME: home, XDG_CACHE_HOME: join(home, "cache"), ...env },
      },
    );
    const files = (await readdir(home, { recursive: true })).filter((file) => !file.includes("tsx"));
    return { files, said: `${stdout}${stderr}` };
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

/** Opens the engine, compiles a network, runs it. */
const use = `
  const { openEngine } = await import(${open});
  const { smallBackbone } = await import(${small});
  const engine = await openEngine({ engine: "ort", threads: 1 });
  const network = smallBackbone();
  const program = await engine.compile(network);
  const shape = network.inputs[0].shape.map((dim) => (typeof dim === "number" ? dim : 1));
  await program.run({ [network.inputs[0].name]: { shape, data: new Float32Array(shape.reduce((a, b) => a * b)) } });
  await program.dispose();
  await engine.dispose();
`;

describe("engine/ort: nothing is reported", function () {
  this.timeout(120_000);

  it("leaves no file in home and cache, where onnxruntime alone would", async function () {
    const bare = await inProcess(`
      const { writeOnnx } = await import(${JSON.stringify(pathToFileURL(join(root, "lib/formats/onnx/write.ts")).href)});
      const { smallBackbone } = await import(${small});
      const ort = await import("onnxruntime-node");
      await ort.InferenceSession.create(writeOnnx(smallBackbone()));
    `);
    const { files, said } = await inProcess(use);
    expect(said).to.equal("");
    expect(files).to.deep.equal([]);
    if (bare.files.length === 0) console.log("      (this onnxruntime leaves nothing by itself, either)");
  });

  it("tells an importer that loaded onnxruntime first", async () => {
    const { said } = await inProcess(`await import("onnxruntime-node"); ${use}`);
    expect(said).to.contain("onnxruntime-node was loaded before etl-prune");
    expect(said).to.contain("ORT_DISABLE_TELEMETRY=1");
  });

  it("keeps quiet where the user has decided", async () => {
    const { said } = await inProcess(`await import("onnxruntime-node"); ${use}`, {
      ORT_DISABLE_TELEMETRY: "1",
    });
    expect(said).to.equal("");
  });
});
